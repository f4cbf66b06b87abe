//! From events to the scripts that are due.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use charon_core::bus::Subscription;
use charon_core::config::Connections;
use charon_core::service::KernelNet;
use charon_types::UniqueId;
use charon_types::connection::{ChildConfig, Toggle};
use charon_types::event::{Change, Event};
use charon_types::snapshot::{ChildSaSnapshot, IkeSaSnapshot};
use tokio::sync::oneshot;
use tracing::error;

use crate::environment::{Told, invocations};
use crate::queue::Queue;

/// Which script hears of which child.
pub(crate) struct Watcher {
    connections: Arc<Connections>,
    net: Option<Arc<dyn KernelNet>>,
    children: HashMap<UniqueId, Child>,
}

/// A child that is up.
struct Child {
    script: Arc<str>,
    hostaccess: Toggle,
    /// Of our address when it came up: it may be gone when it goes down.
    interface: String,
    queue: Queue,
}

impl Watcher {
    pub(crate) fn new(connections: Arc<Connections>, net: Option<Arc<dyn KernelNet>>) -> Self {
        Self { connections, net, children: HashMap::new() }
    }

    /// Follows events until told to stop, takes what has come by then, and waits for all scripts.
    pub(crate) async fn run(mut self, mut events: Subscription, mut stop: oneshot::Receiver<()>) {
        loop {
            let event = tokio::select! {
                biased;
                event = events.recv() => event,
                _ = &mut stop => break,
            };
            match event {
                Some(event) => self.on_event(event).await,
                None => {
                    error!(target: "CHD", "too many events for updown scripts, no more are run");
                    break;
                }
            }
        }
        for (_, child) in self.children {
            child.queue.finish().await;
        }
    }

    async fn on_event(&mut self, event: Event) {
        match event {
            Event::ChildUpDown(Change::Up, sa, child) => self.up(&sa, &child).await,
            Event::ChildUpDown(Change::Down, sa, child) => self.down(&sa, &child),
            Event::ChildRekeyed(_, old, new) => {
                // The scripts know the child, not its keys.
                if let Some(known) = self.children.remove(&old.unique_id) {
                    self.children.insert(new.unique_id, known);
                }
            }
            _ => {}
        }
    }

    async fn up(&mut self, sa: &IkeSaSnapshot, child: &ChildSaSnapshot) {
        let Some(config) = self.config(&sa.name, &child.name) else { return };
        let Some(script) = config.updown.clone() else { return };
        let interface = self.interface_of(sa.path.local.ip()).await;
        let known =
            Child { script, hostaccess: config.hostaccess, interface, queue: Queue::start(&child.name) };
        known.tell(Change::Up, sa, child);
        self.children.insert(child.unique_id, known);
    }

    fn down(&mut self, sa: &IkeSaSnapshot, child: &ChildSaSnapshot) {
        if let Some(known) = self.children.remove(&child.unique_id) {
            known.tell(Change::Down, sa, child);
            known.queue.finish_behind();
        }
    }

    fn config(&self, connection: &str, child: &str) -> Option<Arc<ChildConfig>> {
        self.connections.by_name(connection)?.child(child).cloned()
    }

    async fn interface_of(&self, address: IpAddr) -> String {
        let Some(net) = &self.net else { return String::new() };
        let addresses = net.addresses().await.unwrap_or_default();
        let found = addresses.into_iter().find(|held| held.address == address);
        found.map(|held| held.name).unwrap_or_default()
    }
}

impl Child {
    fn tell(&self, change: Change, sa: &IkeSaSnapshot, child: &ChildSaSnapshot) {
        let told = Told { change, sa, child, interface: &self.interface, hostaccess: self.hostaccess };
        for environment in invocations(&told) {
            self.queue.push(Arc::clone(&self.script), environment);
        }
    }
}
