//! The engine: commands to shards, listings from them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use charon_core::service::BoxFuture;
use charon_core::service::ike_engine::{
    EngineError, IkeEngine, IkeSaCounts, Initiate, Rekey, RekeyPart, SaFilter, Terminate, TerminateWait,
};
use charon_types::IkeSpi;
use charon_types::connection::Connection;
use charon_types::endpoint::{EndpointPattern, PORT_NAT_T, Path};
use charon_types::snapshot::IkeSaSnapshot;
use ikev2_proto::ike_sa::{ChildUsage, Force};
use tokio::sync::{mpsc, oneshot};
use tracing::{Instrument, error, info};

use crate::listing::{self, Childless};
use crate::names;
use crate::order::{Ask, Order};
use crate::shard::Input;
use crate::shared::{Shared, is_here};

/// Chunks that a listing may be ahead of its reader.
const CHUNKS_AHEAD: usize = 1;

/// The engine.
pub(crate) struct Engine {
    shared: Arc<Shared>,
}

impl Engine {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl IkeEngine for Engine {
    fn initiate(&self, request: Initiate) -> BoxFuture<'static, Result<(), EngineError>> {
        let (done, outcome) = oneshot::channel();
        let shared = Arc::clone(&self.shared);
        tokio::spawn(initiate(shared, request, done).in_current_span());
        Box::pin(async move { outcome.await.unwrap_or(Err(EngineError::Failed)) })
    }

    fn terminate(&self, request: Terminate) -> BoxFuture<'static, Result<(), EngineError>> {
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(terminate(shared, request));
        Box::pin(async move { task.await.unwrap_or(Err(EngineError::ShuttingDown)) })
    }

    fn rekey(&self, request: Rekey) -> BoxFuture<'static, Result<(), EngineError>> {
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(rekey(shared, request));
        Box::pin(async move { task.await.unwrap_or(Err(EngineError::ShuttingDown)) })
    }

    fn list(&self, filter: SaFilter) -> mpsc::Receiver<Vec<IkeSaSnapshot>> {
        let (chunks, receiver) = mpsc::channel(CHUNKS_AHEAD);
        tokio::spawn(listing::list(Arc::clone(&self.shared), filter, Childless::Listed, chunks));
        receiver
    }

    fn find(&self, filter: SaFilter) -> mpsc::Receiver<Vec<IkeSaSnapshot>> {
        let (chunks, receiver) = mpsc::channel(CHUNKS_AHEAD);
        tokio::spawn(listing::list(Arc::clone(&self.shared), filter, Childless::LeftOut, chunks));
        receiver
    }

    fn counts(&self) -> IkeSaCounts {
        let half_open = usize::try_from(self.shared.half_open.total()).unwrap_or(usize::MAX);
        IkeSaCounts { total: self.shared.peers.len(), half_open }
    }
}

/// Finds or makes the IKE_SA for a request and hands it on; `done` hears how it ended.
pub(crate) async fn initiate(
    shared: Arc<Shared>,
    request: Initiate,
    done: oneshot::Sender<Result<(), EngineError>>,
) {
    let Initiate { connection, child, packet, tap } = request;
    let order = Order { done: Some(done), tap };
    if !is_here(shared.roles.as_deref(), &connection) {
        info!(target: "IKE", "connection '{}' is not initiated, its virtual router is not active here", connection.name);
        return order.fail(EngineError::Failed);
    }
    // A child joins an IKE_SA of its connection if there is one (`reuse_ikesa`).
    let reuse = shared.options.current().ike.reuse_ikesa.is_enabled();
    if let Some(child) = &child
        && reuse
        && let Some(peer) = shared.peers.oldest_of_connection(&connection)
    {
        let input =
            Input::Command { spi: peer.spi, ask: Ask::InitiateChild(Arc::clone(child), packet), order };
        return shared.send(peer.spi, input).await;
    }
    let Some(path) = resolve_patiently(&shared, &connection).await else {
        return order.fail(EngineError::Failed);
    };
    match child {
        Some(child) if reuse => {
            let shard = shared.shard_of_connection(&connection.name);
            shared.send_to(shard, Input::Join { connection, child, packet, path, order }).await;
        }
        child => shared.send_any(Input::Initiate { connection, child, packet, path, order }).await,
    }
}

/// As [`resolve`], again and again if `retry_initiate_interval` says so, for as long as the connection stays as it is.
async fn resolve_patiently(shared: &Shared, connection: &Arc<Connection>) -> Option<Path> {
    loop {
        if let Some(path) = resolve(shared, connection).await {
            return Some(path);
        }
        let interval = shared.options.current().retry_initiate_interval;
        if interval.is_zero() {
            return None;
        }
        info!(target: "IKE", "retrying to initiate '{}' in {} s", connection.name, interval.as_secs());
        tokio::time::sleep(interval).await;
        if shared.connections.by_name(&connection.name).as_ref() != Some(connection) {
            return None;
        }
    }
}

