//! A virtual router as configured (`vrouters.<name>` of swanctl.conf), and as it stands.
//!
//! Values are checked where they are built ([`Vrouter::check`]); whoever holds a loaded one needs no later check.

mod check;
mod snapshot;

use std::net::IpAddr;
use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::Duration;

use crate::connection::Toggle;
use crate::secret::Secret;

pub use check::VrouterFault;
pub use snapshot::{VrouterReason, VrouterSnapshot, VrouterState};

/// The version of the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VrrpVersion {
    /// RFC 3768 and 2338: IPv4 only.
    V2,
    /// RFC 9568 and 5798.
    #[default]
    V3,
}

/// An address with the length of its network's prefix in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VirtualAddress {
    /// The address.
    pub address: IpAddr,
    /// Prefix length in bits.
    pub prefix: u8,
}

/// How adverts are authenticated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VrouterAuth {
    /// Not at all.
    #[default]
    None,
    /// RFC 2338 simple text password: eight octets in the clear.
    Simple,
    /// rVRRPd's P0: HMAC-SHA-256 cut to eight octets. Version 2.
    P0,
    /// rVRRPd's P1: SHAKE256 of secret and message, eight octets. Version 2.
    P1,
    /// keepalived's trailer: HMAC-SHA-256 cut to sixteen octets, protected against replay.
    Hmac,
}

/// How checksums of version 3 over IPv4 are made and checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VrouterChecksum {
    /// Either is accepted; sent is what the Active router uses, RFC 9568's until one is heard.
    #[default]
    Auto,
    /// Over the message alone.
    Rfc9568,
    /// With a pseudo-header.
    Pseudo,
}

/// Gratuitous ARP and unsolicited neighbour advertisements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Garp {
    /// Announcements of each address after the router became Active, 1 to 255.
    pub repeat: u8,
    /// From the first announcement to a second round; zero for none.
    pub delay: Duration,
    /// From then on again and again at this interval; zero for none.
    pub refresh: Duration,
    /// Announcements at each refresh, 1 to 255.
    pub refresh_repeat: u8,
    /// Announcements after a router of lower priority was heard; 0 for none.
    pub lower_priority_repeat: u8,
    /// From these to a second round; zero for none.
    pub lower_priority_delay: Duration,
}

/// keepalived's.
impl Default for Garp {
    fn default() -> Self {
        Self {
            repeat: 5,
            delay: Duration::from_secs(5),
            refresh: Duration::ZERO,
            refresh_repeat: 1,
            lower_priority_repeat: 5,
            lower_priority_delay: Duration::from_secs(5),
        }
    }
}

/// What a tracker watches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tracked {
    /// An interface: up, with carrier.
    Interface(String),
    /// A script, through `/bin/sh -c`; good is exit status 0.
    Script {
        /// The command.
        command: String,
        /// Between runs.
        interval: Duration,
        /// After which a run is killed and counts as bad.
        timeout: Duration,
        /// Good runs in a row until it counts as good.
        rise: u32,
        /// Bad runs in a row until it counts as bad.
        fall: u32,
    },
    /// The whole number in a file, multiplied by the weight and added to the priority; without a weight the file must exist and hold
    /// zero or nothing.
    File(String),
    /// A process of that name.
    Process(String),
    /// A route to exactly this destination, of any table.
    Route(VirtualAddress),
    /// An established IKE_SA of the connection of that name.
    Ike(String),
    /// An installed CHILD_SA of that name.
    Child(String),
    /// A pool of virtual addresses that has some left: it is bad from that share on.
    Pool {
        /// Its name.
        name: String,
        /// Share of its addresses in use, in percent, 1 to 100.
        fill_percent: u8,
    },
}

/// What happens to the priority when what is tracked is bad.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// Name of its section.
    pub name: String,
    /// What is watched.
    pub what: Tracked,
    /// Zero: the router takes no part while it is bad. Negative: added to the priority while it is bad. Positive: added while it is good.
    pub weight: i16,
    /// Good counts as bad and bad as good.
    pub inverted: Toggle,
}

/// A route that is there while the router is Active.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualRoute {
    /// Where to.
    pub destination: VirtualAddress,
    /// Gateway; `None` on the link.
    pub gateway: Option<IpAddr>,
    /// Outgoing interface; `None`: as the gateway's address says.
    pub interface: Option<String>,
    /// Preferred source address.
    pub source: Option<IpAddr>,
    /// Routing table; 254 is the main one.
    pub table: u32,
    /// Metric; 0 for the kernel's own.
    pub metric: u32,
    /// Path MTU in bytes; 0 for that of the link.
    pub mtu: u32,
}

