//! What a daemon's shell gives an IKE_SA, in memory: connections, credentials, ids, and a kernel that checks.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::{Arc, OnceLock};

use charon_crypto::signature::PrivateKey;
use charon_crypto::{CryptoProvider, ProviderBuilder};
use charon_types::Secret;
use charon_types::algorithm::{EncryptionId, Esn, IntegrityId};
use charon_types::config_attribute::ConfigAttribute;
use charon_types::connection::{AuthConfig, AuthMethod, ChildConfig, Connection, IkeConfig};
use charon_types::endpoint::Path;
use charon_types::id::{EspSpi, IkeSpi, Reqid, UniqueId};
use charon_types::identity::Identity;
use charon_types::kernel_op::{
    AddSa, Direction, EncapSupport, KernelCapabilities, KernelError, KernelOp, KernelReply, KernelResult,
    Mode, Policy, SaKey, SaUsage,
};
use charon_types::lease::Lease;
use charon_types::lifetime::ChildLifetime;
use charon_types::proposal::{Proposal, Protocol};
use charon_types::tag::{IfIds, TagNumbers, Tags, resolve_if_ids};

use crate::env::{
    Authority, AuthorityKeyId, ConfigView, CredentialView, Env, HostView, IdSource, LeaseRequest,
    OwnCredential, PeerVerifier, PeerView, PoolView, ReqidKey, Settings, TrustFailure, TrustRequest,
    TrustedKey,
};
use crate::output::SourceQuery;

/// The real algorithms, loaded once.
pub(super) fn crypto() -> &'static Arc<CryptoProvider> {
    static CRYPTO: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    CRYPTO.get_or_init(|| {
        let mut builder = ProviderBuilder::default();
        for algorithm in charon_crypto_aws_lc::algorithms() {
            builder.add(charon_crypto_aws_lc::NAME, algorithm).unwrap();
        }
        Arc::new(builder.freeze())
    })
}

/// Everything that one host knows.
pub(super) struct World {
    pub(super) connections: Vec<Arc<Connection>>,
    pub(super) secrets: Vec<(Identity, Identity, Secret)>,
    pub(super) credentials: Vec<(Identity, OwnCredential)>,
    pub(super) trusted: Arc<TrustTable>,
    pub(super) settings: Settings,
    pub(super) capabilities: KernelCapabilities,
    pub(super) connected: Cell<bool>,
    pub(super) refuses: Cell<bool>,
    next_child: Cell<u32>,
    next_tag: Cell<u32>,
    reqids: RefCell<BTreeMap<u32, u32>>,
    /// Of the trap of every child.
    pub(super) trap_reqid: Cell<Option<Reqid>>,
    next_spi: Cell<u64>,
    next_ike: Cell<u32>,
    /// Addresses to lend, by pool.
    pub(super) pools: RefCell<BTreeMap<&'static str, Vec<IpAddr>>>,
    /// Attributes handed out with them.
    pub(super) attributes: Vec<ConfigAttribute>,
    /// Our own addresses.
    pub(super) addresses: RefCell<Vec<IpAddr>>,
}

impl World {
    pub(super) fn new(connection: Connection) -> Self {
        Self {
            connections: vec![Arc::new(connection)],
            secrets: Vec::new(),
            credentials: Vec::new(),
            trusted: Arc::new(TrustTable::default()),
            settings: Settings::default(),
            capabilities: capabilities(),
            connected: Cell::new(false),
            refuses: Cell::new(false),
            next_child: Cell::new(0),
            next_tag: Cell::new(0),
            reqids: RefCell::new(BTreeMap::new()),
            trap_reqid: Cell::new(None),
            next_spi: Cell::new(0x1000),
            next_ike: Cell::new(100),
            pools: RefCell::default(),
            attributes: Vec::new(),
            addresses: RefCell::default(),
        }
    }

