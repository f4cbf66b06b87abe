//! Numbers and names of a virtual router, and the constants that follow from them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU8;
use std::time::{Duration, Instant, SystemTime};

/// IP protocol and next header of VRRP.
pub const IP_PROTOCOL: u8 = 112;
/// TTL or hop limit that is sent, and required of multicast.
pub const TTL: u8 = 255;
/// Group of IPv4.
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
/// Group of IPv6, link-local scope.
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);

/// The present moment on both clocks: one that never jumps for timers, one that everybody shares for replay protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Monotonic.
    pub mono: Instant,
    /// Wall clock.
    pub wall: SystemTime,
}

impl Now {
    /// Later by `by` on both clocks.
    #[must_use]
    pub fn advance(self, by: Duration) -> Self {
        Self { mono: self.mono + by, wall: self.wall + by }
    }
}

/// Number of a virtual router, 1 to 255. IPv4 and IPv6 count separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Vrid(NonZeroU8);

impl Vrid {
    /// `None` for 0.
    #[must_use]
    pub const fn new(number: u8) -> Option<Self> {
        match NonZeroU8::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0.get()
    }

    /// The virtual router MAC address.
    #[must_use]
    pub const fn mac(self, family: Family) -> [u8; 6] {
        let family = match family {
            Family::Ipv4 => 1,
            Family::Ipv6 => 2,
        };
        [0x00, 0x00, 0x5e, 0x00, family, self.get()]
    }
}

impl fmt::Display for Vrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A priority on the wire: 0 leaves, 1 to 254 compete, 255 owns the addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Priority(pub u8);

impl Priority {
    /// The Active router leaves.
    pub const LEAVE: Self = Self(0);
    /// What a router has that nothing else was said of.
    pub const DEFAULT: Self = Self(100);
    /// The addresses are the interface's own.
    pub const OWNER: Self = Self(255);

    /// Whether it is the owner's.
    #[must_use]
    pub const fn is_owner(self) -> bool {
        self.0 == Self::OWNER.0
    }

    /// With `adjustment` added, kept within 1 to 254. The owner's stays.
    #[must_use]
    pub fn adjusted(self, adjustment: i32) -> Self {
        if self.is_owner() {
            return self;
        }
        let sum = i32::from(self.0).saturating_add(adjustment).clamp(1, 254);
        Self(u8::try_from(sum).expect("the sum was clamped to an octet"))
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Version {
    /// RFC 3768 and RFC 2338, IPv4 only.
    V2,
    /// RFC 9568 and RFC 5798.
    V3,
}

impl Version {
    /// The number on the wire.
    #[must_use]
    pub const fn get(self) -> u8 {
        match self {
            Self::V2 => 2,
            Self::V3 => 3,
        }
    }
}

/// Address family, that of the IP header which carries the advertisements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

impl Family {
    /// That of an address.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }

    /// The multicast group.
    #[must_use]
    pub const fn group(self) -> IpAddr {
        match self {
            Self::Ipv4 => IpAddr::V4(GROUP_V4),
            Self::Ipv6 => IpAddr::V6(GROUP_V6),
        }
    }

    /// The group's Ethernet address.
    #[must_use]
    pub const fn group_mac(self) -> [u8; 6] {
        match self {
            Self::Ipv4 => [0x01, 0x00, 0x5e, 0x00, 0x00, 0x12],
            Self::Ipv6 => [0x33, 0x33, 0x00, 0x00, 0x00, 0x12],
        }
    }

    /// Octets of an address.
    #[must_use]
    pub const fn address_len(self) -> usize {
        match self {
            Self::Ipv4 => 4,
            Self::Ipv6 => 16,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_never_reach_zero_or_the_owners_priority() {
        assert_eq!(Priority(100).adjusted(-300), Priority(1));
        assert_eq!(Priority(100).adjusted(300), Priority(254));
        assert_eq!(Priority(100).adjusted(-20), Priority(80));
        assert_eq!(Priority::OWNER.adjusted(-20), Priority::OWNER);
    }

    #[test]
    fn the_virtual_mac_names_family_and_vrid() {
        let vrid = Vrid::new(51).unwrap();
        assert_eq!(vrid.mac(Family::Ipv4), [0, 0, 0x5e, 0, 1, 0x33]);
        assert_eq!(vrid.mac(Family::Ipv6), [0, 0, 0x5e, 0, 2, 0x33]);
        assert_eq!(Vrid::new(0), None);
    }
}
