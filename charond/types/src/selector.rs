//! Traffic selectors (RFC 7296 §3.13) and what is computed with them.
//!
//! Text is in `selector/text.rs`, negotiation in `selector/narrow.rs`.

mod narrow;
mod text;

use std::cmp::Ordering;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use narrow::{NARROWED_MAX, covers, narrow};
pub use text::{PatternText, SelectorError, SelectorText};

/// IP protocol number of ICMP.
pub const PROTOCOL_ICMP: u8 = 1;
/// IP protocol number of ICMPv6.
pub const PROTOCOL_ICMPV6: u8 = 58;

/// A range of addresses of one family, an IP protocol and a range of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TrafficSelector {
    /// First address; same family as `end`, not above it.
    pub start: IpAddr,
    /// Last address.
    pub end: IpAddr,
    /// IP protocol number, 0 for any.
    pub protocol: u8,
    /// First port, or ICMP type and code in the high and low octet.
    pub port_start: u16,
    /// Last port. `port_start` 65535 with `port_end` 0 is OPAQUE.
    pub port_end: u16,
}

impl TrafficSelector {
    /// Every IPv4 packet.
    pub const ANY_IPV4: Self =
        Self::every_port(IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::BROADCAST));
    /// Every IPv6 packet.
    pub const ANY_IPV6: Self =
        Self::every_port(IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::from_bits(u128::MAX)));

    /// One address, any protocol and port.
    #[must_use]
    pub const fn host(address: IpAddr) -> Self {
        Self::every_port(address, address)
    }

    /// The subnet that `address` lies in, any protocol and port. A prefix longer than the family allows is clamped.
    #[must_use]
    pub fn subnet(address: IpAddr, prefix: u8) -> Self {
        let (start, end) = subnet_bounds(address, prefix);
        Self::every_port(start, end)
    }

    /// Addresses from `start` to `end`, any protocol and port; `None` if the families differ or `start` is above `end`.
    #[must_use]
    pub fn range(start: IpAddr, end: IpAddr) -> Option<Self> {
        let ordered = start.is_ipv4() == end.is_ipv4() && start <= end;
        ordered.then_some(Self::every_port(start, end))
    }

    /// The same addresses with that protocol and those ports.
    #[must_use]
    pub const fn with_ports(self, protocol: u8, port_start: u16, port_end: u16) -> Self {
        Self { protocol, port_start, port_end, ..self }
    }

    /// Prefix length, if the addresses are exactly a subnet.
    #[must_use]
    pub fn prefix(&self) -> Option<u8> {
        let (network, prefix) = self.covering_subnet();
        (subnet_bounds(network, prefix) == (self.start, self.end)).then_some(prefix)
    }

    /// Whether the addresses are exactly a subnet (a single address counts as one).
    #[must_use]
    pub fn is_subnet(&self) -> bool {
        self.prefix().is_some()
    }

    /// Whether it is one address.
    #[must_use]
    pub fn is_host(&self) -> bool {
        self.start == self.end
    }

    /// The smallest subnet that holds all addresses: network and prefix length. What a kernel that knows no ranges takes.
    #[must_use]
    pub fn covering_subnet(&self) -> (IpAddr, u8) {
        let (first, width) = bits(self.start);
        let differing = first ^ bits(self.end).0;
        let host_bits = u128::BITS - differing.leading_zeros();
        let prefix = u8::try_from(width.saturating_sub(host_bits)).unwrap_or(0);
        (subnet_bounds(self.start, prefix).0, prefix)
    }

    /// The fewest subnets that together have the same addresses, in order; a range of IPv6 has up to 254.
    #[must_use]
    pub fn subnets(&self) -> Vec<(IpAddr, u8)> {
        let ((mut first, width), (last, _)) = (bits(self.start), bits(self.end));
        let address = |bits: u128| match self.start {
            IpAddr::V4(_) => IpAddr::V4(u32::try_from(bits).unwrap_or(u32::MAX).into()),
            IpAddr::V6(_) => IpAddr::V6(bits.into()),
        };
        let mut subnets = Vec::new();
        loop {
            // The largest subnet that begins here and does not go too far.
            let aligned = first.trailing_zeros().min(width);
            let fitting = (last - first).checked_add(1).map_or(u128::BITS, u128::ilog2);
            let host_bits = aligned.min(fitting);
            subnets.push((address(first), u8::try_from(width - host_bits).unwrap_or(0)));
            let step = 1_u128.checked_shl(host_bits);
            match step.and_then(|step| first.checked_add(step)).filter(|next| *next <= last) {
                Some(next) => first = next,
                None => return subnets,
            }
        }
    }

    /// Whether any port (or ICMP message) is meant.
    #[must_use]
    pub const fn is_any_port(&self) -> bool {
        self.port_start == 0 && self.port_end == u16::MAX
    }

    /// OPAQUE: packets whose ports cannot be seen (RFC 4301 §4.4.1.1).
    #[must_use]
    pub const fn is_opaque(&self) -> bool {
        self.port_start == u16::MAX && self.port_end == 0
    }

    /// Whether it is of the address's family and holds it; protocol and ports are not asked.
    #[must_use]
    pub fn contains_address(&self, address: IpAddr) -> bool {
        self.start.is_ipv4() == address.is_ipv4() && self.start <= address && address <= self.end
    }

    /// Whether every packet of `other` is also one of ours.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        let addresses = self.contains_address(other.start) && self.contains_address(other.end);
        let protocol = self.protocol == 0 || self.protocol == other.protocol;
        let ports = match (self.is_any_port(), self.is_opaque(), other.is_opaque()) {
            (true, ..) | (_, true, true) => true,
            (_, true, _) | (_, _, true) => false,
            _ => self.port_start <= other.port_start && other.port_end <= self.port_end,
        };
        addresses && protocol && ports
    }

    /// The packets that both have, if any.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        if self.start.is_ipv4() != other.start.is_ipv4() {
            return None;
        }
        let (start, end) = (self.start.max(other.start), self.end.min(other.end));
        let protocol = match (self.protocol, other.protocol) {
            (0, either) | (either, 0) => either,
            (ours, theirs) if ours == theirs => ours,
            _ => return None,
        };
        let (port_start, port_end) = self.intersect_ports(other)?;
        (start <= end).then_some(Self { start, end, protocol, port_start, port_end })
    }

    fn intersect_ports(&self, other: &Self) -> Option<(u16, u16)> {
        if self.is_opaque() || other.is_opaque() {
            let both = [self, other].into_iter().all(|side| side.is_opaque() || side.is_any_port());
            return both.then_some((u16::MAX, 0));
        }
        let (start, end) = (self.port_start.max(other.port_start), self.port_end.min(other.port_end));
        (start <= end).then_some((start, end))
    }

    const fn every_port(start: IpAddr, end: IpAddr) -> Self {
        Self { start, end, protocol: 0, port_start: 0, port_end: u16::MAX }
    }
}

