//! The engine: virtual routers by name, the interfaces that have them, and what is tracked for them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use charon_core::service::vrrp_engine::{VrouterError, VrouterLoading};
use charon_core::service::{BoxFuture, KernelLinks, VrrpEngine};
use charon_types::vrouter::{Vrouter, VrouterSnapshot};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, oneshot};
use tracing::warn;

use crate::commands::Commands;
use crate::convert;
use crate::host::Host;
use crate::interface::{Command, Interface};
use crate::key::Key;
use crate::reactor::Reactor;
use crate::report::Report;
use crate::roster::Roster;
use crate::shared::Shared;
use crate::sysctl::Sysctls;
use crate::track::{Listener, Sources};

/// Virtual routers of one daemon.
const ROUTERS_MAX: usize = 8192;
/// How long a router that goes may take to give back what it has of the kernel.
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// The engine.
pub(crate) struct Engine {
    shared: Arc<Shared>,
    sources: Sources,
    sysctls: Arc<Sysctls>,
    net: Arc<dyn KernelLinks>,
    /// Serves interfaces.
    reactor: Arc<Reactor>,
    /// Where the work with the kernel is done.
    runtime: Handle,
    known: Mutex<Known>,
    /// For answers that cannot wait.
    names: parking_lot::Mutex<Vec<Arc<str>>>,
}

#[derive(Default)]
struct Known {
    routers: Roster,
    interfaces: BTreeMap<String, Attached>,
    ended: Ended,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Ended {
    #[default]
    No,
    Yes,
}

/// An interface, and the task that does its work with the kernel.
#[derive(Clone)]
struct Attached {
    commands: Commands,
    host: Host,
}

impl Engine {
    pub(crate) fn new(
        shared: Arc<Shared>,
        sources: Sources,
        sysctls: Arc<Sysctls>,
        net: Arc<dyn KernelLinks>,
        reactor: Arc<Reactor>,
    ) -> Self {
        Self {
            shared,
            sources,
            sysctls,
            net,
            reactor,
            runtime: Handle::current(),
            known: Mutex::default(),
            names: parking_lot::Mutex::default(),
        }
    }

    /// All routers leave; ready when nothing of them is left in the kernel.
    pub(crate) async fn stop(&self) {
        let mut known = self.known.lock().await;
        known.ended = Ended::Yes;
        let routers = std::mem::take(&mut known.routers);
        let interfaces = std::mem::take(&mut known.interfaces);
        for attached in interfaces.values() {
            let (done, stopped) = oneshot::channel();
            if attached.commands.send(Command::StopAll { done }).await.is_ok() {
                drop(stopped.await);
            }
        }
        for router in routers.iter() {
            self.shared.roles.remove(&router.config.name);
            self.shared.report(Report::Stopped { config: Arc::clone(&router.config) });
        }
        for (name, attached) in &interfaces {
            if tokio::time::timeout(GONE_WITHIN, attached.host.all_gone()).await.is_err() {
                warn!(target: "KNL", "interface {name}: the kernel does not give back what it had");
            }
        }
        self.names.lock().clear();
    }

    async fn load(&self, vrouter: Vrouter) -> Result<VrouterLoading, VrouterError> {
        vrouter.check().map_err(VrouterError::Fault)?;
        let definition = convert::router_config(&vrouter).map_err(VrouterError::Fault)?;
        let mut known = self.known.lock().await;
        if known.ended == Ended::Yes {
            return Err(VrouterError::ShuttingDown);
        }
        let key = Key::of(&vrouter);
        let same_place = |other: &Vrouter| other.interface == vrouter.interface && Key::of(other) == key;
        if let Some(other) = known.routers.at_place_of(&vrouter).filter(|other| other.name != vrouter.name) {
            return Err(VrouterError::Taken { by: Arc::clone(&other.name) });
        }
        // One that goes on in its group is in it already.
        let mut joins = true;
        let loading = match known.routers.get(&vrouter.name).map(Arc::clone) {
            Some(old) if *old == vrouter => return Ok(VrouterLoading::Unchanged),
            Some(old) if same_place(&old) => {
                self.change_group(&old, &vrouter);
                joins = old.group != vrouter.group;
                VrouterLoading::Replaced
            }
            Some(old) => {
                // Another interface or id: another router under the same name.
                definition.check().map_err(|error| VrouterError::Fault(convert::fault(&error)))?;
                self.leave(&known, &old).await;
                self.await_gone(&known, &old).await;
                VrouterLoading::Replaced
            }
            None if known.routers.len() >= ROUTERS_MAX => return Err(VrouterError::TooMany),
            None => VrouterLoading::Added,
        };
        let config = Arc::new(vrouter);
        let attached = self.attach(&mut known, &config.interface);
        if let Some(group) = config.group.as_ref().filter(|_| joins) {
            self.shared.groups.join(group, &config.name, key, &attached.commands);
        }
        let (done, outcome) = oneshot::channel();
        let command = Command::Load { config: Arc::clone(&config), router: Box::new(definition), done };
        attached.commands.send(command).await.map_err(|_| VrouterError::ShuttingDown)?;
        if let Err(fault) = outcome.await.map_err(|_| VrouterError::ShuttingDown)? {
            if loading == VrouterLoading::Added
                && let Some(group) = &config.group
            {
                self.shared.groups.leave(group, &config.name);
            }
            return Err(VrouterError::Fault(fault));
        }
        let commands = attached.commands.downgrade();
        let router = known.routers.put(Arc::clone(&config));
        router.trackers.follow(&config.track, &self.sources, |track| Listener {
            router: Arc::clone(&config.name),
            key,
            name: track.name.as_str().into(),
            commands: commands.clone(),
            told: None,
        });
        if loading == VrouterLoading::Added {
            self.names.lock().push(Arc::clone(&config.name));
        }
        Ok(loading)
    }