    pub(super) fn env(&self) -> Env<'_> {
        Env {
            crypto: crypto(),
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

    pub(super) fn share(&mut self, local: &str, remote: &str, secret: &[u8]) {
        self.secrets.push((id(local), id(remote), Secret::copy_from(secret)));
    }

    /// What the routing tables say: every address of ours leads everywhere in its family.
    pub(super) fn source(&self, query: &SourceQuery) -> Option<IpAddr> {
        let addresses = self.addresses.borrow();
        let fits = |address: &&IpAddr| match query.source {
            Some(wanted) => **address == wanted,
            None => address.is_ipv4() == query.remote.is_ipv4(),
        };
        addresses.iter().find(fits).copied()
    }

    pub(super) fn fresh_spi(&self) -> IkeSpi {
        self.next_spi.set(self.next_spi.get() + 1);
        IkeSpi(NonZeroU64::new(self.next_spi.get() ^ crypto().random().u64() << 16).unwrap())
    }

    /// Reqids in use.
    pub(super) fn reqids_in_use(&self) -> usize {
        self.reqids.borrow().len()
    }
}

impl ConfigView for World {
    fn ike_candidates(&self, _: &Path) -> Vec<Arc<Connection>> {
        self.connections.clone()
    }

    fn peer_candidates(&self, _: &Path, local: Option<&Identity>, remote: &Identity) -> Vec<Arc<Connection>> {
        let fits = |connection: &&Arc<Connection>| {
            let ours = connection.local.first().and_then(|rules| rules.id.as_ref());
            let theirs = connection.remote.first().and_then(|rules| rules.id.as_ref());
            ours.is_none_or(|ours| local.is_none_or(|local| local.matches(ours).is_some()))
                && theirs.is_none_or(|theirs| remote.matches(theirs).is_some())
        };
        self.connections.iter().filter(fits).cloned().collect()
    }
}

impl CredentialView for World {
    fn shared_keys(&self, local: &Identity, remote: &Identity) -> Vec<Secret> {
        let fits =
            |owner: &Identity, who: &Identity| who.matches(owner).is_some() || owner.matches(who).is_some();
        let found = self.secrets.iter().filter(|(ours, theirs, _)| fits(ours, local) && fits(theirs, remote));
        found.map(|(_, _, secret)| secret.clone()).collect()
    }

    fn own_credential(&self, rules: &AuthConfig, _: &[AuthorityKeyId]) -> Option<OwnCredential> {
        let wanted = |name: &Identity| rules.id.as_ref().is_none_or(|id| id == name);
        self.credentials.iter().find(|(name, _)| wanted(name)).map(|(_, credential)| credential.clone())
    }

    fn authorities(&self, _: &[AuthConfig]) -> Vec<Authority> {
        vec![Authority { key_id: AuthorityKeyId([7; 20]), subject: id("ca.example.org") }]
    }

    fn authority(&self, key_id: &AuthorityKeyId) -> Option<Authority> {
        self.authorities(&[]).into_iter().find(|authority| authority.key_id == *key_id)
    }

    fn verifier(&self) -> Arc<dyn PeerVerifier> {
        self.trusted.clone()
    }
}

impl IdSource for World {
    fn ike_unique_id(&self) -> UniqueId {
        self.next_ike.set(self.next_ike.get() + 1);
        UniqueId(self.next_ike.get())
    }

    fn ike_spi(&self, _: IkeSpi) -> IkeSpi {
        self.fresh_spi()
    }

    fn child_unique_id(&self) -> UniqueId {
        self.next_child.set(self.next_child.get() + 1);
        UniqueId(self.next_child.get())
    }

    fn acquire_reqid(&self, key: &ReqidKey<'_>) -> Reqid {
        let mut reqids = self.reqids.borrow_mut();
        let number = key.fixed.map_or_else(
            || (1..).find(|number| !reqids.contains_key(number)).unwrap(),
            |fixed| fixed.0.get(),
        );
        *reqids.entry(number).or_default() += 1;
        Reqid(NonZeroU32::new(number).unwrap())
    }

    fn trap_reqid(&self, _: &Connection, _: &ChildConfig) -> Option<Reqid> {
        self.trap_reqid.get()
    }

    fn release_reqid(&self, reqid: Reqid) {
        let mut reqids = self.reqids.borrow_mut();
        let uses = reqids.get_mut(&reqid.0.get()).expect("a reqid is released once");
        *uses -= 1;
        if *uses == 0 {
            reqids.remove(&reqid.0.get());
        }
    }

    fn tags(&self, _: &Connection, child: &ChildConfig, inherited: IfIds) -> Tags {
        child.tags.resolve(inherited, self)
    }

