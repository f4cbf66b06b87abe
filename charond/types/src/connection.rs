//! A connection as configured: how to reach a peer, how each side proves who it is, and what may flow.
//!
//! Values are checked where they are built; whoever holds a [`Connection`] needs no later check.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::endpoint::EndpointPattern;
use crate::identity::Identity;
use crate::kernel_op::{Mode, SaOptions};
use crate::lifetime::{ChildLifetime, IkeLifetime};
use crate::proposal::Proposal;
use crate::selector::SelectorPattern;
use crate::tag::{IfIdRule, SetMark, TagRules};

/// A named connection (`connections.<name>` of swanctl.conf). Immutable; a reload makes a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Its name.
    pub name: Arc<str>,
    /// Endpoints, proposals and behaviour of the IKE_SA.
    pub ike: IkeConfig,
    /// Our authentication rounds, in order; never empty.
    pub local: Vec<AuthConfig>,
    /// What we demand of the peer, in order; never empty.
    pub remote: Vec<AuthConfig>,
    /// Children in the order of the configuration.
    pub children: Vec<Arc<ChildConfig>>,
    /// The virtual router that must be Active here, if it is bound to one.
    pub vrouter: Option<VrouterBinding>,
}

/// A connection that is answered and initiated only while a virtual router is Active here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VrouterBinding {
    /// Name of the virtual router.
    pub name: Arc<str>,
    /// What becomes of the SAs when it is Active no longer.
    pub on_loss: VrouterLoss,
}

/// What becomes of SAs when their virtual router is Active no longer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VrouterLoss {
    /// They are closed.
    #[default]
    Close,
    /// They stay, for the peer to find out.
    Keep,
}

impl Connection {
    /// The child of that name.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&Arc<ChildConfig>> {
        self.children.iter().find(|child| &*child.name == name)
    }
}

/// Which versions a connection speaks. IKEv1 alone is refused when a connection is loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IkeVersion {
    /// `version = 0`: responds to both in strongSwan, initiates IKEv2. We speak IKEv2.
    #[default]
    Any,
    /// `version = 2`
    V2,
}

/// When IKE messages are split (RFC 7383).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fragmentation {
    /// Announce, reassemble and send fragments.
    #[default]
    Yes,
    /// Announce and reassemble, never send fragments.
    Accept,
    /// Do not announce.
    No,
    /// As `Yes` for IKEv2.
    Force,
}

/// Childless initiation (RFC 6023).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Childless {
    /// Accept it as responder.
    #[default]
    Allow,
    /// Use it as initiator if the peer can.
    Prefer,
    /// Demand it.
    Force,
    /// Refuse it.
    Never,
}

/// When our certificates are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SendCert {
    /// Always.
    Always,
    /// If the peer sent a CERTREQ.
    #[default]
    IfAsked,
    /// Never.
    Never,
}

/// What happens to older IKE_SAs of the same pair of identities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unique {
    /// Ignore them and do not send INITIAL_CONTACT.
    Never,
    /// Only INITIAL_CONTACT replaces.
    #[default]
    No,
    /// Refuse the newcomer.
    Keep,
    /// Delete the older one.
    Replace,
}

/// A yes-or-no setting that reads as a word at its use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toggle {
    /// yes
    Enabled,
    /// no
    Disabled,
}

impl Toggle {
    /// Whether it is on.
    #[must_use]
    pub fn is_enabled(self) -> bool {
        self == Self::Enabled
    }
}

impl From<bool> for Toggle {
    fn from(on: bool) -> Self {
        if on { Self::Enabled } else { Self::Disabled }
    }
}

