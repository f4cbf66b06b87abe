//! The advertisement on the wire (RFC 9568 §5.1, RFC 3768 §5.1). Numbers are big-endian.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-------+-------+---------------+---------------+---------------+
//! |Version| Type  | Virtual Rtr ID|   Priority    |     Count     |
//! +-------+-------+---------------+---------------+---------------+
//! | v2: Auth Type | v2: Adver Int |           Checksum            |
//! |rsvd| v3: Max Advertise Int    |                               |
//! +---------------+---------------+-------------------------------+
//! |             addresses, then 8 octets of v2 authentication     |
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::id::{Family, Priority, Version};
use crate::interval::Interval;

/// Octets before the addresses.
pub const HEADER_LEN: usize = 8;
/// Octets of VRRPv2's authentication data.
pub const AUTH_DATA_LEN: usize = 8;
/// The only type.
pub const TYPE_ADVERTISEMENT: u8 = 1;

/// The eight octets that every VRRP packet starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header([u8; HEADER_LEN]);

impl Header {
    /// The header and what follows it; `None` for fewer than [`HEADER_LEN`] octets.
    #[must_use]
    pub fn split(message: &[u8]) -> Option<(Self, &[u8])> {
        let (header, rest) = message.split_first_chunk()?;
        Some((Self(*header), rest))
    }

    /// Header of an advertisement with checksum 0. `interval` must fit the version, there must be at most 255 addresses.
    #[must_use]
    pub fn new(
        version: Version,
        vrid: u8,
        priority: Priority,
        count: u8,
        auth_type: u8,
        interval: Interval,
    ) -> Self {
        let [high, low] = match version {
            Version::V2 => [auth_type, interval.seconds().unwrap_or(u8::MAX)],
            Version::V3 => interval.centiseconds().min(0x0fff).to_be_bytes(),
        };
        Self([version.get() << 4 | TYPE_ADVERTISEMENT, vrid, priority.0, count, high, low, 0, 0])
    }

    /// The octets.
    #[must_use]
    pub const fn octets(&self) -> [u8; HEADER_LEN] {
        self.0
    }

    /// Version number, whatever it is.
    #[must_use]
    pub const fn version(&self) -> u8 {
        self.0[0] >> 4
    }

    /// Packet type, whatever it is.
    #[must_use]
    pub const fn packet_type(&self) -> u8 {
        self.0[0] & 0x0f
    }

    /// Virtual Rtr ID, possibly 0.
    #[must_use]
    pub const fn vrid(&self) -> u8 {
        self.0[1]
    }

    /// Priority.
    #[must_use]
    pub const fn priority(&self) -> Priority {
        Priority(self.0[2])
    }

    /// Number of addresses that it claims.
    #[must_use]
    pub const fn count(&self) -> u8 {
        self.0[3]
    }

    /// VRRPv2: Auth Type.
    #[must_use]
    pub const fn auth_type(&self) -> u8 {
        self.0[4]
    }

    /// The advertised interval; `None` for 0. VRRPv3's reserved bits are ignored.
    #[must_use]
    pub fn interval(&self, version: Version) -> Option<Interval> {
        match version {
            Version::V2 => Interval::from_seconds(self.0[5]),
            Version::V3 => Interval::from_centiseconds(u16::from_be_bytes([self.0[4], self.0[5]]) & 0x0fff),
        }
    }

    /// The same with checksum 0.
    #[must_use]
    pub const fn without_checksum(mut self) -> Self {
        self.0[6] = 0;
        self.0[7] = 0;
        self
    }
}

/// Virtual Rtr ID of a message that may be anything: for the choice of the virtual router. `None` if it is too short.
#[must_use]
pub fn peek_vrid(message: &[u8]) -> Option<u8> {
    message.get(1).copied()
}

/// Octets of a message with `count` addresses, without keepalived's trailer.
#[must_use]
pub fn message_len(version: Version, family: Family, count: usize) -> usize {
    let auth = match version {
        Version::V2 => AUTH_DATA_LEN,
        Version::V3 => 0,
    };
    HEADER_LEN + count * family.address_len() + auth
}

/// Appends addresses.
pub fn emit_addresses(addresses: &[IpAddr], message: &mut Vec<u8>) {
    for address in addresses {
        match address {
            IpAddr::V4(address) => message.extend_from_slice(&address.octets()),
            IpAddr::V6(address) => message.extend_from_slice(&address.octets()),
        }
    }
}

/// Addresses of whole octet groups; a rest that is no address is left out.
pub fn addresses(family: Family, octets: &[u8]) -> impl Iterator<Item = IpAddr> {
    octets.chunks_exact(family.address_len()).filter_map(move |address| match family {
        Family::Ipv4 => Some(IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(address).ok()?))),
        Family::Ipv6 => Some(IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(address).ok()?))),
    })
}
