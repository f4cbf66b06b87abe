//! What the shards share: read-only, or touched rarely.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Instant, SystemTime};

use charon_core::bus::Bus;
use charon_core::config::{Connections, ResolvedNames, VrouterRoles, ike_candidates, peer_candidates};
use charon_core::credentials::Credentials;
use charon_core::kernel::{PolicyKey, Reqids};
use charon_core::policies::Policies;
use charon_core::pools::Pools;
use charon_core::service::{KernelIpsec, KernelNet};
use charon_crypto::CryptoProvider;
use charon_types::config_attribute::ConfigAttribute;
use charon_types::connection::{ChildConfig, Connection, IkeConfig, Unique};
use charon_types::endpoint::Path;
use charon_types::id::Reqid;
use charon_types::lease::Lease;
use charon_types::tag::{IfIds, Tags, resolve_if_ids};
use charon_types::{Identity, IkeSpi, UniqueId};
use ikev2_proto::Now;
use ikev2_proto::cookie::CookieJar;
use ikev2_proto::env::{
    ConfigView, Env, HostView, IdSource, LeaseRequest, PeerView, PoolView, ReqidKey, Settings,
};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc};

use crate::acquire::Acquires;
use crate::credential_view::Trust;
use crate::half_open::HalfOpenTable;
use crate::host_addresses::HostAddresses;
use crate::interfaces::UsableAddresses;
use crate::names::Names;
use crate::peers::{Peer, Peers};
use crate::route::{EspSpiSpace, SpiSpace};
use crate::settings::LiveOptions;
use crate::shard::Input;
use crate::socket::Sockets;
use crate::virtual_ips::VirtualIps;

/// What the shards share.
pub(crate) struct Shared {
    pub(crate) sockets: Arc<Sockets>,
    pub(crate) crypto: Arc<CryptoProvider>,
    pub(crate) kernel: Arc<dyn KernelIpsec>,
    pub(crate) net: Arc<dyn KernelNet>,
    pub(crate) usable: Arc<UsableAddresses>,
    pub(crate) names: Arc<Names>,
    pub(crate) bus: Arc<Bus>,
    pub(crate) connections: Arc<Connections>,
    /// Which virtual routers are Active here; without, none is.
    pub(crate) roles: Option<Arc<VrouterRoles>>,
    pub(crate) policies: Arc<Policies>,
    pub(crate) acquires: Acquires,
    pub(crate) credentials: Arc<Credentials>,
    pub(crate) pools: Arc<Pools>,
    pub(crate) virtual_ips: VirtualIps,
    pub(crate) host: HostAddresses,
    pub(crate) peers: Peers,
    pub(crate) half_open: Arc<HalfOpenTable>,
    /// Of all shards, and of the receivers, which ask for cookies before a request is queued.
    pub(crate) cookies: Mutex<CookieJar>,
    pub(crate) ids: Ids,
    pub(crate) space: SpiSpace,
    pub(crate) esp_space: EspSpiSpace,
    pub(crate) options: LiveOptions,
    pub(crate) counters: Counters,
    /// What clients can ask for.
    pub(crate) counted: Arc<charon_core::counters::Counters>,
    pub(crate) job_slots: Semaphore,
    /// Sending ends of the shards, by index.
    pub(crate) inputs: Vec<mpsc::Sender<Input>>,
}

/// Numbers that are unique within the daemon.
pub(crate) struct Ids {
    ike: AtomicU32,
    child: AtomicU32,
    reqids: Arc<Reqids>,
}

/// Messages dropped, by reason.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    unknown_spi: AtomicU64,
    refused: AtomicU64,
    overload: AtomicU64,
}

impl Counters {
    pub(crate) fn count_unknown_spi(&self) {
        self.unknown_spi.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_overload(&self) {
        self.overload.fetch_add(1, Ordering::Relaxed);
    }
}

impl Ids {
    pub(crate) const fn new(reqids: Arc<Reqids>) -> Self {
        Self { ike: AtomicU32::new(1), child: AtomicU32::new(1), reqids }
    }

