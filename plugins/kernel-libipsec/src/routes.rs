//! Routes into the tunnel, in a table of their own.
//!
//! A route leads to each remote selector, with one of our addresses inside the local selector as its source, so that the
//! host's own packets match the policy. Where we have no such address (a gateway whose inner interface lies elsewhere), the
//! route has none, and the log says so. A peer inside its own remote selector gets a route around the tunnel.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use charon_core::kernel::{LocalSources, forget_route};
use charon_core::service::KernelNet;
use charon_core::service::kernel_net::{InterfaceIndex, NetEvent, Route};
use charon_types::kernel_op::{KernelError, Policy, PolicyAction};
use charon_types::selector::TrafficSelector;
use tokio::sync::{mpsc, oneshot};
use tracing::{info, warn};

use crate::settings::{PeerSelector, Settings};
use crate::shunts::Shunts;

/// Requests that may wait. Each is answered before its operation is, so that only a flood of batches comes near it.
pub(crate) const DEPTH: usize = 4096;

/// What is asked of the task.
pub(crate) enum Request {
    /// Install the route of a policy.
    Add(Box<Policy>, oneshot::Sender<Result<(), KernelError>>),
    /// Remove it.
    Remove(Box<Policy>, oneshot::Sender<Result<(), KernelError>>),
    /// Remove all of them, and end.
    RemoveAll(oneshot::Sender<()>),
}

/// The routes that are installed, and for whom.
pub(crate) struct Routes {
    net: Arc<dyn KernelNet>,
    settings: Settings,
    device: InterfaceIndex,
    sources: LocalSources,
    tunnels: HashMap<(IpAddr, u8), Tunnel>,
    excluded: HashMap<IpAddr, Excluded>,
    shunts: Shunts,
}

/// A destination behind tunnels.
struct Tunnel {
    /// Local selectors of its policies, the oldest first; the first one counts.
    owners: Vec<TrafficSelector>,
    installed: Route,
}

/// A peer that is reached beside the tunnel.
struct Excluded {
    policies: usize,
    installed: Route,
}

impl Routes {
    pub(crate) fn new(net: Arc<dyn KernelNet>, settings: Settings, device: InterfaceIndex) -> Self {
        let shunts = Shunts::new(Arc::clone(&net), settings);
        let sources = LocalSources::new(Arc::clone(&net));
        Self { net, settings, device, sources, tunnels: HashMap::new(), excluded: HashMap::new(), shunts }
    }