/// A routing rule that is there while the router is Active.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VirtualRule {
    /// Packets from there.
    pub from: Option<VirtualAddress>,
    /// Packets to there.
    pub to: Option<VirtualAddress>,
    /// The table that it leads to.
    pub table: u32,
    /// Lower comes first; 0 for the kernel's own.
    pub priority: u32,
}

/// Commands and a FIFO that hear of changes of state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notify {
    /// Run on every change with `INSTANCE NAME STATE PRIORITY` behind it.
    pub any: Option<String>,
    /// Run on becoming Active.
    pub active: Option<String>,
    /// Run on becoming Backup.
    pub backup: Option<String>,
    /// Run on falling out of the election.
    pub fault: Option<String>,
    /// Run when the router is unloaded or the daemon ends.
    pub stop: Option<String>,
    /// Run when the whole sync group has another state, with `GROUP NAME STATE PRIORITY` behind it.
    pub group: Option<String>,
    /// Gets a line for each change.
    pub fifo: Option<String>,
}

/// A virtual router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vrouter {
    /// Its name.
    pub name: Arc<str>,
    /// Name of the interface.
    pub interface: String,
    /// Virtual router id, unique with interface and family.
    pub vrid: NonZeroU8,
    /// Version of the protocol.
    pub version: VrrpVersion,
    /// Virtual addresses of one family; never empty. For IPv6 the first is the link-local one.
    pub addresses: Vec<VirtualAddress>,
    /// Further addresses of any family, not in the adverts.
    pub excluded: Vec<VirtualAddress>,
    /// Priority, 1 to 255; 255 is the owner of the addresses.
    pub priority: u8,
    /// Interval of adverts.
    pub advert_interval: Duration,
    /// Whether a router of lower priority is replaced.
    pub preempt: Toggle,
    /// How long a router of lower priority stays before it is replaced.
    pub preempt_delay: Duration,
    /// Whether packets to the virtual addresses are accepted when we do not own them.
    pub accept: Toggle,
    /// Whether the virtual MAC address is used, by a macvlan.
    pub vmac: Toggle,
    /// Name of the macvlan; `None` for one made of family and id.
    pub vmac_name: Option<String>,
    /// Authentication.
    pub auth: VrouterAuth,
    /// Its secret.
    pub secret: Option<Secret>,
    /// Checksums of version 3 over IPv4.
    pub checksum: VrouterChecksum,
    /// Source address of adverts; `None` for the first of the interface.
    pub source: Option<IpAddr>,
    /// Adverts go to these addresses instead of the group, and come from them; empty for the group.
    pub peers: Vec<IpAddr>,
    /// Adverts that may be missed until the router takes over.
    pub down_adverts: u8,
    /// Whether an Active router answers one of lower priority at once (RFC 9568).
    pub lower_priority_advert: Toggle,
    /// Whether an Active router sends a last advert before it yields.
    pub higher_priority_advert: Toggle,
    /// Whether adverts of rVRRPd are taken whose count is that of its interface's addresses, though they carry one.
    pub rvrrpd_compat: Toggle,
    /// Announcements of the addresses.
    pub garp: Garp,
    /// Routers of the same group change together.
    pub group: Option<String>,
    /// Whether the router takes no part while its own interface is down.
    pub track_primary: Toggle,
    /// What else has a say.
    pub track: Vec<Track>,
    /// Routes while Active.
    pub routes: Vec<VirtualRoute>,
    /// Rules while Active.
    pub rules: Vec<VirtualRule>,
    /// Who is told.
    pub notify: Notify,
}

impl Vrouter {
    /// A router with the defaults of swanctl.conf.
    #[must_use]
    pub fn new(name: &str, interface: &str, vrid: NonZeroU8, addresses: Vec<VirtualAddress>) -> Self {
        Self {
            name: name.into(),
            interface: interface.to_owned(),
            vrid,
            version: VrrpVersion::default(),
            addresses,
            excluded: Vec::new(),
            priority: 100,
            advert_interval: Duration::from_secs(1),
            preempt: Toggle::Enabled,
            preempt_delay: Duration::ZERO,
            accept: Toggle::Enabled,
            vmac: Toggle::Enabled,
            vmac_name: None,
            auth: VrouterAuth::default(),
            secret: None,
            checksum: VrouterChecksum::default(),
            source: None,
            peers: Vec::new(),
            down_adverts: 3,
            lower_priority_advert: Toggle::Enabled,
            higher_priority_advert: Toggle::Disabled,
            rvrrpd_compat: Toggle::Disabled,
            garp: Garp::default(),
            group: None,
            track_primary: Toggle::Enabled,
            track: Vec::new(),
            routes: Vec::new(),
            rules: Vec::new(),
            notify: Notify::default(),
        }
    }

    /// Whether the router is one of IPv4.
    #[must_use]
    pub fn is_ipv4(&self) -> bool {
        self.addresses.first().is_none_or(|first| first.address.is_ipv4())
    }
}
