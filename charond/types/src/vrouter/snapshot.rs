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
    /// Just loaded.
    #[default]
    Loaded,
    /// It owns the addresses.
    Owner,
    /// Nobody was heard for the down interval.
    MasterDown,
    /// The Active router had a lower priority.
    Preempted,
    /// The Active router left by priority 0.
    PriorityZero,
    /// A router with a higher priority was heard.
    HigherPriority,
    /// A router with the same priority and a higher address was heard.
    HigherAddress,
    /// It takes part again.
    Startup,
    /// Its interface does not exist.
    InterfaceMissing,
    /// Its interface is down.
    InterfaceDown,
    /// Its interface has no address that adverts could come from.
    NoAddress,
    /// A tracker.
    Tracker,
    /// Another router of its group.
    Group,
    /// It was unloaded, or the daemon ends.
    Shutdown,
}

impl VrouterReason {
    /// Its name in messages; those of RFC 8347 where it has one.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loaded => "loaded",
            Self::Owner => "owner",
            Self::MasterDown => "no-response",
            Self::Preempted => "preempted",
            Self::PriorityZero => "priority-zero",
            Self::HigherPriority => "higher-priority",
            Self::HigherAddress => "higher-address",
            Self::Startup => "startup",
            Self::InterfaceMissing => "interface-missing",
            Self::InterfaceDown => "interface-down",
            Self::NoAddress => "no-primary-ip-address",
            Self::Tracker => "tracker",
            Self::Group => "group",
            Self::Shutdown => "shutdown",
        }
    }
}

/// Counters by the names of the ietf-vrrp model (RFC 8347); those of its global part are counted for each router.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VrouterCounters {
    /// `master-transitions`
    pub master_transitions: u64,
    /// `advertisement-rcvd`
    pub advertisement_rcvd: u64,
    /// `advertisement-sent`
    pub advertisement_sent: u64,
    /// `interval-errors`
    pub interval_errors: u64,
    /// `priority-zero-pkts-rcvd`
    pub priority_zero_pkts_rcvd: u64,
    /// `priority-zero-pkts-sent`
    pub priority_zero_pkts_sent: u64,
    /// `invalid-type-pkts-rcvd`
    pub invalid_type_pkts_rcvd: u64,
    /// `address-list-errors`
    pub address_list_errors: u64,
    /// `packet-length-errors`
    pub packet_length_errors: u64,
    /// `checksum-errors`
    pub checksum_errors: u64,
    /// `version-errors`
    pub version_errors: u64,
    /// `ip-ttl-errors`
    pub ip_ttl_errors: u64,
    /// `auth-type-errors`; not in the model.
    pub auth_type_errors: u64,
    /// `auth-failures`; not in the model.
    pub auth_failures: u64,
}

impl VrouterCounters {
    /// All of them with their names, in a fixed order.
    #[must_use]
    pub const fn named(&self) -> [(&'static str, u64); 14] {
        [
            ("master-transitions", self.master_transitions),
            ("advertisement-rcvd", self.advertisement_rcvd),
            ("advertisement-sent", self.advertisement_sent),
            ("interval-errors", self.interval_errors),
            ("priority-zero-pkts-rcvd", self.priority_zero_pkts_rcvd),
            ("priority-zero-pkts-sent", self.priority_zero_pkts_sent),
            ("invalid-type-pkts-rcvd", self.invalid_type_pkts_rcvd),
            ("address-list-errors", self.address_list_errors),
            ("packet-length-errors", self.packet_length_errors),
            ("checksum-errors", self.checksum_errors),
            ("version-errors", self.version_errors),
            ("ip-ttl-errors", self.ip_ttl_errors),
            ("auth-type-errors", self.auth_type_errors),
            ("auth-failures", self.auth_failures),
        ]
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
    /// Counters.
    pub counters: VrouterCounters,
}