/// Where to send: the first remote address that is one, and the local address that the route to it asks for.
async fn resolve(shared: &Shared, connection: &Connection) -> Option<Path> {
    let ike = &connection.ike;
    let Some(remote) = first_destination(&ike.remote_addrs).await else {
        error!(target: "IKE", "unable to resolve remote address of '{}', initiate aborted", connection.name);
        return None;
    };
    let local = match first_local(&ike.local_addrs, remote).await {
        Some(local) => local,
        None => match shared.net.next_hop(remote, None).await {
            Ok(hop) => hop.source,
            Err(error) => {
                error!(target: "IKE", "no local address leads to {remote}, initiate aborted: {error}");
                return None;
            }
        },
    };
    if !shared.usable.contain(local) {
        error!(target: "IKE", "{local} is on no interface that is in use, initiate of '{}' aborted", connection.name);
        return None;
    }
    let (port, port_nat_t) = shared.sockets.ports();
    let local_port = if ike.local_port == PORT_NAT_T { port_nat_t } else { port };
    Some(Path { local: SocketAddr::new(local, local_port), remote: SocketAddr::new(remote, ike.remote_port) })
}

async fn first_destination(patterns: &[EndpointPattern]) -> Option<IpAddr> {
    for pattern in patterns.iter().filter(|pattern| pattern.is_destination()) {
        match pattern {
            EndpointPattern::Address(address) => return Some(*address),
            EndpointPattern::Name(name) => {
                if let Some(found) = names::addresses(name).await.and_then(|found| found.first().copied()) {
                    return Some(found);
                }
            }
            EndpointPattern::Any
            | EndpointPattern::AnyIpv4
            | EndpointPattern::AnyIpv6
            | EndpointPattern::Subnet(..)
            | EndpointPattern::Range(..) => {}
        }
    }
    None
}

async fn first_local(patterns: &[EndpointPattern], remote: IpAddr) -> Option<IpAddr> {
    let mut family = Vec::new();
    for pattern in patterns {
        if let Some(address) = first_destination(std::slice::from_ref(pattern)).await
            && address.is_ipv4() == remote.is_ipv4()
        {
            family.push(address);
        }
    }
    family.first().copied()
}

async fn rekey(shared: Arc<Shared>, request: Rekey) -> Result<(), EngineError> {
    let peer = shared.peers.by_id(request.ike).ok_or(EngineError::NotFound)?;
    let (done, outcome) = oneshot::channel();
    let order = Order { done: Some(done), tap: None };
    let ask = match request.part {
        RekeyPart::Child(child) => Ask::RekeyChild(child),
        RekeyPart::IkeSa => Ask::RekeyIke,
        RekeyPart::Reauthenticate => Ask::Reauthenticate,
    };
    shared.send(peer.spi, Input::Command { spi: peer.spi, ask, order }).await;
    outcome.await.unwrap_or(Err(EngineError::ShuttingDown))
}

async fn terminate(shared: Arc<Shared>, request: Terminate) -> Result<(), EngineError> {
    let peer = shared.peers.by_id(request.ike).ok_or(EngineError::NotFound)?;
    let ask = |force| match request.child {
        Some(child) => Ask::TerminateChild(child),
        None => Ask::TerminateIke(force),
    };
    refresh_usage(&shared, peer.spi).await;
    let (done, mut outcome) = oneshot::channel();
    let order = Order { done: Some(done), tap: request.tap };
    shared.send(peer.spi, Input::Command { spi: peer.spi, ask: ask(Force::Polite), order }).await;
    if let TerminateWait::ForceAfter(limit) = request.wait
        && request.child.is_none()
    {
        match tokio::time::timeout(limit, &mut outcome).await {
            Ok(result) => return result.unwrap_or(Err(EngineError::ShuttingDown)),
            Err(_) => {
                let input =
                    Input::Command { spi: peer.spi, ask: ask(Force::Immediate), order: Order::default() };
                shared.send(peer.spi, input).await;
            }
        }
    }
    outcome.await.unwrap_or(Err(EngineError::ShuttingDown))
}

/// Has an IKE_SA know its children's counters as they are, for what is logged and told of their end.
async fn refresh_usage(shared: &Shared, spi: IkeSpi) {
    let mut held = listing::snapshots(shared, shared.shard_of(spi), vec![spi], None).await;
    listing::add_usage(shared, &mut held).await;
    let installed = held.iter().flat_map(|sa| &sa.children).filter_map(|child| child.installed.as_ref());
    let usage: Vec<_> = installed
        .map(|child| ChildUsage { spi_in: child.spi_in, inbound: child.usage_in, outbound: child.usage_out })
        .collect();
    if !usage.is_empty() {
        shared.send(spi, Input::Usage { spi, usage }).await;
    }
}
