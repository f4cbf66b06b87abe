//! A virtual router as others see it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::config::{Accept, Preemption};
use crate::id::{Family, Priority, Version, Vrid};
use crate::interval::Interval;
use crate::machine::State;
use crate::output::Reason;
use crate::statistics::Statistics;

/// A virtual router at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its name.
    pub name: Arc<str>,
    /// Its interface.
    pub interface: Arc<str>,
    /// Its number.
    pub vrid: Vrid,
    /// Protocol version.
    pub version: Version,
    /// Family of its addresses.
    pub family: Family,
    /// Its role.
    pub state: State,
    /// Why it has that role; `None` before the first change.
    pub reason: Option<Reason>,
    /// Since when it has that role.
    pub since: SystemTime,
    /// Base priority.
    pub priority: Priority,
    /// Priority with everything that is tracked; what it advertises while Active.
    pub effective_priority: Priority,
    /// Virtual addresses.
    pub addresses: Vec<IpAddr>,
    /// Addresses that are not advertised.
    pub excluded: Vec<IpAddr>,
    /// Its own interval.
    pub advert_interval: Interval,
    /// The interval that the Active router advertises (v3; else its own).
    pub active_interval: Interval,
    /// Skew_Time.
    pub skew_time: Duration,
    /// How much silence makes the Active router dead.
    pub down_interval: Duration,
    /// Preempt mode.
    pub preemption: Preemption,
    /// Accept mode.
    pub accept: Accept,
    /// Name of the authentication.
    pub authentication: &'static str,
    /// The address that it sends from.
    pub primary: Option<IpAddr>,
    /// The router that is Active, as far as known; itself if it is.
    pub active: Option<ActiveRouter>,
    /// Counters.
    pub statistics: Statistics,
    /// When the counters were zero.
    pub discontinuity: SystemTime,
}

/// The router that is Active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveRouter {
    /// The address that it sends from.
    pub address: IpAddr,
    /// Its priority.
    pub priority: Priority,
}