    async fn unload(&self, name: &str) -> Result<(), VrouterError> {
        let mut known = self.known.lock().await;
        let router = known.routers.remove(name).ok_or_else(|| VrouterError::NotFound(name.to_owned()))?;
        self.leave(&known, &router.config).await;
        self.await_gone(&known, &router.config).await;
        self.shared.report(Report::Stopped { config: Arc::clone(&router.config) });
        self.names.lock().retain(|known| **known != *name);
        let interface = &router.config.interface;
        if known.routers.iter().all(|other| other.config.interface != *interface) {
            known.interfaces.remove(interface);
        }
        Ok(())
    }

    /// An interface, begun if it is not there.
    fn attach(&self, known: &mut Known, name: &str) -> Attached {
        if let Some(attached) = known.interfaces.get(name) {
            return attached.clone();
        }
        let (commands, receiver) = Commands::channel(self.reactor.waker());
        let host = Host::start(
            &self.runtime,
            name,
            Arc::clone(&self.net),
            self.shared.state.clone(),
            Arc::clone(&self.sysctls),
        );
        // Ends when all who could command are gone, which happens with its last router.
        self.reactor.add(|watch| {
            Interface::new(name.to_owned(), Arc::clone(&self.shared), receiver, host.clone(), watch)
        });
        let attached = Attached { commands, host };
        known.interfaces.insert(name.to_owned(), attached.clone());
        attached
    }

    /// A router that stays where it is changes its group.
    fn change_group(&self, old: &Vrouter, new: &Vrouter) {
        if old.group != new.group
            && let Some(group) = &old.group
        {
            self.shared.groups.leave(group, &old.name);
        }
    }

    async fn leave(&self, known: &Known, config: &Vrouter) {
        let Some(attached) = known.interfaces.get(&config.interface) else { return };
        let (done, left) = oneshot::channel();
        if attached.commands.send(Command::Unload { key: Key::of(config), done }).await.is_ok() {
            drop(left.await);
        }
        if let Some(group) = &config.group {
            self.shared.groups.leave(group, &config.name);
        }
        self.shared.roles.remove(&config.name);
    }

    async fn await_gone(&self, known: &Known, config: &Vrouter) {
        let Some(attached) = known.interfaces.get(&config.interface) else { return };
        if tokio::time::timeout(GONE_WITHIN, attached.host.gone(Key::of(config))).await.is_err() {
            warn!(target: "KNL", "vrouter {}: the kernel does not give back what it had", config.name);
        }
    }

    async fn list(&self) -> Vec<VrouterSnapshot> {
        let (interfaces, order) = {
            let known = self.known.lock().await;
            let interfaces: Vec<_> = known.interfaces.values().cloned().collect();
            let order: BTreeMap<Arc<str>, usize> = known
                .routers
                .iter()
                .enumerate()
                .map(|(at, router)| (Arc::clone(&router.config.name), at))
                .collect();
            (interfaces, order)
        };
        let mut all = Vec::new();
        for attached in interfaces {
            let (done, listed) = oneshot::channel();
            if attached.commands.send(Command::List { done }).await.is_ok()
                && let Ok(listed) = listed.await
            {
                all.extend(listed);
            }
        }
        all.sort_by_key(|snapshot| order.get(&snapshot.config.name).copied());
        all
    }
}

impl VrrpEngine for Engine {
    fn load(&self, vrouter: Vrouter) -> BoxFuture<'_, Result<VrouterLoading, VrouterError>> {
        Box::pin(self.load(vrouter))
    }

    fn unload<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), VrouterError>> {
        Box::pin(self.unload(name))
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.names.lock().clone()
    }

    fn list(&self) -> BoxFuture<'_, Vec<VrouterSnapshot>> {
        Box::pin(self.list())
    }
}