    /// For a new IKE_SA.
    pub(crate) fn ike_unique_id(&self) -> UniqueId {
        UniqueId(self.ike.fetch_add(1, Ordering::Relaxed))
    }

    /// The number that the next IKE_SA will have.
    pub(crate) fn next_ike_unique_id(&self) -> UniqueId {
        UniqueId(self.ike.load(Ordering::Relaxed))
    }
}

impl IdSource for Shared {
    fn ike_unique_id(&self) -> UniqueId {
        self.ids.ike_unique_id()
    }

    /// Random enough to be unused.
    fn ike_spi(&self, old: IkeSpi) -> IkeSpi {
        let shard = self.space.shard(old).expect("the old one is an SPI of ours");
        self.space.spi(shard, self.crypto.random().u64())
    }

    fn child_unique_id(&self) -> UniqueId {
        UniqueId(self.ids.child.fetch_add(1, Ordering::Relaxed))
    }

    fn acquire_reqid(&self, key: &ReqidKey<'_>) -> Reqid {
        let policies =
            PolicyKey { local_ts: key.local_ts.to_vec(), remote_ts: key.remote_ts.to_vec(), tags: key.tags };
        self.ids.reqids.acquire(key.fixed, policies)
    }

    fn trap_reqid(&self, connection: &Connection, child: &ChildConfig) -> Option<Reqid> {
        self.policies.reqid_of_trap(&connection.name, &child.name)
    }

    fn release_reqid(&self, reqid: Reqid) {
        self.ids.reqids.release(reqid);
    }

    fn tags(&self, connection: &Connection, child: &ChildConfig, inherited: IfIds) -> Tags {
        let ike = &connection.ike;
        // Else the trap has the same, and need not be looked for.
        let unique = child.tags.are_unique() || ike.if_id_in.is_unique() || ike.if_id_out.is_unique();
        let trap = unique.then(|| self.policies.tags_of_trap(&connection.name, &child.name)).flatten();
        trap.unwrap_or_else(|| child.tags.resolve(inherited, &*self.ids.reqids))
    }

    fn if_ids(&self, ike: &IkeConfig) -> IfIds {
        resolve_if_ids(ike.if_id_in, ike.if_id_out, &*self.ids.reqids)
    }
}

impl Shared {
    /// Makes a new IKE_SA known.
    pub(crate) fn announce(
        &self,
        unique_id: UniqueId,
        spi: IkeSpi,
        name: Option<&Arc<str>>,
        connection: Option<&Arc<Connection>>,
        path: Path,
    ) {
        let (name, connection) = (name.cloned(), connection.cloned());
        self.peers.insert(Peer { unique_id, spi, name, connection, identities: None, origin: None, path });
    }
}

impl Shared {
    /// Number of shards.
    pub(crate) fn shards(&self) -> usize {
        self.inputs.len()
    }

    /// Hands an input to the shard of an IKE_SA, waiting while it is busy.
    pub(crate) async fn send(&self, spi: IkeSpi, input: Input) {
        self.send_to(self.shard_of(spi), input).await;
    }

    /// Where an IKE_SA lives.
    pub(crate) fn shard_of(&self, spi: IkeSpi) -> usize {
        // Whoever asks for an SPI that is none of ours hears from any shard that it is not there.
        self.space.shard(spi).unwrap_or(0)
    }

    /// Where an IKE_SA that all children of that connection share is begun: the same for all, so that one of them is the first.
    pub(crate) fn shard_of_connection(&self, name: &str) -> usize {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        usize::try_from(hasher.finish()).unwrap_or(0) % self.shards()
    }

    /// Hands an input to some shard.
    pub(crate) async fn send_any(&self, input: Input) {
        let shard = usize::try_from(self.crypto.random().u32()).unwrap_or(0) % self.shards();
        self.send_to(shard, input).await;
    }

    /// Hands an input to a shard. One that has ended drops it, and with it whoever waits for an answer learns that.
    pub(crate) async fn send_to(&self, shard: usize, input: Input) {
        drop(self.inputs[shard].send(input).await);
    }

