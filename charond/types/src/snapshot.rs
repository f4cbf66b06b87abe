//! IKE_SAs and CHILD_SAs as seen at one moment; what listings and events show.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::endpoint::Path;
use crate::id::{EspSpi, IfId, IkeSpi, Mark, Reqid, Role, UniqueId};
use crate::identity::Identity;
use crate::kernel_op::{Encap, Mode, SaUsage};
use crate::proposal::{ChildSuite, IkeSuite};
use crate::selector::TrafficSelector;
use crate::tag::IfIds;

/// State of an IKE_SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IkeSaState {
    /// Nothing sent.
    Created,
    /// Handshake under way.
    Connecting,
    /// Usable.
    Established,
    /// Mirror of an SA that another node holds.
    Passive,
    /// Being replaced.
    Rekeying,
    /// Replaced, waiting for its end.
    Rekeyed,
    /// DELETE sent.
    Deleting,
    /// Ending.
    Destroying,
}

impl IkeSaState {
    /// strongSwan's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Connecting => "CONNECTING",
            Self::Established => "ESTABLISHED",
            Self::Passive => "PASSIVE",
            Self::Rekeying => "REKEYING",
            Self::Rekeyed => "REKEYED",
            Self::Deleting => "DELETING",
            Self::Destroying => "DESTROYING",
        }
    }
}

/// State of a CHILD_SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChildSaState {
    /// Being negotiated.
    Created,
    /// Trap policies installed.
    Routed,
    /// Being handed to the kernel.
    Installing,
    /// Usable.
    Installed,
    /// Moving to other addresses.
    Updating,
    /// Being replaced.
    Rekeying,
    /// Replaced, waiting for its end.
    Rekeyed,
    /// Negotiation repeated with another key exchange method.
    Retrying,
    /// DELETE sent.
    Deleting,
    /// Deleted, inbound lingers.
    Deleted,
    /// Ending.
    Destroying,
}

impl ChildSaState {
    /// strongSwan's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "CREATED",
            Self::Routed => "ROUTED",
            Self::Installing => "INSTALLING",
            Self::Installed => "INSTALLED",
            Self::Updating => "UPDATING",
            Self::Rekeying => "REKEYING",
            Self::Rekeyed => "REKEYED",
            Self::Retrying => "RETRYING",
            Self::Deleting => "DELETING",
            Self::Deleted => "DELETED",
            Self::Destroying => "DESTROYING",
        }
    }
}

/// Where NATs were found (RFC 7296 §2.23).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NatConditions {
    /// We are behind one.
    pub local: bool,
    /// The peer is behind one.
    pub remote: bool,
    /// We pretend one, to force encapsulation.
    pub fake: bool,
}

impl NatConditions {
    /// Whether UDP encapsulation is in use.
    #[must_use]
    pub const fn any(self) -> bool {
        self.local || self.remote || self.fake
    }
}

/// An IKE_SA.
#[derive(Clone, Debug)]
pub struct IkeSaSnapshot {
    /// Of the connection.
    pub name: Arc<str>,
    /// `#n`
    pub unique_id: UniqueId,
    /// State.
    pub state: IkeSaState,
    /// Addresses and ports.
    pub path: Path,
    /// Ours; [`Identity::Any`] while unknown.
    pub local_id: Identity,
    /// The peer's; [`Identity::Any`] while unknown.
    pub remote_id: Identity,
    /// Our role.
    pub role: Role,
    /// `None` before it is known.
    pub spi_initiator: Option<IkeSpi>,
    /// `None` before it is known.
    pub spi_responder: Option<IkeSpi>,
    /// NAT conditions.
    pub nat: NatConditions,
    /// Once a proposal is selected.
    pub suite: Option<IkeSuite>,
    /// Time since it was established.
    pub established: Option<Duration>,
    /// Seconds until rekeying; negative when overdue.
    pub rekey_in: Option<i64>,
    /// Seconds until reauthentication; negative when overdue.
    pub reauth_in: Option<i64>,
    /// Virtual addresses of ours.
    pub local_vips: Vec<IpAddr>,
    /// Virtual addresses of the peer.
    pub remote_vips: Vec<IpAddr>,
    /// XFRM interface ids of children that have none.
    pub if_ids: IfIds,
    /// strongSwan's task names.
    pub tasks_queued: Vec<&'static str>,
    /// Exchanges that we began.
    pub tasks_active: Vec<&'static str>,
    /// Exchanges that the peer began.
    pub tasks_passive: Vec<&'static str>,
    /// Its children.
    pub children: Vec<ChildSaSnapshot>,
}

/// A CHILD_SA.
#[derive(Clone, Debug)]
pub struct ChildSaSnapshot {
    /// Of the child's configuration.
    pub name: Arc<str>,
    /// `#n`
    pub unique_id: UniqueId,
    /// `None` before one is assigned.
    pub reqid: Option<Reqid>,
    /// State.
    pub state: ChildSaState,
    /// Tunnel, transport ...
    pub mode: Mode,
    /// Once the kernel has it.
    pub installed: Option<InstalledSa>,
    /// Our side.
    pub local_ts: Vec<TrafficSelector>,
    /// The peer's side.
    pub remote_ts: Vec<TrafficSelector>,
}

/// The kernel's half of a CHILD_SA.
#[derive(Clone, Debug)]
pub struct InstalledSa {
    /// Algorithms.
    pub suite: ChildSuite,
    /// UDP encapsulation.
    pub encap: Encap,
    /// Ours.
    pub spi_in: EspSpi,
    /// The peer's.
    pub spi_out: EspSpi,
    /// Inbound mark.
    pub mark_in: Mark,
    /// Outbound mark.
    pub mark_out: Mark,
    /// Inbound XFRM interface.
    pub if_id_in: IfId,
    /// Outbound XFRM interface.
    pub if_id_out: IfId,
    /// Inbound counters.
    pub usage_in: SaUsage,
    /// Outbound counters.
    pub usage_out: SaUsage,
    /// Seconds until rekeying; negative when overdue.
    pub rekey_in: Option<i64>,
    /// Seconds until the hard end; negative when overdue.
    pub life_in: Option<i64>,
    /// Time since installation.
    pub age: Duration,
}