    fn if_ids(&self, ike: &IkeConfig) -> IfIds {
        resolve_if_ids(ike.if_id_in, ike.if_id_out, self)
    }
}

/// Marks and interface ids count together here.
impl TagNumbers for World {
    fn mark(&self) -> u32 {
        self.next_tag.set(self.next_tag.get() + 1);
        self.next_tag.get()
    }

    fn if_id(&self) -> u32 {
        self.mark()
    }
}

impl PeerView for World {
    fn connected(&self, _: &Identity, _: &Identity, _: IpAddr, _: UniqueId) -> bool {
        self.connected.get()
    }

    fn refuses(&self, _: &Identity, _: &Identity, _: &Path) -> bool {
        self.refuses.get()
    }
}

impl PoolView for World {
    fn lend(&self, request: &LeaseRequest<'_>) -> Option<Lease> {
        let mut pools = self.pools.borrow_mut();
        request.pools.iter().find_map(|pool| {
            let free = pools.get_mut(&**pool)?;
            let at = free.iter().position(|address| address.is_ipv4() == request.wanted.is_ipv4())?;
            let (pool, address) = (Arc::clone(pool), free.remove(at));
            Some(Lease { pool, address, identity: request.identity.clone(), peer: request.peer })
        })
    }

    fn give_back(&self, lease: &Lease) {
        let mut pools = self.pools.borrow_mut();
        let free = pools.get_mut(&*lease.pool).expect("a lease is given back to its pool");
        assert!(!free.contains(&lease.address), "a lease is given back once");
        free.push(lease.address);
    }

    fn attributes(&self, _: &[Lease]) -> Vec<ConfigAttribute> {
        self.attributes.clone()
    }
}

impl HostView for World {
    fn addresses(&self) -> Arc<[IpAddr]> {
        self.addresses.borrow().as_slice().into()
    }
}

/// Trusts certificates by their octets: each stands for an identity and a key.
#[derive(Default)]
pub(super) struct TrustTable {
    certificates: Vec<Trusted>,
}

struct Trusted {
    certificate: Vec<u8>,
    identity: Identity,
    key: TrustedKey,
}

impl TrustTable {
    pub(super) fn trust(&mut self, certificate: &[u8], identity: &Identity, key: &dyn PrivateKey) {
        let spki = key.public_key_info().to_vec();
        self.certificates.push(Trusted {
            certificate: certificate.to_vec(),
            identity: identity.clone(),
            key: TrustedKey { public_key_info: spki, kind: key.kind(), bits: key.bits() },
        });
    }
}

impl PeerVerifier for TrustTable {
    fn trusted_key(&self, request: &TrustRequest) -> Result<TrustedKey, TrustFailure> {
        let sent = request.chain.first().ok_or(TrustFailure::NoCertificate)?;
        let known = self.certificates.iter().find(|known| known.certificate == *sent);
        let found = known.ok_or(TrustFailure::NoTrustedPath)?;
        if found.identity == request.identity {
            Ok(found.key.clone())
        } else {
            Err(TrustFailure::IdentityMismatch)
        }
    }
}

/// A kernel that knows what it holds, and complains about what it should not be asked.
#[derive(Default)]
pub(super) struct FakeKernel {
    pub(super) reserved: Vec<SaKey>,
    pub(super) sas: Vec<AddSa>,
    pub(super) policies: Vec<Policy>,
    pub(super) usage: SaUsage,
    /// Fails every AddSa.
    pub(super) broken: bool,
    /// Fails AddSa for what we send.
    pub(super) refuses_outbound: bool,
    /// Fails UpdateSa.
    pub(super) stuck: bool,
    /// SAs deleted that were not there.
    pub(super) deleted_in_vain: u32,
    pub(super) next_spi: u32,
}

impl FakeKernel {
    pub(super) fn perform(&mut self, op: KernelOp) -> KernelResult {
        match op {
            KernelOp::AllocSpi { destination, protocol, min, max, .. } => {
                self.next_spi += 1;
                let number = if min == max { min } else { min + self.next_spi };
                assert!(number <= max);
                let spi = EspSpi(NonZeroU32::new(number).unwrap());
                self.reserved.push(SaKey { destination, protocol, spi });
                Ok(KernelReply::Spi(spi))
            }
            KernelOp::AddSa(_) if self.broken => {
                Err(KernelError::UnsupportedEncryption(EncryptionId::AES_GCM_16))
            }
            KernelOp::AddSa(sa) if self.refuses_outbound && sa.direction == Direction::Outbound => {
                Err(KernelError::Exists)
            }
            KernelOp::AddSa(sa) => {
                let key = key_of(&sa);
                self.reserved.retain(|reserved| *reserved != key);
                assert!(!self.sas.iter().any(|known| key_of(known) == key), "SA added twice");
                self.sas.push(*sa);
                Ok(KernelReply::Done)
            }
            KernelOp::UpdateSa { .. } if self.stuck => Err(KernelError::NotFound),
            KernelOp::UpdateSa { sa, source, destination, encap } => {
                let known =
                    self.sas.iter_mut().find(|known| key_of(known) == sa).ok_or(KernelError::NotFound)?;
                (known.source, known.destination, known.encap) = (source, destination, encap);
                Ok(KernelReply::Done)
            }
            KernelOp::DeleteSa(key) => {
                let before = self.sas.len() + self.reserved.len();
                self.sas.retain(|sa| key_of(sa) != key);
                self.reserved.retain(|reserved| *reserved != key);
                if self.sas.len() + self.reserved.len() < before {
                    Ok(KernelReply::Done)
                } else {
                    self.deleted_in_vain += 1;
                    Err(KernelError::NotFound)
                }
            }
            KernelOp::QuerySa(_) => Ok(KernelReply::Usage(self.usage)),
            KernelOp::AddPolicy(policy) => {
                self.policies.push(*policy);
                Ok(KernelReply::Done)
            }
            KernelOp::DeletePolicy(policy) => {
                let at =
                    self.policies.iter().position(|known| *known == *policy).ok_or(KernelError::NotFound)?;
                self.policies.remove(at);
                Ok(KernelReply::Done)
            }
        }
    }

