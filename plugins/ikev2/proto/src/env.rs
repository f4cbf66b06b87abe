//! What an IKE_SA may look at: borrowed views of configuration, credentials and capabilities, and the time.
//!
//! Views are pure reads of memory. Whatever may block leaves the machine as an [`crate::Output`].

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use charon_crypto::CryptoProvider;
use charon_crypto::signature::{KeyKind, PrivateKey};
use charon_types::config_attribute::ConfigAttribute;
use charon_types::connection::{AuthConfig, ChildConfig, Connection, IkeConfig, Toggle};
use charon_types::endpoint::{PORT_IKE, PORT_NAT_T, Path};
use charon_types::id::{IkeSpi, Reqid, UniqueId};
use charon_types::identity::Identity;
use charon_types::kernel_op::KernelCapabilities;
use charon_types::lease::Lease;
use charon_types::secret::Secret;
use charon_types::selector::TrafficSelector;
use charon_types::tag::{IfIds, Tags};

/// The moment at which something is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Monotonic; every timer counts by it.
    pub mono: Instant,
    /// Wall clock; certificates count by it.
    pub wall: SystemTime,
}

/// What an IKE_SA may look at while it handles one input.
#[derive(Clone, Copy)]
pub struct Env<'a> {
    /// Algorithms. An `Arc`, because jobs take it along.
    pub crypto: &'a Arc<CryptoProvider>,
    /// Connections.
    pub config: &'a dyn ConfigView,
    /// Keys and certificates.
    pub credentials: &'a dyn CredentialView,
    /// Numbers that the daemon gives out.
    pub ids: &'a dyn IdSource,
    /// Who else is connected.
    pub peers: &'a dyn PeerView,
    /// `charon.*` settings.
    pub settings: &'a Settings,
    /// What the kernel's IPsec can do.
    pub kernel: &'a KernelCapabilities,
    /// Virtual addresses for peers.
    pub pools: &'a dyn PoolView,
    /// Our own addresses.
    pub host: &'a dyn HostView,
}

/// Virtual addresses that peers get.
pub trait PoolView {
    /// Lends an address of one of the pools, as strongSwan chooses: one that this identity has had, else a new one, else one
    /// that is not in use.
    fn lend(&self, request: &LeaseRequest<'_>) -> Option<Lease>;
    /// Takes an address back. Each lease is given back once.
    fn give_back(&self, lease: &Lease);
    /// What else is handed out to a peer that has these leases.
    fn attributes(&self, leases: &[Lease]) -> Vec<ConfigAttribute>;
}

/// Who asks for which address.
#[derive(Clone, Copy, Debug)]
pub struct LeaseRequest<'a> {
    /// Names of the pools allowed, in order.
    pub pools: &'a [Arc<str>],
    /// The peer.
    pub identity: &'a Identity,
    /// From where it asks.
    pub peer: IpAddr,
    /// What it asks for; unspecified: any of the family.
    pub wanted: IpAddr,
}

/// Our own addresses.
pub trait HostView {
    /// Those at which a peer could reach us: of every interface that counts, loopback, link-local and virtual ones left out.
    fn addresses(&self) -> Arc<[IpAddr]>;
}

/// Connections as loaded.
pub trait ConfigView {
    /// Connections whose addresses fit the path, the closest match first. Responder, IKE_SA_INIT.
    fn ike_candidates(&self, path: &Path) -> Vec<Arc<Connection>>;
    /// Connections whose addresses and identities fit, the closest match first. `local` is the peer's IDr, if it sent
    /// one. Responder, IKE_AUTH.
    fn peer_candidates(
        &self,
        path: &Path,
        local: Option<&Identity>,
        remote: &Identity,
    ) -> Vec<Arc<Connection>>;
}

/// Keys and certificates as loaded: one immutable snapshot.
pub trait CredentialView {
    /// Pre-shared keys for that pair, the closest match first. The responder tries them in turn.
    fn shared_keys(&self, local: &Identity, remote: &Identity) -> Vec<Secret>;
    /// A certificate or key with which we can authenticate as `rules` say: as `rules.id` if set; preferably one issued below
    /// an authority in `requested` (the peer's CERTREQ; empty: no preference).
    fn own_credential(&self, rules: &AuthConfig, requested: &[AuthorityKeyId]) -> Option<OwnCredential>;
    /// Authorities to name in a CERTREQ to a peer that must satisfy one of `rules` (any, if `rules` is empty).
    fn authorities(&self, rules: &[AuthConfig]) -> Vec<Authority>;
    /// The authority with that key.
    fn authority(&self, key_id: &AuthorityKeyId) -> Option<Authority>;
    /// Validates certificates; owned, so that a job can take it along.
    fn verifier(&self) -> Arc<dyn PeerVerifier>;
}

