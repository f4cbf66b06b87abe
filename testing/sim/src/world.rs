//! What a host's shell lets its IKE_SAs look at.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use charon_crypto::CryptoProvider;
use charon_types::Secret;
use charon_types::config_attribute::ConfigAttribute;
use charon_types::connection::{AuthConfig, Connection, Unique};
use charon_types::endpoint::Path;
use charon_types::id::{IkeSpi, Reqid, UniqueId};
use charon_types::identity::Identity;
use charon_types::kernel_op::KernelCapabilities;
use charon_types::lease::Lease;
use ikev2_proto::env::{
    Authority, AuthorityKeyId, ConfigView, CredentialView, Env, HostView, IdSource, LeaseRequest,
    OwnCredential, PeerVerifier, PeerView, PoolView, ReqidKey, Settings, TrustFailure, TrustRequest,
    TrustedKey,
};

use crate::kernel::capabilities;

/// Configuration, credentials and numbers of one host.
pub struct World {
    /// The only connection.
    pub connection: Arc<Connection>,
    /// Established IKE_SAs, by number.
    pub established: RefCell<Vec<UniqueId>>,
    crypto: Arc<CryptoProvider>,
    settings: Settings,
    capabilities: KernelCapabilities,
    children: Cell<u32>,
    ike_sas: Cell<u32>,
    reqids: RefCell<BTreeMap<u32, u32>>,
    violations: RefCell<Vec<String>>,
}

impl World {
    /// With that connection.
    #[must_use]
    pub fn new(connection: Arc<Connection>, crypto: Arc<CryptoProvider>, settings: Settings) -> Self {
        Self {
            connection,
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
        Arc::from([])
    }
}

impl ConfigView for World {
    fn ike_candidates(&self, _: &Path) -> Vec<Arc<Connection>> {
        vec![Arc::clone(&self.connection)]
    }

    fn peer_candidates(&self, _: &Path, local: Option<&Identity>, remote: &Identity) -> Vec<Arc<Connection>> {
        let is = |rules: &[AuthConfig], id: &Identity| {
            rules.first().and_then(|rules| rules.id.as_ref()).is_none_or(|wanted| wanted == id)
        };
        let fits = local.is_none_or(|local| is(&self.connection.local, local))
            && is(&self.connection.remote, remote);
        if fits { vec![Arc::clone(&self.connection)] } else { Vec::new() }
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
}

impl PeerView for World {
    fn connected(&self, _: &Identity, _: &Identity, _: IpAddr, but: UniqueId) -> bool {
        self.established.borrow().iter().any(|established| *established != but)
    }

    /// All newcomers come from the same peer, so what comes from another address is a second device.
    fn refuses(&self, _: &Identity, _: &Identity, _: &Path) -> bool {
        self.connection.ike.unique == Unique::Keep && !self.established.borrow().is_empty()
    }
}
