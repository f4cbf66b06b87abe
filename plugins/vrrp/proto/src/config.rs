//! What a virtual router is told. [`RouterConfig::check`] says whether it makes sense; nothing checks it again later.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use charon_types::Secret;

use crate::id::{Family, Priority, Version, Vrid};
use crate::interval::Interval;

/// Most addresses that the count octet of an advertisement can tell.
pub const ADDRESSES_MAX: usize = 255;
/// Octets of an HMAC key: at least that of the hash, at most that of its block.
pub const HMAC_KEY_LEN: RangeInclusive<usize> = 32..=64;

/// One virtual router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouterConfig {
    /// Its name.
    pub name: Arc<str>,
    /// Name of its interface; for snapshots, the protocol does not use it.
    pub interface: Arc<str>,
    /// Its number.
    pub vrid: Vrid,
    /// Protocol version that it speaks.
    pub version: Version,
    /// Virtual addresses in the order of the wire, of one family; IPv6: the first is link-local.
    pub addresses: Vec<IpAddr>,
    /// Further addresses that come and go with the role without being advertised, of any family.
    pub excluded: Vec<IpAddr>,
    /// Base priority, 1 to 255.
    pub priority: Priority,
    /// How often it advertises while Active.
    pub advert_interval: Interval,
    /// Whether it takes over from a router of lower priority.
    pub preemption: Preemption,
    /// Whether it takes packets to the virtual addresses without owning them; the shell filters.
    pub accept: Accept,
    /// How advertisements are authenticated.
    pub authentication: Authentication,
    /// Which checksum a VRRPv3 IPv4 advertisement has.
    pub checksum: ChecksumMode,
    /// To whom advertisements go.
    pub transport: Transport,
    /// How often addresses are announced.
    pub announce: AnnounceSchedule,
    /// How many intervals of silence make an Active router dead, 1 to 100; the RFC has 3.
    pub down_timer_adverts: u8,
    /// What an Active router does about an advertisement of lower priority.
    pub on_lower_priority: OnLowerPriority,
    /// What an Active router does before it yields.
    pub on_higher_priority: OnHigherPriority,
    /// What is done about advertisements whose addresses are not ours.
    pub address_list: AddressListCheck,
    /// Whose malformed advertisements are taken.
    pub compatibility: Compatibility,
}

impl RouterConfig {
    /// A router with every default: priority 100, advertisements each second, preemption at once, no authentication.
    #[must_use]
    pub fn new(name: &str, interface: &str, vrid: Vrid, version: Version, addresses: Vec<IpAddr>) -> Self {
        Self {
            name: name.into(),
            interface: interface.into(),
            vrid,
            version,
            addresses,
            excluded: Vec::new(),
            priority: Priority::DEFAULT,
            advert_interval: Interval::DEFAULT,
            preemption: Preemption::After(Duration::ZERO),
            accept: Accept::Yes,
            authentication: Authentication::None,
            checksum: ChecksumMode::Auto,
            transport: Transport::Multicast,
            announce: AnnounceSchedule::default(),
            down_timer_adverts: 3,
            on_lower_priority: OnLowerPriority::Assert,
            on_higher_priority: OnHigherPriority::Yield,
            address_list: AddressListCheck::Count,
            compatibility: Compatibility::Strict,
        }
    }

    /// Family of the addresses; IPv4 if there is none.
    #[must_use]
    pub fn family(&self) -> Family {
        self.addresses.first().map_or(Family::Ipv4, |address| Family::of(*address))
    }

    /// The virtual MAC address.
    #[must_use]
    pub fn mac(&self) -> [u8; 6] {
        self.vrid.mac(self.family())
    }

    /// All addresses that come and go with the role.
    pub fn all_addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.addresses.iter().chain(&self.excluded).copied()
    }

    /// Says what is wrong with it.
    ///
    /// # Errors
    /// The first thing that is.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.addresses.is_empty() {
            return Err(ConfigError::NoAddress);
        }
        if self.addresses.len() > ADDRESSES_MAX {
            return Err(ConfigError::TooManyAddresses { given: self.addresses.len() });
        }
        let family = self.family();
        if self.addresses.iter().any(|address| Family::of(*address) != family) {
            return Err(ConfigError::MixedFamilies);
        }
        if self.version == Version::V2 && family == Family::Ipv6 {
            return Err(ConfigError::Version2IsIpv4Only);
        }
        if let Some(IpAddr::V6(first)) = self.addresses.first()
            && !first.is_unicast_link_local()
        {
            return Err(ConfigError::FirstAddressNotLinkLocal);
        }
        let mut seen = BTreeSet::new();
        for address in self.all_addresses() {
            if address.is_multicast() || address.is_unspecified() {
                return Err(ConfigError::NotAHost { address });
            }
            if !seen.insert(address) {
                return Err(ConfigError::RepeatedAddress { address });
            }
        }
        if self.priority == Priority::LEAVE {
            return Err(ConfigError::PriorityZero);
        }
        if !self.advert_interval.fits(self.version) {
            return Err(ConfigError::Interval { interval: self.advert_interval, version: self.version });
        }
        if !(1..=100).contains(&self.down_timer_adverts) {
            return Err(ConfigError::DownTimerAdverts { given: self.down_timer_adverts });
        }
        if let Transport::Unicast { peers } = &self.transport {
            if peers.is_empty() {
                return Err(ConfigError::NoPeer);
            }
            if peers.iter().any(|peer| Family::of(peer.address) != family) {
                return Err(ConfigError::PeerFamily);
            }
        }
        self.authentication.check(self.version)
    }
}