/// Endpoints, proposals and behaviour of an IKE_SA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IkeConfig {
    /// Versions spoken.
    pub version: IkeVersion,
    /// Our addresses; empty means `%any`.
    pub local_addrs: Vec<EndpointPattern>,
    /// The peer's addresses; empty means `%any`.
    pub remote_addrs: Vec<EndpointPattern>,
    /// Our UDP port, 500 unless set.
    pub local_port: u16,
    /// The peer's UDP port, 500 unless set.
    pub remote_port: u16,
    /// IKE proposals in order of preference.
    pub proposals: Vec<Proposal>,
    /// Force UDP encapsulation by a NAT detection hash that cannot match.
    pub encap: Toggle,
    /// RFC 4555.
    pub mobike: Toggle,
    /// Idle time before a liveness check, zero for none.
    pub dpd_delay: Duration,
    /// Kept for list-conns; IKEv2 decides by retransmissions.
    pub dpd_timeout: Duration,
    /// RFC 7383.
    pub fragmentation: Fragmentation,
    /// RFC 6023.
    pub childless: Childless,
    /// Whether we ask for certificates.
    pub send_certreq: Toggle,
    /// When we send ours.
    pub send_cert: SendCert,
    /// Rounds of retransmission when initiating; 0 is for ever.
    pub keyingtries: u32,
    /// Uniqueness policy.
    pub unique: Unique,
    /// DSCP of IKE packets, 0 to 63.
    pub dscp: u8,
    /// Rekeying and reauthentication.
    pub lifetime: IkeLifetime,
    /// Virtual addresses to ask for; unspecified ones stand for any of their family.
    pub vips: Vec<IpAddr>,
    /// Names of the pools that peers get virtual addresses from, in order.
    pub pools: Vec<Arc<str>>,
    /// XFRM interface id, inbound, of children that have none.
    pub if_id_in: IfIdRule,
    /// XFRM interface id, outbound, of children that have none.
    pub if_id_out: IfIdRule,
}

/// How one side authenticates in one round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthConfig {
    /// The `auth` value.
    pub method: AuthMethod,
    /// The `id` value; `None`: the first certificate's subject or our address locally, anybody remotely.
    pub id: Option<Identity>,
    /// Local: certificates offered, the first one preferred. Remote: acceptable end-entity certificates. DER.
    pub certs: Vec<Arc<[u8]>>,
    /// Remote: CA certificates the peer's path must lead to; empty means any loaded CA. DER.
    pub cacerts: Vec<Arc<[u8]>>,
    /// Remote: what to do without revocation information.
    pub revocation: Revocation,
    /// Keys in the order in which they were configured, for listings.
    pub order: RuleOrder,
}

/// The rules of an auth section in the order in which they were last set, each once. Kept in place: there are two for each
/// connection, and there may be very many of those.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleOrder([Option<AuthRule>; 3]);

impl RuleOrder {
    /// A rule was set, again or for the first time.
    pub fn note(&mut self, rule: AuthRule) {
        let others = self.0.into_iter().flatten().filter(|noted| *noted != rule);
        let mut order = others.chain([rule]);
        self.0 = std::array::from_fn(|_| order.next());
    }

    /// The rules, the one set last at the end.
    pub fn rules(&self) -> impl DoubleEndedIterator<Item = AuthRule> {
        self.0.into_iter().flatten()
    }
}

/// The rules of an auth section that listings show as scalars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthRule {
    /// `auth`
    Class,
    /// `id`
    Id,
    /// `revocation`
    Revocation,
}

/// Authentication class and its constraints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthMethod {
    /// No `auth` key: any public key.
    Unspecified,
    /// Pre-shared key.
    Psk,
    /// A signature with the constraints given.
    PublicKey(Box<SignatureConstraints>),
}

/// Key types, strengths and hashes allowed, as in `auth = rsa-3072-sha256` or `ike:ecdsa-sha384`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignatureConstraints {
    /// The text as configured.
    pub text: String,
    /// Constraints on the IKE signature; empty means none.
    pub ike: Vec<SignatureConstraint>,
    /// Constraints on the trust chain (and on the IKE signature when `ike` is empty); empty means none.
    pub chain: Vec<SignatureConstraint>,
}