    /// Serves requests until [`Request::RemoveAll`], or until nobody can ask any more.
    pub(crate) async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut changes = self.net.watch();
        let mut watching = true;
        loop {
            tokio::select! {
                request = requests.recv() => match request {
                    // Whoever asked may have lost interest in the answer.
                    Some(Request::Add(policy, done)) => drop(done.send(self.add(&policy).await)),
                    Some(Request::Remove(policy, done)) => drop(done.send(self.remove(&policy).await)),
                    Some(Request::RemoveAll(done)) => {
                        self.remove_all().await;
                        let _ = done.send(());
                        return;
                    }
                    None => return self.remove_all().await,
                },
                change = changes.recv(), if watching => {
                    self.sources.on_event(change.as_ref());
                    match change {
                        Some(NetEvent::AddressAdded(_) | NetEvent::AddressRemoved(_)) => self.refresh().await,
                        Some(NetEvent::LinkChanged(_) | NetEvent::RoutesChanged) => {}
                        None => watching = false,
                    }
                }
            }
        }
    }

    async fn add(&mut self, policy: &Policy) -> Result<(), KernelError> {
        if Shunts::has(policy) {
            return self.shunts.add(policy).await;
        }
        let destination = policy.destination.covering_subnet();
        if let PolicyAction::Protect { source, destination: peer, .. } = policy.action
            && policy.destination.contains_address(peer)
            && self.settings.peer_selector == PeerSelector::Exclude
        {
            if policy.destination.is_host() {
                return Err(KernelError::Unsupported("a remote selector that is the peer itself"));
            }
            self.exclude(peer, source).await?;
        }
        if let Some(tunnel) = self.tunnels.get_mut(&destination) {
            tunnel.owners.push(policy.source);
            return Ok(());
        }
        let installed = self.route(destination, &policy.source).await?;
        self.net.add_route(installed.clone()).await?;
        if installed.source.is_none() {
            info!(
                target: "KNL",
                "no local address lies in {}, so the route to {} has no source",
                policy.source, policy.destination
            );
        }
        self.tunnels.insert(destination, Tunnel { owners: vec![policy.source], installed });
        Ok(())
    }

    async fn remove(&mut self, policy: &Policy) -> Result<(), KernelError> {
        if Shunts::has(policy) {
            return self.shunts.remove(policy).await;
        }
        if let PolicyAction::Protect { destination: peer, .. } = policy.action
            && policy.destination.contains_address(peer)
        {
            self.include(peer).await;
        }
        let destination = policy.destination.covering_subnet();
        let tunnel = self.tunnels.get_mut(&destination).ok_or(KernelError::NotFound)?;
        let at = tunnel.owners.iter().position(|owner| *owner == policy.source);
        tunnel.owners.remove(at.ok_or(KernelError::NotFound)?);
        if let Some(local) = tunnel.owners.first() {
            // Another owner may count now.
            let source = self.sources.within(local).await?;
            renew(&*self.net, tunnel, source).await;
            return Ok(());
        }
        let Some(tunnel) = self.tunnels.remove(&destination) else { return Ok(()) };
        match self.net.remove_route(tunnel.installed).await {
            // It went with an address or a link.
            Err(KernelError::NotFound) => Ok(()),
            other => other,
        }
    }

    /// Installs each route anew whose source is another now, or went: the kernel drops routes with their source.
    async fn refresh(&mut self) {
        if self.tunnels.is_empty() {
            return;
        }
        if self.sources.refresh().await.is_err() {
            return;
        }
        for tunnel in self.tunnels.values_mut() {
            let source = tunnel.owners.first().and_then(|local| self.sources.known_within(local));
            renew(&*self.net, tunnel, source).await;
        }
    }

    async fn route(
        &mut self,
        destination: (IpAddr, u8),
        local: &TrafficSelector,
    ) -> Result<Route, KernelError> {
        let source = self.sources.within(local).await?;
        let (interface, table) = (self.device, self.settings.table);
        Ok(Route { destination, interface, gateway: None, source, table })
    }

    async fn exclude(&mut self, peer: IpAddr, source: IpAddr) -> Result<(), KernelError> {
        if let Some(excluded) = self.excluded.get_mut(&peer) {
            excluded.policies += 1;
            return Ok(());
        }
        let hop = self.net.next_hop(peer, Some(source)).await?;
        let width = if peer.is_ipv4() { 32 } else { 128 };
        let installed = Route {
            destination: (peer, width),
            interface: hop.interface,
            gateway: hop.gateway,
            source: Some(hop.source),
            table: self.settings.table,
        };
        self.net.add_route(installed.clone()).await?;
        self.excluded.insert(peer, Excluded { policies: 1, installed });
        Ok(())
    }

    async fn include(&mut self, peer: IpAddr) {
        let Some(excluded) = self.excluded.get_mut(&peer) else { return };
        excluded.policies = excluded.policies.saturating_sub(1);
        if excluded.policies == 0
            && let Some(excluded) = self.excluded.remove(&peer)
        {
            forget_route(&*self.net, excluded.installed).await;
        }
    }

    async fn remove_all(&mut self) {
        self.shunts.remove_all().await;
        let tunnels = self.tunnels.drain().map(|(_, tunnel)| tunnel.installed);
        let excluded = self.excluded.drain().map(|(_, excluded)| excluded.installed);
        for route in tunnels.chain(excluded).collect::<Vec<_>>() {
            forget_route(&*self.net, route).await;
        }
    }
}

/// Installs a route anew if its source is another now.
async fn renew(net: &dyn KernelNet, tunnel: &mut Tunnel, source: Option<IpAddr>) {
    if source == tunnel.installed.source {
        return;
    }
    let route = Route { source, ..tunnel.installed.clone() };
    match net.add_route(route.clone()).await {
        Ok(()) => tunnel.installed = route,
        Err(error) => {
            let (destination, prefix) = route.destination;
            warn!(target: "KNL", "renewing the route to {destination}/{prefix} failed: {error}");
        }
    }
}

#[cfg(test)]
mod tests;
