//! What the virtual routers of one interface want of the kernel: macvlans, addresses, routes, rules. A task brings the kernel to
//! where it is wanted and keeps it there, whoever else interferes.
//!
//! The interface's task only says what it wants; it never waits for the kernel, whose networking lock can take hundreds of
//! milliseconds.

mod apply;
mod device;
mod mute;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use charon_core::service::KernelLinks;
use charon_core::service::kernel_net::InterfaceIndex;
use charon_types::vrouter::{VirtualAddress, VirtualRoute, VirtualRule, Vrouter};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use crate::key::Key;
use crate::net_state::NetState;
use crate::sysctl::Sysctls;

pub(crate) use device::ALIAS;

/// Between attempts at what failed.
const RETRY: Duration = Duration::from_secs(1);

/// What a virtual router wants.
#[derive(Clone, Debug)]
struct Wanted {
    config: Arc<Vrouter>,
    role: HostRole,
}

/// Whether a virtual router holds its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HostRole {
    /// It does not, but is ready to.
    Standby,
    /// It does.
    Active,
}

/// What a virtual router has.
struct Applied {
    config: Arc<Vrouter>,
    /// The configured interface.
    parent: InterfaceIndex,
    /// Where its addresses are: the parent, or the macvlan.
    device: InterfaceIndex,
    macvlan: Option<String>,
    up: LinkUp,
    /// Whether the kernel told of the device; when it then is missing, somebody removed it.
    confirmed_device: Confirmed,
    held: Vec<Held>,
    routes: Vec<VirtualRoute>,
    rules: Vec<VirtualRule>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LinkUp {
    No,
    Yes,
}

/// An address that we added.
struct Held {
    address: VirtualAddress,
    /// Whether the kernel has confirmed it; when it then goes, somebody else removed it.
    confirmed: Confirmed,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Confirmed {
    NotYet,
    Yes,
}

/// What both sides see.
#[derive(Default)]
struct Shared {
    wanted: Mutex<BTreeMap<Key, Wanted>>,
    /// Those of which something else is wanted than when they were looked at.
    news: Mutex<BTreeSet<Key>>,
    changed: Notify,
    closing: AtomicBool,
}

/// The interface's end.
#[derive(Clone)]
pub(crate) struct Host {
    shared: Arc<Shared>,
    applied: watch::Receiver<BTreeMap<Key, Option<String>>>,
}

impl Host {
    /// Starts the task of an interface. It ends when told by [`Host::close`], or with the runtime.
    pub(crate) fn start(
        runtime: &tokio::runtime::Handle,
        interface: &str,
        net: Arc<dyn KernelLinks>,
        state: watch::Receiver<NetState>,
        sysctls: Arc<Sysctls>,
    ) -> Self {
        let shared = Arc::<Shared>::default();
        let (sender, applied) = watch::channel(BTreeMap::new());
        let worker = Worker {
            interface: interface.to_owned(),
            net,
            state,
            sysctls,
            shared: Arc::clone(&shared),
            applied: BTreeMap::new(),
            failed: BTreeSet::new(),
            mute: mute::Mute::default(),
            parent: None,
            seen: 0,
            told: sender,
        };
        runtime.spawn(worker.run());
        Self { shared, applied }
    }

    /// What a virtual router wants from now on.
    pub(crate) fn want(&self, key: Key, config: &Arc<Vrouter>, role: HostRole) {
        self.shared.wanted.lock().insert(key, Wanted { config: Arc::clone(config), role });
        self.shared.news.lock().insert(key);
        self.shared.changed.notify_one();
    }

    /// A virtual router wants nothing any more.
    pub(crate) fn forget(&self, key: Key) {
        self.shared.wanted.lock().remove(&key);
        self.shared.news.lock().insert(key);
        self.shared.changed.notify_one();
    }

    /// Nobody wants anything any more; everything goes at once.
    pub(crate) fn close(&self) {
        self.shared.wanted.lock().clear();
        self.shared.closing.store(true, Ordering::Release);
        self.shared.changed.notify_one();
    }

    /// Ready when nothing of any virtual router is left.
    pub(crate) async fn all_gone(&self) {
        let mut applied = self.applied.clone();
        // As below.
        drop(applied.wait_for(BTreeMap::is_empty).await);
    }

