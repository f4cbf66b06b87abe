//! What comes out of a virtual router, in one ordered queue.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::checksum::ChecksumForm;
use crate::id::Priority;
use crate::interval::Interval;
use crate::machine::State;
use crate::receive::Rejection;

/// Something that the shell has to do. Order matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send an advertisement, from the virtual MAC address where there is one. The same value as before is the same packet.
    SendAdvert(Arc<Advert>),
    /// Put addresses on the interface; answer ARP and neighbour solicitations for them from now on.
    AddAddresses(Vec<IpAddr>),
    /// Take addresses off the interface; stop answering for them.
    RemoveAddresses(Vec<IpAddr>),
    /// Announce addresses by gratuitous ARP or unsolicited neighbour advertisement.
    Announce {
        /// Which.
        addresses: Vec<IpAddr>,
        /// How often each, 1 at least.
        repeat: u8,
    },
    /// The role changed; all effects of the change were put out before.
    Transition(Transition),
    /// A packet was dropped. Put out once a minute for each reason, and again after a change of role; counters have
    /// them all.
    Rejected {
        /// Who sent it.
        source: IpAddr,
        /// Why.
        reason: Rejection,
    },
    /// Something that people want to know.
    Notice(Notice),
}

/// An advertisement to send. TTL or hop limit is [`crate::id::TTL`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advert {
    /// From where.
    pub source: IpAddr,
    /// To the group or to a peer.
    pub destination: IpAddr,
    /// The VRRP message with its checksum.
    pub payload: Vec<u8>,
}

/// A change of role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// What it was.
    pub from: State,
    /// What it is.
    pub to: State,
    /// Why.
    pub reason: Reason,
}

/// Why a role changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// It was started, or whatever held it back is gone.
    Startup,
    /// It owns the addresses.
    Owner,
    /// Nothing was heard of an Active router.
    NoResponse,
    /// The Active router left.
    ActiveLeft,
    /// The Active router has a lower priority.
    Preempted,
    /// A router of higher priority, or of the same and with a higher address, is Active.
    HigherPriority {
        /// Its address.
        by: IpAddr,
        /// Its priority.
        priority: Priority,
    },
    /// Stopped on request.
    Stopped,
    /// The interface is down or gone.
    InterfaceDown,
    /// The interface has no address to send from.
    NoPrimaryAddress,
    /// Something tracked failed.
    TrackedFault,
    /// Another member of the sync group.
    Group,
    /// Its definition changed.
    Reconfigured,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Startup => "startup",
            Self::Owner => "owner of the addresses",
            Self::NoResponse => "no advertisement heard",
            Self::ActiveLeft => "the active router left",
            Self::Preempted => "preempted a lower priority",
            Self::HigherPriority { by, priority } => {
                return write!(f, "{by} is active with priority {priority}");
            }
            Self::Stopped => "stopped",
            Self::InterfaceDown => "interface down",
            Self::NoPrimaryAddress => "no primary address",
            Self::TrackedFault => "tracked fault",
            Self::Group => "sync group",
            Self::Reconfigured => "reconfigured",
        })
    }
}

/// Something that people want to know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// Another router claims to own the addresses that we own.
    SecondOwner {
        /// Its address.
        source: IpAddr,
    },
    /// A sender's checksums are of that form.
    ChecksumForm {
        /// The sender.
        source: IpAddr,
        /// The form.
        form: ChecksumForm,
    },
    /// The advertised interval is not ours. `None` is the impossible 0, which is not learnt.
    IntervalDiffers {
        /// The sender.
        source: IpAddr,
        /// What it advertised.
        interval: Option<Interval>,
    },
    /// The advertised addresses are not ours.
    AddressesDiffer {
        /// The sender.
        source: IpAddr,
    },
    /// An Active router heard one of lower priority (keepalived's MASTER_RX_LOWER_PRI).
    LowerPriorityHeard {
        /// The sender.
        source: IpAddr,
        /// Its priority.
        priority: Priority,
    },
    /// The effective priority changed.
    PriorityChanged {
        /// What it was.
        from: Priority,
        /// What it is.
        to: Priority,
    },
    /// Another router is Active now.
    ActiveRouter {
        /// Its address.
        source: IpAddr,
        /// Its priority.
        priority: Priority,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SecondOwner { source } => write!(f, "{source} claims to own the addresses as well"),
            Self::ChecksumForm { source, form } => write!(f, "{source} sends checksums {form}"),
            Self::IntervalDiffers { source, interval: Some(interval) } => {
                write!(f, "{source} advertises an interval of {interval}")
            }
            Self::IntervalDiffers { source, interval: None } => {
                write!(f, "{source} advertises an interval of 0")
            }
            Self::AddressesDiffer { source } => write!(f, "{source} advertises other addresses"),
            Self::LowerPriorityHeard { source, priority } => {
                write!(f, "{source} claims to be active with the lower priority {priority}")
            }
            Self::PriorityChanged { from, to } => write!(f, "effective priority {from} became {to}"),
            Self::ActiveRouter { source, priority } => {
                write!(f, "{source} is the active router, priority {priority}")
            }
        }
    }
}