    /// Hands an input to the shard of an IKE_SA from within a shard, which must not wait.
    pub(crate) fn post(self: &Arc<Self>, spi: IkeSpi, input: Input) {
        let shared = Arc::clone(self);
        tokio::spawn(async move { shared.send(spi, input).await });
    }
}

impl PeerView for Shared {
    fn connected(&self, local: &Identity, remote: &Identity, peer: IpAddr, but: UniqueId) -> bool {
        self.peers.is_connected(local, remote, peer, but)
    }

    /// From the same address it is taken for a reauthentication.
    fn refuses(&self, local: &Identity, remote: &Identity, path: &Path) -> bool {
        self.peers.between(local, remote, path.remote.ip()).iter().any(|peer| {
            let policy = peer.connection.as_deref().and_then(|its| self.connections.by_name(&its.name));
            policy.is_some_and(|connection| connection.ike.unique == Unique::Keep)
                && peer.path.remote.ip() != path.remote.ip()
        })
    }
}

impl PoolView for Shared {
    fn lend(&self, request: &LeaseRequest<'_>) -> Option<Lease> {
        self.pools.lend(request.pools, request.identity, request.wanted, request.peer)
    }

    fn give_back(&self, lease: &Lease) {
        self.pools.give_back(lease);
    }

    fn attributes(&self, leases: &[Lease]) -> Vec<ConfigAttribute> {
        let mut attributes = self.pools.attributes(leases);
        attributes.extend_from_slice(&self.options.current().attributes);
        attributes
    }
}

impl HostView for Shared {
    fn addresses(&self) -> Arc<[IpAddr]> {
        self.host.current()
    }
}

/// Configuration and credentials as they are for one turn of a shard.
pub(crate) struct Views<'a> {
    shared: &'a Shared,
    connections: ConnectionView,
    trust: Trust,
}

struct ConnectionView {
    connections: Arc<Vec<Arc<Connection>>>,
    names: Arc<ResolvedNames>,
    roles: Option<Arc<VrouterRoles>>,
}

impl<'a> Views<'a> {
    /// Takes the snapshots.
    pub(crate) fn of(shared: &'a Arc<Shared>) -> Self {
        Self {
            shared,
            connections: ConnectionView {
                connections: shared.connections.all(),
                names: shared.names.current(),
                roles: shared.roles.clone(),
            },
            trust: Trust::new(shared.credentials.snapshot(), Arc::clone(&shared.crypto)),
        }
    }

    /// What an IKE_SA may look at.
    pub(crate) fn env<'e>(&'e self, settings: &'e Settings) -> Env<'e> {
        Env {
            crypto: &self.shared.crypto,
            config: &self.connections,
            credentials: &self.trust,
            ids: self.shared,
            peers: self.shared,
            settings,
            kernel: self.shared.kernel.capabilities(),
            pools: self.shared,
            host: self.shared,
        }
    }
}

impl ConfigView for ConnectionView {
    fn ike_candidates(&self, path: &Path) -> Vec<Arc<Connection>> {
        self.here(ike_candidates(&self.connections, &self.names, path))
    }

    fn peer_candidates(
        &self,
        path: &Path,
        local: Option<&Identity>,
        remote: &Identity,
    ) -> Vec<Arc<Connection>> {
        self.here(peer_candidates(&self.connections, &self.names, path, local, remote))
    }
}

impl ConnectionView {
    /// Those that no virtual router keeps away.
    fn here(&self, mut candidates: Vec<Arc<Connection>>) -> Vec<Arc<Connection>> {
        candidates.retain(|connection| is_here(self.roles.as_deref(), connection));
        candidates
    }
}

/// Whether a connection may be used here: the virtual router that it is bound to is Active.
pub(crate) fn is_here(roles: Option<&VrouterRoles>, connection: &Connection) -> bool {
    let Some(binding) = &connection.vrouter else { return true };
    roles.is_some_and(|roles| roles.is_active(&binding.name))
}

/// The moment, by both clocks.
pub(crate) fn now() -> Now {
    Now { mono: Instant::now(), wall: SystemTime::now() }
}
