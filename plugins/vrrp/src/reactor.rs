//! The thread of all interfaces. A turn: commands, news of the network, packets, deadlines, then what is to be sent.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tracing::warn;

use crate::advert_socket::Inbox;
use crate::interface::{Interface, Life};
use crate::poller::{Poller, Turn, Waker, Watch};

/// After the kernel refused to let it sleep.
const RETRY: Duration = Duration::from_millis(100);

/// The thread, from outside.
pub(crate) struct Reactor {
    shared: Arc<Shared>,
    waker: Waker,
    watch: Watch,
    next: AtomicU64,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    /// Interfaces that have come and have not been seen yet.
    new: Mutex<Vec<(u64, Interface)>>,
    ending: AtomicBool,
}

impl Reactor {
    /// Starts it; `prepare` is run on the thread first.
    pub(crate) fn start(prepare: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let poller = Poller::new()?;
        let shared = Arc::<Shared>::default();
        let (waker, watch) = (poller.waker(), poller.watch(0));
        let inside = Arc::clone(&shared);
        // Those who hear of changes may begin tasks of their own.
        let runtime = Handle::current();
        let thread = std::thread::Builder::new().name("charond-vrrp".to_owned()).spawn(move || {
            let _entered = runtime.enter();
            prepare();
            run(&poller, &inside);
        })?;
        Ok(Self { shared, waker, watch, next: AtomicU64::new(0), thread: Mutex::new(Some(thread)) })
    }

    pub(crate) fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Serves an interface until nobody is left who could command it. `make` is told how its sockets are watched.
    pub(crate) fn add(&self, make: impl FnOnce(Watch) -> Interface) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let interface = make(self.watch.with_number(number));
        self.shared.new.lock().push((number, interface));
        self.waker.wake();
    }

    /// Ends it; interfaces that are still served leave first. Waits for it.
    pub(crate) fn end(&self) {
        self.shared.ending.store(true, Ordering::Release);
        self.waker.wake();
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            warn!(target: "DMN", "the thread of virtual routers panicked");
        }
    }
}

impl Drop for Reactor {
    fn drop(&mut self) {
        self.end();
    }
}

fn run(poller: &Poller, shared: &Shared) {
    let mut interfaces: BTreeMap<u64, Interface> = BTreeMap::new();
    let (mut inbox, mut turn) = (Inbox::new(), Turn::default());
    loop {
        let deadline = interfaces.values().filter_map(Interface::deadline).min();
        if let Err(error) = poller.wait(deadline, &mut turn) {
            warn!(target: "IKE", "virtual routers cannot sleep: {error}");
            std::thread::sleep(RETRY);
        }
        if turn.woken {
            if shared.ending.load(Ordering::Acquire) {
                interfaces.values_mut().for_each(Interface::end);
                return;
            }
            for (number, mut interface) in std::mem::take(&mut *shared.new.lock()) {
                interface.begin();
                interfaces.insert(number, interface);
            }
            interfaces.retain(|_, interface| interface.look_up() == Life::GoesOn);
        }
        for number in &turn.readable {
            if let Some(interface) = interfaces.get_mut(number) {
                interface.receive(&mut inbox);
            }
        }
        let now = Instant::now();
        for interface in interfaces.values_mut() {
            interface.serve_deadlines(now, &mut inbox);
            interface.flush();
        }
    }
}
