//! The IKE_SA of a connection as configured.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::Toggle;
use crate::endpoint::{EndpointPattern, PORT_IKE};
use crate::lifetime::{GivenIkeLifetime, IkeLifetime};
use crate::proposal::Proposal;
use crate::tag::IfIdRule;

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

/// What holds unless it is configured, but no proposals.
impl Default for IkeConfig {
    fn default() -> Self {
        Self {
            version: IkeVersion::default(),
            local_addrs: Vec::new(),
            remote_addrs: Vec::new(),
            local_port: PORT_IKE,
            remote_port: PORT_IKE,
            proposals: Vec::new(),
            encap: Toggle::Disabled,
            mobike: Toggle::Enabled,
            dpd_delay: Duration::ZERO,
            dpd_timeout: Duration::ZERO,
            fragmentation: Fragmentation::default(),
            childless: Childless::default(),
            send_certreq: Toggle::Enabled,
            send_cert: SendCert::default(),
            keyingtries: 1,
            unique: Unique::default(),
            dscp: 0,
            lifetime: GivenIkeLifetime::default().complete(),
            vips: Vec::new(),
            pools: Vec::new(),
            if_id_in: IfIdRule::default(),
            if_id_out: IfIdRule::default(),
        }
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