impl SignatureConstraints {
    /// What the IKE signature must satisfy: its own constraints, else, if those of the chain bind it
    /// (`signature_authentication_constraints`), these.
    #[must_use]
    pub fn of_ike_signature(&self, chain_binds: Toggle) -> &[SignatureConstraint] {
        if self.ike.is_empty() && chain_binds.is_enabled() { &self.chain } else { &self.ike }
    }
}

/// One allowed kind of key with the hashes allowed for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureConstraint {
    /// Kind of key.
    pub key: KeyConstraint,
    /// Least size in bits, 0 for none.
    pub bits_min: u32,
    /// Hashes in order of preference for our own signatures; empty means any.
    pub hashes: Vec<crate::algorithm::HashId>,
}

/// Kind of key that a constraint allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyConstraint {
    /// `pubkey`
    Any,
    /// `rsa`
    Rsa,
    /// `rsa/pss`
    RsaPss,
    /// `ecdsa`
    Ecdsa,
    /// `ed25519`
    Ed25519,
    /// `ed448`
    Ed448,
}

/// How missing revocation information is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Revocation {
    /// Fail.
    Strict,
    /// Fail if a URI was named.
    IfUri,
    /// Go on.
    #[default]
    Relaxed,
}

/// What to do with a child: at start, when the peer closes it, when the peer is found dead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Action {
    /// Install trap policies.
    pub trap: bool,
    /// Initiate.
    pub start: bool,
}

impl ChildConfig {
    /// Whether it is no CHILD_SA, but says which packets pass in clear or are dropped.
    #[must_use]
    pub const fn is_shunt(&self) -> bool {
        matches!(self.mode, Mode::Pass | Mode::Drop)
    }
}

/// A CHILD_SA as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildConfig {
    /// Its name, unique within the connection.
    pub name: Arc<str>,
    /// ESP or AH proposals in order of preference.
    pub proposals: Vec<Proposal>,
    /// Our side of the traffic; never empty.
    pub local_ts: Vec<SelectorPattern>,
    /// The peer's side; never empty.
    pub remote_ts: Vec<SelectorPattern>,
    /// Tunnel, transport ...
    pub mode: Mode,
    /// Soft and hard limits.
    pub lifetime: ChildLifetime,
    /// On load.
    pub start_action: Action,
    /// When the peer closes it.
    pub close_action: Action,
    /// When the peer is dead.
    pub dpd_action: Action,
    /// Close after that long without traffic; zero for never.
    pub inactivity: Duration,
    /// Fixed reqid; 0 for automatic.
    pub reqid: u32,
    /// Fixed policy priority; 0 for computed.
    pub priority: u32,
    /// Interface that policies are restricted to.
    pub interface: Option<String>,
    /// Marks and XFRM interface ids.
    pub tags: TagRules,
    /// Whether the inbound SA has `mark_in`, too, so that only packets with it are opened.
    pub mark_in_sa: Toggle,
    /// Anti-replay window in packets; `None` takes the daemon's default, 0 turns it off.
    pub replay_window: Option<u32>,
    /// Whether policies are installed.
    pub policies: Toggle,
    /// How the kernel treats headers, devices and marks of both SAs; its `set_mark` is unused here.
    pub sa_options: SaOptions,
    /// Mark that packets get after they were opened.
    pub set_mark_in: SetMark,
    /// Mark that packets get after they were sealed.
    pub set_mark_out: SetMark,
    /// Whether HMAC-SHA2-256 is negotiated under its number for 128 bits and truncated to 96, as old kernels do.
    pub sha256_96: Toggle,
    /// Whether there are forward policies for outbound packets as well, so that policies that drop do not meet them.
    pub policies_fwd_out: Toggle,
    /// Command line that is told of the child going up and down.
    pub updown: Option<Arc<str>>,
    /// Passed to `updown`: whether the host itself may be reached.
    pub hostaccess: Toggle,
}
