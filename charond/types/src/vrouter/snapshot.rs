//! A virtual router as it stands.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::Vrouter;

/// Its role.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum VrouterState {
    /// Takes no part: its interface is missing, down or without address, or a tracker says so.
    #[default]
    Init,
    /// Watches the Active router.
    Backup,
    /// Holds the addresses.
    Active,
}

impl VrouterState {
    /// Its name in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Backup => "backup",
            Self::Active => "active",
        }
    }
}

/// Why it has its role.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum VrouterReason {
    /// It takes part, or takes part again.
    #[default]
    Startup,
    /// It owns the addresses.
    Owner,
    /// Nothing was heard of an Active router.
    NoResponse,
    /// The Active router left.
    ActiveLeft,
    /// The Active router had a lower priority.
    Preempted,
    /// A router of higher priority, or of the same and with a higher address, is Active.
    HigherPriority {
        /// Its address.
        by: IpAddr,
        /// Its priority.
        priority: u8,
    },
    /// It was unloaded, or the daemon ends.
    Stopped,
    /// Its interface does not exist.
    InterfaceMissing,
    /// Its interface is down.
    InterfaceDown,
    /// Its interface has no address that adverts could come from.
    NoPrimaryAddress,
    /// Something that it tracks failed.
    Tracked,
    /// Another router of its group.
    Group,
    /// Its definition changed.
    Reconfigured,
}

impl VrouterReason {
    /// Its name in messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Startup => "startup",
            Self::Owner => "owner",
            Self::NoResponse => "no-response",
            Self::ActiveLeft => "active-left",
            Self::Preempted => "preempted",
            Self::HigherPriority { .. } => "higher-priority",
            Self::Stopped => "stopped",
            Self::InterfaceMissing => "interface-missing",
            Self::InterfaceDown => "interface-down",
            Self::NoPrimaryAddress => "no-primary-ip-address",
            Self::Tracked => "tracked",
            Self::Group => "group",
            Self::Reconfigured => "reconfigured",
        }
    }
}

/// A virtual router at one moment.
#[derive(Clone, Debug)]
pub struct VrouterSnapshot {
    /// As configured.
    pub config: Arc<Vrouter>,
    /// Its role.
    pub state: VrouterState,
    /// Why.
    pub reason: VrouterReason,
    /// Since when.
    pub since: SystemTime,
    /// Priority with the weights of all trackers.
    pub effective_priority: u8,
    /// Its source address, if it has one.
    pub source: Option<IpAddr>,
    /// The Active router, as far as one is known; ourselves if it is us.
    pub active: Option<IpAddr>,
    /// Priority that the Active router advertised.
    pub active_priority: Option<u8>,
    /// Interval of its adverts.
    pub active_interval: Duration,
    /// From the last advert to the takeover.
    pub down_interval: Duration,
    /// The part of it that depends on the priority.
    pub skew_time: Duration,
    /// Interface that has the virtual MAC address, while there is one.
    pub vmac_interface: Option<String>,
    /// Names of the trackers that say bad.
    pub failing: Vec<String>,
    /// Counters by the names of the ietf-vrrp model (RFC 8347), in a fixed order; those of its global part are counted for each router.
    pub counters: Vec<(&'static str, u64)>,
}
