//! What a host's shell lets its IKE_SAs look at.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use charon_crypto::CryptoProvider;
use charon_types::Secret;
use charon_types::config_attribute::ConfigAttribute;
use charon_types::connection::{AuthConfig, ChildConfig, Connection, IkeConfig, Unique};
use charon_types::endpoint::Path;
use charon_types::id::{IkeSpi, Reqid, UniqueId};
use charon_types::identity::Identity;
use charon_types::kernel_op::KernelCapabilities;
use charon_types::lease::Lease;
use charon_types::tag::{IfIds, TagNumbers, Tags, resolve_if_ids};
use ikev2_proto::env::{
    Authority, AuthorityKeyId, ConfigView, CredentialView, Env, HostView, IdSource, LeaseRequest,
    OwnCredential, PeerVerifier, PeerView, PoolView, ReqidKey, Settings, TrustFailure, TrustRequest,
    TrustedKey,
};

use charon_types::snapshot::IkeSaSnapshot;
use ikev2_proto::uniqueness::Origin;

use crate::Side;
use crate::kernel::capabilities;
use crate::network::owner;

/// Configuration, credentials and numbers of one host.
pub struct World {
    /// Connections as they are loaded now, and to whom.
    connections: RefCell<Vec<(Side, Arc<Connection>)>>,
    /// Established IKE_SAs.
    pub established: RefCell<Vec<Established>>,
    /// Own addresses.
    addresses: RefCell<Arc<[IpAddr]>>,
    crypto: Arc<CryptoProvider>,
    settings: Settings,
    capabilities: KernelCapabilities,
    children: Cell<u32>,
    ike_sas: Cell<u32>,
    reqids: RefCell<BTreeMap<u32, u32>>,
    violations: RefCell<Vec<String>>,
}

/// An IKE_SA that is established.
#[derive(Clone, Debug)]
pub struct Established {
    /// Its number.
    pub unique_id: UniqueId,
    /// Who it is with.
    pub remote: Identity,
    /// Where it talks.
    pub path: Path,
    /// Its connection.
    pub connection: Arc<str>,
    /// How it, or the one that it comes from, came to be.
    pub origin: Origin,
}

impl World {
    /// With those connections.
    #[must_use]
    pub fn new(
        connections: Vec<(Side, Arc<Connection>)>,
        crypto: Arc<CryptoProvider>,
        settings: Settings,
    ) -> Self {
        Self {
            connections: RefCell::new(connections),
            addresses: RefCell::new(Arc::from([])),
            established: RefCell::default(),
            crypto,
            settings,
            capabilities: capabilities(),
            children: Cell::new(0),
            ike_sas: Cell::new(0),
            reqids: RefCell::default(),
            violations: RefCell::default(),
        }
    }

    /// All views.
    #[must_use]
    pub fn env(&self) -> Env<'_> {
        Env {
            crypto: &self.crypto,
            config: self,
            credentials: self,
            ids: self,
            peers: self,
            settings: &self.settings,
            kernel: &self.capabilities,
            pools: self,
            host: self,
        }
    }

    /// To whom there are connections.
    #[must_use]
    pub fn peers(&self) -> Vec<Side> {
        self.connections.borrow().iter().map(|(peer, _)| *peer).collect()
    }

    /// The connection to that peer, as it is loaded now.
    ///
    /// # Panics
    /// There is none.
    #[must_use]
    pub fn connection(&self, peer: Side) -> Arc<Connection> {
        let connections = self.connections.borrow();
        let found = connections.iter().find(|(known, _)| *known == peer);
        Arc::clone(&found.expect("asked for a peer that it knows").1)
    }

    /// Loads a connection in place of the one to that peer. Whether that changed anything.
    pub fn load(&self, peer: Side, connection: Connection) -> bool {
        let mut connections = self.connections.borrow_mut();
        let known = connections.iter_mut().find(|(known, _)| *known == peer);
        match known {
            Some((_, known)) if **known != connection => *known = Arc::new(connection),
            _ => return false,
        }
        true
    }

    /// Where the host is now.
    pub fn settle_at(&self, addresses: &[IpAddr]) {
        *self.addresses.borrow_mut() = Arc::from(addresses);
    }

    /// Other IKE_SAs with that peer.
    fn others(&self, remote: &Identity, but: UniqueId) -> Vec<Established> {
        let established = self.established.borrow();
        let others = established.iter().filter(|known| known.remote == *remote && known.unique_id != but);
        others.cloned().collect()
    }

    /// Older IKE_SAs with the peer of a new one.
    #[must_use]
    pub fn older(&self, new: &IkeSaSnapshot) -> Vec<Established> {
        self.others(&new.remote_id, new.unique_id)
    }

    /// The number that the next IKE_SA will have.
    #[must_use]
    pub fn next_ike_unique_id(&self) -> UniqueId {
        UniqueId(self.ike_sas.get() + 1)
    }

    /// A reboot.
    pub fn clear(&self) {
        self.established.borrow_mut().clear();
        self.reqids.borrow_mut().clear();
    }

    /// Reqids in use and how often.
    #[must_use]
    pub fn reqids(&self) -> BTreeMap<u32, u32> {
        self.reqids.borrow().clone()
    }

    /// Misuse seen so far.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.violations.borrow().clone()
    }
}