/// Whether and when a router takes over from one of lower priority. The owner of the addresses always does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preemption {
    /// It waits until the other is gone.
    Never,
    /// It stops listening that long after it first heard the other; zero is what the RFC does by default.
    After(Duration),
}

/// Whether packets to the virtual addresses are taken by a router that does not own them (Accept_Mode).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accept {
    /// Taken.
    Yes,
    /// Dropped; ARP and neighbour solicitations are answered all the same.
    No,
}

/// Which sum a VRRPv3 IPv4 advertisement has. RFC 9568 has no pseudo-header there, keepalived and FRR have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChecksumMode {
    /// Either is taken; sent is what the other routers use, RFC 9568's until one was heard.
    Auto,
    /// Without pseudo-header only.
    Rfc9568,
    /// With pseudo-header only.
    Pseudo,
}

/// To whom advertisements go and from whom they are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// The group.
    Multicast,
    /// Each peer; others are not heard.
    Unicast {
        /// The peers.
        peers: Vec<Peer>,
    },
}

/// A peer of a router that advertises by unicast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// TTL or hop limit that its advertisements must arrive with.
    pub ttl: RangeInclusive<u8>,
}

/// How addresses are announced: at once on becoming Active, again after a delay, and from time to time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnnounceSchedule {
    /// Announcements of each address at once, 1 at least.
    pub repeat: u8,
    /// The same number again that long after becoming Active; zero for not.
    pub delay: Duration,
    /// While Active, again that often; zero for not.
    pub refresh: Duration,
    /// Announcements at each refresh.
    pub refresh_repeat: u8,
    /// Announcements after a contention that was won (a router of lower priority was heard).
    pub lower_priority_repeat: u8,
    /// The same number again that long after it; zero for not.
    pub lower_priority_delay: Duration,
}

/// keepalived's: five at once, five after five seconds.
impl Default for AnnounceSchedule {
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

/// What an Active router does about an advertisement of lower priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLowerPriority {
    /// Advertises at once (RFC 9568).
    Assert,
    /// Nothing (RFC 5798; keepalived's `lower_prio_no_advert`).
    Ignore,
}

/// What an Active router does before it yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnHigherPriority {
    /// Nothing.
    Yield,
    /// Sends one last advertisement, so that the winner announces again (keepalived's `higher_prio_send_advert`).
    AdvertThenYield,
}

/// What is done about advertisements whose addresses are not ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressListCheck {
    /// Nothing.
    Off,
    /// They are counted and logged; VRRPv2 drops them unless the owner sent them (RFC 3768 §7.1).
    Count,
}

/// Whose malformed advertisements are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compatibility {
    /// Nobody's.
    Strict,
    /// rVRRPd's: VRRPv2 with one address whose count is that of the sender's interface.
    Rvrrpd,
}

/// How advertisements are authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// Not at all.
    None,
    /// VRRPv2 type 1: a password in the clear, cut to 8 octets.
    Simple(Secret),
    /// VRRPv2, rVRRPd's type 250: HMAC-SHA-256, 8 octets.
    P0(Secret),
    /// VRRPv2, rVRRPd's type 251: SHAKE256, 8 octets.
    P1(Secret),
    /// keepalived's trailer: HMAC-SHA-256, 16 octets, with replay protection.
    Hmac(HmacConfig),
}

impl Authentication {
    /// Name in configuration files.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Simple(_) => "simple",
            Self::P0(_) => "p0",
            Self::P1(_) => "p1",
            Self::Hmac(_) => "hmac",
        }
    }

    fn check(&self, version: Version) -> Result<(), ConfigError> {
        match self {
            Self::None => Ok(()),
            Self::Simple(_) | Self::P0(_) | Self::P1(_) if version == Version::V3 => {
                Err(ConfigError::NoAuthenticationInVersion3)
            }
            Self::Simple(_) | Self::P0(_) | Self::P1(_) => Ok(()),
            Self::Hmac(hmac) => hmac.check(),
        }
    }
}