impl From<IpAddr> for TrafficSelector {
    fn from(address: IpAddr) -> Self {
        Self::host(address)
    }
}

/// IPv4 first, then by first address; of two that start alike the larger first; then by protocol and ports.
impl Ord for TrafficSelector {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.start, other.end, self.protocol, self.port_start, self.port_end).cmp(&(
            other.start,
            self.end,
            other.protocol,
            other.port_start,
            other.port_end,
        ))
    }
}

impl PartialOrd for TrafficSelector {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The selectors of a packet that asked for a CHILD_SA, seen from here: one address on each side, with its protocol and
/// ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PacketSelectors {
    /// Where it comes from.
    pub local: TrafficSelector,
    /// Where it goes.
    pub remote: TrafficSelector,
}

/// A selector as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SelectorPattern {
    /// `dynamic`: the peer's (or our) tunnel or virtual address, with this protocol and these ports.
    Dynamic {
        /// IP protocol number, 0 for any.
        protocol: u8,
        /// First port.
        port_start: u16,
        /// Last port.
        port_end: u16,
    },
    /// Fixed addresses.
    Fixed(TrafficSelector),
}

impl SelectorPattern {
    /// `dynamic` for any protocol and port; the default of `local_ts` and `remote_ts`.
    pub const DYNAMIC: Self = Self::Dynamic { protocol: 0, port_start: 0, port_end: u16::MAX };

    /// The selector that results when `dynamic` stands for that address.
    #[must_use]
    pub const fn resolve(&self, dynamic: IpAddr) -> TrafficSelector {
        match *self {
            Self::Dynamic { protocol, port_start, port_end } => {
                TrafficSelector::host(dynamic).with_ports(protocol, port_start, port_end)
            }
            Self::Fixed(selector) => selector,
        }
    }

    /// Whether it waits for an address.
    #[must_use]
    pub const fn is_dynamic(&self) -> bool {
        matches!(self, Self::Dynamic { .. })
    }
}

impl From<TrafficSelector> for SelectorPattern {
    fn from(selector: TrafficSelector) -> Self {
        Self::Fixed(selector)
    }
}

/// First and last address of a subnet; the prefix is clamped to the family's width.
pub(crate) fn subnet_bounds(address: IpAddr, prefix: u8) -> (IpAddr, IpAddr) {
    match address {
        IpAddr::V4(address) => {
            let host = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
            let first = address.to_bits() & !host;
            (Ipv4Addr::from_bits(first).into(), Ipv4Addr::from_bits(first | host).into())
        }
        IpAddr::V6(address) => {
            let host = u128::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
            let first = address.to_bits() & !host;
            (Ipv6Addr::from_bits(first).into(), Ipv6Addr::from_bits(first | host).into())
        }
    }
}

/// The address as a number, and the width of its family in bits.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

#[cfg(test)]
mod tests;