/// Nobody asks for addresses.
impl PoolView for World {
    fn lend(&self, _: &LeaseRequest<'_>) -> Option<Lease> {
        None
    }

    fn give_back(&self, _: &Lease) {}

    fn attributes(&self, _: &[Lease]) -> Vec<ConfigAttribute> {
        Vec::new()
    }
}

impl HostView for World {
    fn addresses(&self) -> Arc<[IpAddr]> {
        Arc::clone(&self.addresses.borrow())
    }
}

impl ConfigView for World {
    fn ike_candidates(&self, path: &Path) -> Vec<Arc<Connection>> {
        let peer = owner(path.remote.ip());
        let connections = self.connections.borrow();
        let fitting = connections.iter().filter(|(known, _)| Some(*known) == peer);
        fitting.map(|(_, connection)| Arc::clone(connection)).collect()
    }

    fn peer_candidates(&self, _: &Path, local: Option<&Identity>, remote: &Identity) -> Vec<Arc<Connection>> {
        let is = |rules: &[AuthConfig], id: &Identity| {
            rules.first().and_then(|rules| rules.id.as_ref()).is_none_or(|wanted| wanted == id)
        };
        let connections = self.connections.borrow();
        let fitting = connections.iter().map(|(_, connection)| connection).filter(|connection| {
            local.is_none_or(|local| is(&connection.local, local)) && is(&connection.remote, remote)
        });
        fitting.map(Arc::clone).collect()
    }
}

impl CredentialView for World {
    fn shared_keys(&self, _: &Identity, _: &Identity) -> Vec<Secret> {
        vec![Secret::copy_from(b"known to both")]
    }

    fn own_credential(&self, _: &AuthConfig, _: &[AuthorityKeyId]) -> Option<OwnCredential> {
        None
    }

    fn authorities(&self, _: &[AuthConfig]) -> Vec<Authority> {
        Vec::new()
    }

    fn authority(&self, _: &AuthorityKeyId) -> Option<Authority> {
        None
    }

    fn verifier(&self) -> Arc<dyn PeerVerifier> {
        Arc::new(Nobody)
    }
}

/// Trusts nobody: pre-shared keys only.
struct Nobody;

impl PeerVerifier for Nobody {
    fn trusted_key(&self, _: &TrustRequest) -> Result<TrustedKey, TrustFailure> {
        Err(TrustFailure::NoCertificate)
    }
}

impl IdSource for World {
    fn ike_unique_id(&self) -> UniqueId {
        self.ike_sas.set(self.ike_sas.get() + 1);
        UniqueId(self.ike_sas.get())
    }

    fn ike_spi(&self, old: IkeSpi) -> IkeSpi {
        IkeSpi::from_be_bytes(self.crypto.random().u64().to_be_bytes()).unwrap_or(old)
    }

    fn child_unique_id(&self) -> UniqueId {
        self.children.set(self.children.get() + 1);
        UniqueId(self.children.get())
    }

    fn acquire_reqid(&self, key: &ReqidKey<'_>) -> Reqid {
        let mut reqids = self.reqids.borrow_mut();
        let number = key.fixed.map_or_else(
            || (1..).find(|number| !reqids.contains_key(number)).expect("few are in use"),
            |fixed| fixed.0.get(),
        );
        *reqids.entry(number).or_default() += 1;
        Reqid(NonZeroU32::new(number).expect("counted from one"))
    }

    fn trap_reqid(&self, _: &Connection, _: &ChildConfig) -> Option<Reqid> {
        None
    }

    fn release_reqid(&self, reqid: Reqid) {
        let mut reqids = self.reqids.borrow_mut();
        match reqids.get_mut(&reqid.0.get()) {
            Some(uses) if *uses > 1 => *uses -= 1,
            Some(_) => {
                reqids.remove(&reqid.0.get());
            }
            None => self.violations.borrow_mut().push(format!("reqid {reqid} released once too often")),
        }
    }

    fn tags(&self, _: &Connection, child: &ChildConfig, inherited: IfIds) -> Tags {
        child.tags.resolve(inherited, &Fixed)
    }

    fn if_ids(&self, ike: &IkeConfig) -> IfIds {
        resolve_if_ids(ike.if_id_in, ike.if_id_out, &Fixed)
    }
}

/// No scenario has `%unique` marks or interface ids.
struct Fixed;

impl TagNumbers for Fixed {
    fn mark(&self) -> u32 {
        0
    }

    fn if_id(&self) -> u32 {
        0
    }
}

impl PeerView for World {
    fn connected(&self, _: &Identity, remote: &Identity, _: IpAddr, but: UniqueId) -> bool {
        !self.others(remote, but).is_empty()
    }

    /// From the same address it is taken for a reauthentication.
    fn refuses(&self, _: &Identity, remote: &Identity, path: &Path) -> bool {
        let keeps = |name: &str| {
            let connections = self.connections.borrow();
            let found = connections.iter().find(|(_, known)| &*known.name == name);
            found.is_some_and(|(_, connection)| connection.ike.unique == Unique::Keep)
        };
        let established = self.established.borrow();
        established.iter().any(|known| {
            known.remote == *remote && keeps(&known.connection) && known.path.remote.ip() != path.remote.ip()
        })
    }
}