/// Keys and rules of keepalived's `auth_hmac`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HmacConfig {
    /// Keys by their number.
    pub keys: Vec<HmacKey>,
    /// Number of the key that signs.
    pub active_key: NonZeroU8,
    /// What counts as new.
    pub anti_replay: AntiReplay,
    /// How far the roll-out is.
    pub mode: HmacMode,
}

impl HmacConfig {
    /// One key, number 1, enforced, with a window of `max(3 x interval, 5 s)`.
    #[must_use]
    pub fn with_key(key: Secret, advert_interval: Interval) -> Self {
        let window = (advert_interval.duration() * 3).max(Duration::from_secs(5));
        Self {
            keys: vec![HmacKey { id: NonZeroU8::MIN, key }],
            active_key: NonZeroU8::MIN,
            anti_replay: AntiReplay::Time { window },
            mode: HmacMode::Enforce,
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        let mut ids = BTreeSet::new();
        for key in &self.keys {
            if !HMAC_KEY_LEN.contains(&key.key.len()) {
                return Err(ConfigError::HmacKeyLen { id: key.id.get(), octets: key.key.len() });
            }
            if !ids.insert(key.id) {
                return Err(ConfigError::RepeatedKey { id: key.id.get() });
            }
        }
        if !ids.contains(&self.active_key) {
            return Err(ConfigError::NoSuchKey { id: self.active_key.get() });
        }
        Ok(())
    }
}

/// A key of [`HmacConfig`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HmacKey {
    /// Its number on the wire.
    pub id: NonZeroU8,
    /// 32 to 64 octets.
    pub key: Secret,
}

/// Which advertisements are replays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AntiReplay {
    /// Those that are not newer than the last one, or further than that from our clock.
    Time {
        /// Largest distance, either way.
        window: Duration,
    },
    /// Those that are not newer than the last one.
    Monotonic,
}

/// How far the roll-out of keys is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HmacMode {
    /// Signs nothing, takes what is not signed.
    ReceiveOnly,
    /// Signs, takes what is not signed.
    Permissive,
    /// Signs, takes only what is signed.
    Enforce,
}

/// Why a configuration makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No virtual address.
    #[error("no virtual address")]
    NoAddress,
    /// The count octet cannot tell them.
    #[error("{given} virtual addresses, at most {ADDRESSES_MAX} fit into an advertisement")]
    TooManyAddresses {
        /// How many.
        given: usize,
    },
    /// An advertisement carries one family.
    #[error("virtual addresses of both families")]
    MixedFamilies,
    /// RFC 3768 knows IPv4 only.
    #[error("version 2 is for IPv4 only")]
    Version2IsIpv4Only,
    /// RFC 9568 §5.2.9.
    #[error("the first virtual IPv6 address must be link-local")]
    FirstAddressNotLinkLocal,
    /// A multicast or unspecified address.
    #[error("{address} cannot be a virtual address")]
    NotAHost {
        /// Which.
        address: IpAddr,
    },
    /// An address is listed twice.
    #[error("virtual address {address} is listed twice")]
    RepeatedAddress {
        /// Which.
        address: IpAddr,
    },
    /// 0 is what an Active router leaves with.
    #[error("priority 0 cannot be configured")]
    PriorityZero,
    /// The version cannot carry the interval.
    #[error("an advertisement interval of {interval} does not fit version {}", version.get())]
    Interval {
        /// The interval.
        interval: Interval,
        /// The version.
        version: Version,
    },
    /// Outside 1 to 100.
    #[error("{given} advertisements until an Active router is dead, must be 1 to 100")]
    DownTimerAdverts {
        /// What was given.
        given: u8,
    },
    /// Unicast to nobody.
    #[error("no unicast peer")]
    NoPeer,
    /// A peer of the other family.
    #[error("a unicast peer is of another family than the virtual addresses")]
    PeerFamily,
    /// Types 1, 250 and 251 live in a field that version 3 does not have.
    #[error("version 3 has no field for this authentication, only hmac")]
    NoAuthenticationInVersion3,
    /// An HMAC key of a wrong length.
    #[error("HMAC key {id} has {octets} octets, must be 32 to 64")]
    HmacKeyLen {
        /// Its number.
        id: u8,
        /// Its length.
        octets: usize,
    },
    /// Two HMAC keys of one number.
    #[error("HMAC key {id} is given twice")]
    RepeatedKey {
        /// The number.
        id: u8,
    },
    /// The active HMAC key is not among the keys.
    #[error("active HMAC key {id} is not among the keys")]
    NoSuchKey {
        /// The number.
        id: u8,
    },
    /// No crypto provider has HMAC-SHA-256.
    #[error("no loaded crypto plugin offers HMAC-SHA-256")]
    NoHmac,
    /// Interface, VRID and family name a router; another one on `reconfigure`.
    #[error("interface, VRID and family cannot change, it is another virtual router")]
    OtherRouter,
}