/// SHA-1 of an authority's SubjectPublicKeyInfo (RFC 7296 §3.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AuthorityKeyId(pub [u8; 20]);

/// A certification authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// What CERTREQ says.
    pub key_id: AuthorityKeyId,
    /// Its subject.
    pub subject: Identity,
}

/// What we authenticate with.
#[derive(Clone)]
pub struct OwnCredential {
    /// The identity to send where the configuration names none: the certificate's subject.
    pub identity: Identity,
    /// Certificates to send, DER, the end entity's first; empty for a bare key.
    pub chain: Vec<Arc<[u8]>>,
    /// Subjects of `chain`, for the log.
    pub subjects: Vec<Identity>,
    /// The private key.
    pub key: Arc<dyn PrivateKey>,
}

/// Validates a peer's certificates. Called on any thread, within the SA's log span; logs what it finds (group CFG).
pub trait PeerVerifier: Send + Sync {
    /// The key that the peer's AUTH payload must be made with.
    ///
    /// # Errors
    /// [`TrustFailure`] if there is no valid path, or it is not acceptable to the rules.
    fn trusted_key(&self, request: &TrustRequest) -> Result<TrustedKey, TrustFailure>;
}

/// What is asked of a [`PeerVerifier`].
#[derive(Clone, Debug)]
pub struct TrustRequest {
    /// X.509 certificates as received, DER, the end entity's first. Empty: look among those loaded.
    pub chain: Vec<Vec<u8>>,
    /// The identity that the end entity's certificate must confirm.
    pub identity: Identity,
    /// `certs`, `cacerts`, `revocation` and chain constraints that apply.
    pub rules: AuthConfig,
    /// The time at which certificates must be valid.
    pub wall: SystemTime,
}

/// A key that belongs to the identity asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedKey {
    /// SubjectPublicKeyInfo, DER.
    pub public_key_info: Vec<u8>,
    /// Its kind.
    pub kind: KeyKind,
    /// Size in bits.
    pub bits: u32,
}

/// Why a peer's certificate is not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustFailure {
    /// Neither sent nor loaded.
    #[error("no certificate for the peer's identity")]
    NoCertificate,
    /// Not DER, not X.509, or an unsupported key.
    #[error("a certificate is malformed or of an unsupported kind")]
    Malformed,
    /// The certificate does not speak for the identity.
    #[error("the certificate does not confirm the peer's identity")]
    IdentityMismatch,
    /// No path to a trusted authority.
    #[error("no path to a trusted authority")]
    NoTrustedPath,
    /// Not yet or no longer valid.
    #[error("a certificate is not valid at this time")]
    Expired,
    /// On a CRL.
    #[error("a certificate is revoked")]
    Revoked,
    /// `revocation = strict` and no information.
    #[error("the revocation status is not known")]
    RevocationUnknown,
    /// Name or path length constraints, key usage, or the configured constraints.
    #[error("a constraint on the trust chain is not met")]
    Constraint,
}

/// Numbers that are unique within the daemon.
pub trait IdSource {
    /// For a new IKE_SA.
    fn ike_unique_id(&self) -> UniqueId;
    /// An unused SPI for an IKE_SA that replaces the one with SPI `old`: of the same shard, so that it can be handed over.
    fn ike_spi(&self, old: IkeSpi) -> IkeSpi;
    /// For a new CHILD_SA.
    fn child_unique_id(&self) -> UniqueId;
    /// The reqid for these policies: equal policies share one, counted; a fixed one is returned as it is.
    fn acquire_reqid(&self, key: &ReqidKey<'_>) -> Reqid;
    /// The reqid of the trap that brings this child up, if there is one.
    fn trap_reqid(&self, connection: &Connection, child: &ChildConfig) -> Option<Reqid>;
    /// Ends one use of a reqid.
    fn release_reqid(&self, reqid: Reqid);
    /// Marks and interface ids of a new CHILD_SA: those of its trap, so that the trap's packets find it; without a trap, what
    /// the configuration says and `inherited`.
    fn tags(&self, connection: &Connection, child: &ChildConfig, inherited: IfIds) -> Tags;
    /// Interface ids of a new IKE_SA, for children that have none.
    fn if_ids(&self, ike: &IkeConfig) -> IfIds;
}

/// What policies have in common when they share a reqid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReqidKey<'a> {
    /// As configured; `None` for automatic.
    pub fixed: Option<Reqid>,
    /// Our side.
    pub local_ts: &'a [TrafficSelector],
    /// The peer's side.
    pub remote_ts: &'a [TrafficSelector],
    /// Marks and XFRM interface ids.
    pub tags: Tags,
}