    /// Nothing of ours is left.
    pub(super) fn is_empty(&self) -> bool {
        self.reserved.is_empty() && self.sas.is_empty() && self.policies.is_empty()
    }
}

fn key_of(sa: &AddSa) -> SaKey {
    SaKey { destination: sa.destination.ip(), protocol: sa.protocol, spi: sa.spi }
}

pub(super) fn id(text: &str) -> Identity {
    Identity::parse(text).unwrap()
}

fn capabilities() -> KernelCapabilities {
    KernelCapabilities {
        encryption: [
            (EncryptionId::AES_GCM_16, 128),
            (EncryptionId::AES_GCM_16, 256),
            (EncryptionId::AES_CBC, 256),
        ]
        .to_vec(),
        integrity: vec![IntegrityId::HMAC_SHA2_256_128],
        modes: vec![Mode::Tunnel, Mode::Transport],
        protocols: vec![Protocol::Esp],
        encapsulation: EncapSupport::Any,
        esn: Esn::Enabled,
    }
}

pub(super) fn proposals(protocol: Protocol, list: &[&str]) -> Vec<Proposal> {
    list.iter().map(|text| Proposal::parse(protocol, text).unwrap()).collect()
}

/// A connection with one child between two subnets.
pub(super) fn connection(
    name: &str,
    local: AuthConfig,
    remote: AuthConfig,
    nets: (&str, &str),
) -> Connection {
    let offered =
        proposals(Protocol::Ike, &["aes256-sha256-prfsha256-x25519", "aes128gcm16-prfsha256-ecp256"]);
    Connection {
        ike: IkeConfig { proposals: offered, ..IkeConfig::default() },
        local: vec![local],
        remote: vec![remote],
        children: vec![Arc::new(child("net", nets))],
        ..Connection::new(name)
    }
}

pub(super) fn child(name: &str, (local, remote): (&str, &str)) -> ChildConfig {
    ChildConfig {
        proposals: proposals(Protocol::Esp, &["aes256gcm16-x25519"]),
        local_ts: vec![local.parse().unwrap()],
        remote_ts: vec![remote.parse().unwrap()],
        lifetime: ChildLifetime::default(),
        ..ChildConfig::new(name)
    }
}

pub(super) fn auth(method: AuthMethod, name: Option<&str>) -> AuthConfig {
    AuthConfig { method, id: name.map(id), ..AuthConfig::default() }
}