    /// The macvlan of a virtual router, while it has one.
    pub(crate) fn macvlan(&self, key: Key) -> Option<String> {
        self.applied.borrow().get(&key).cloned().flatten()
    }

    /// Ready when nothing of a virtual router that was forgotten is left.
    pub(crate) async fn gone(&self, key: Key) {
        let mut applied = self.applied.clone();
        // The worker may have ended, and then has taken everything back.
        drop(applied.wait_for(|applied| !applied.contains_key(&key)).await);
    }
}

/// The task.
struct Worker {
    interface: String,
    net: Arc<dyn KernelLinks>,
    state: watch::Receiver<NetState>,
    sysctls: Arc<Sysctls>,
    shared: Arc<Shared>,
    applied: BTreeMap<Key, Applied>,
    mute: mute::Mute,
    /// Those to be tried again.
    failed: BTreeSet<Key>,
    /// The interface when it was looked at.
    parent: Option<InterfaceIndex>,
    /// What was known of the links concerned when they were looked at.
    seen: u64,
    told: watch::Sender<BTreeMap<Key, Option<String>>>,
}

/// Whether everything is as wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    Failed,
}

impl Worker {
    async fn run(mut self) {
        loop {
            let mut again = BTreeSet::new();
            tokio::select! {
                () = self.shared.changed.notified() => {}
                changed = self.state.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    again = self.look_around();
                }
                // Nobody is left who could want anything.
                () = self.told.closed() => return,
                () = tokio::time::sleep(RETRY), if !self.failed.is_empty() => {
                    again = std::mem::take(&mut self.failed);
                }
            }
            again.append(&mut self.shared.news.lock());
            self.reconcile(&again).await;
            self.settle_mute().await;
            if self.shared.closing.load(Ordering::Acquire) {
                self.withdraw_all().await;
                self.settle_mute().await;
                self.told.send_replace(BTreeMap::new());
                return;
            }
            self.tell(&again);
        }
    }

    /// The virtual routers that are concerned by what changed in the kernel.
    fn look_around(&mut self) -> BTreeSet<Key> {
        if !self.is_concerned() {
            return BTreeSet::new();
        }
        let parent = self.state.borrow().link(&self.interface).map(|link| link.index);
        if parent != self.parent {
            self.parent = parent;
            self.notice_losses();
            return self.shared.wanted.lock().keys().copied().collect();
        }
        self.notice_losses()
    }

    /// Tells of the macvlans of these.
    fn tell(&self, keys: &BTreeSet<Key>) {
        self.told.send_if_modified(|told| {
            let mut differs = false;
            for key in keys {
                let now = self.applied.get(key).map(|applied| applied.macvlan.clone());
                if told.get(key) != now.as_ref() {
                    differs = true;
                    match now {
                        Some(macvlan) => drop(told.insert(*key, macvlan)),
                        None => drop(told.remove(key)),
                    }
                }
            }
            differs
        });
    }

    /// Whether a link that is ours or below ours may have changed.
    fn is_concerned(&mut self) -> bool {
        let state = self.state.borrow_and_update();
        let parent = state.link(&self.interface).map(|link| (link.index, state.revision(link.index)));
        let (index, revision) = parent.map_or((0, 0), |(index, revision)| (u64::from(index.0), revision));
        let devices = self.applied.values().filter(|applied| applied.macvlan.is_some());
        let devices = devices.map(|applied| state.revision(applied.device) + 1);
        let seen = devices.fold(revision + (index << 40), u64::wrapping_add);
        std::mem::replace(&mut self.seen, seen) != seen
    }

    async fn reconcile(&mut self, keys: &BTreeSet<Key>) {
        for key in keys {
            // As of now: it may have changed while the one before was worked at.
            if self.shared.closing.load(Ordering::Acquire) {
                break;
            }
            let wanted = self.shared.wanted.lock().get(key).cloned();
            match self.reconcile_one(*key, wanted).await {
                Outcome::Done => self.failed.remove(key),
                Outcome::Failed => self.failed.insert(*key),
            };
        }
    }
}