/// Who else is connected.
pub trait PeerView {
    /// Whether an established IKE_SA other than `but` connects that pair of identities with an address of the family of `peer`.
    /// Decides INITIAL_CONTACT.
    fn connected(&self, local: &Identity, remote: &Identity, peer: IpAddr, but: UniqueId) -> bool;
    /// Whether `unique = keep` refuses a newcomer with that pair of identities from `path`.
    fn refuses(&self, local: &Identity, remote: &Identity, path: &Path) -> bool;
}

/// `charon.*` settings that concern IKE_SAs. Defaults are strongSwan's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Retransmission of requests.
    pub retransmission: Retransmission,
    /// A responder's IKE_SA that is not established by then is dropped.
    pub half_open_timeout: Duration,
    /// How long the inbound SA of a replaced child stays, for packets on their way.
    pub delete_rekeyed_delay: Duration,
    /// Between NAT keepalives, zero for none.
    pub keep_alive: Duration,
    /// Size of an IP packet that carries a fragment over IPv4.
    pub fragment_size_v4: u16,
    /// Size of an IP packet that carries a fragment over IPv6.
    pub fragment_size_v6: u16,
    /// Longest IKE message taken, octets.
    pub packet_len_max: usize,
    /// Our port for IKE.
    pub port: u16,
    /// Our port for IKE and ESP in UDP.
    pub port_nat_t: u16,
    /// Lowest SPI for CHILD_SAs. A shard narrows the range to its own.
    pub spi_min: u32,
    /// Highest SPI for CHILD_SAs.
    pub spi_max: u32,
    /// Anti-replay window of children that set none, packets.
    pub replay_window: u32,
    /// The responder's order of proposals wins.
    pub prefer_configured_proposals: Toggle,
    /// RFC 7427.
    pub signature_authentication: Toggle,
    /// Constraints on trust chains bind IKE signatures that have none of their own.
    pub chain_constraints_bind: Toggle,
    /// Prefer RSASSA-PSS.
    pub rsa_pss: Toggle,
    /// Close the IKE_SA if its first child fails.
    pub close_ike_on_child_failure: Toggle,
    /// When reauthenticating, the new IKE_SA is up before the old one is closed.
    pub make_before_break: Toggle,
    /// Announce and take childless initiation, further children and the rest under an existing IKE_SA.
    pub reuse_ikesa: Toggle,
    /// Tell peers that we know strongSwan's private numbers: BEET mode needs it on both sides.
    pub send_vendor_id: Toggle,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            retransmission: Retransmission::default(),
            half_open_timeout: Duration::from_secs(30),
            delete_rekeyed_delay: Duration::from_secs(5),
            keep_alive: Duration::from_secs(20),
            fragment_size_v4: 1280,
            fragment_size_v6: 1280,
            packet_len_max: 10_000,
            port: PORT_IKE,
            port_nat_t: PORT_NAT_T,
            spi_min: 0xc000_0000,
            spi_max: 0xcfff_ffff,
            replay_window: 32,
            prefer_configured_proposals: Toggle::Enabled,
            signature_authentication: Toggle::Enabled,
            chain_constraints_bind: Toggle::Enabled,
            rsa_pss: Toggle::Disabled,
            close_ike_on_child_failure: Toggle::Disabled,
            make_before_break: Toggle::Enabled,
            reuse_ikesa: Toggle::Enabled,
            send_vendor_id: Toggle::Disabled,
        }
    }
}

/// Retransmission by strongSwan's formula: the n-th wait is `timeout * base^n`, capped, less a random part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retransmission {
    /// First wait.
    pub timeout: Duration,
    /// Growth of each wait.
    pub base: f64,
    /// Retransmissions before giving up.
    pub tries: u32,
    /// Upper bound of the random reduction of a wait, percent, 0 to 20.
    pub jitter_percent: u8,
    /// Cap of a wait, zero for none.
    pub limit: Duration,
}

impl Default for Retransmission {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(4),
            base: 1.8,
            tries: 5,
            jitter_percent: 0,
            limit: Duration::ZERO,
        }
    }
}
