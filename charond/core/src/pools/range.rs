//! The addresses of a pool: `a.b.c.d/n` or `from-to`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use charon_types::selector::TrafficSelector;

/// Most host bits of a subnet that are used; larger ones are cut.
const HOST_BITS_MAX: u8 = 31;

/// Consecutive addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressRange {
    first: IpAddr,
    len: u32,
}

impl AddressRange {
    /// Reads a subnet or a range. Of a subnet of more than two addresses the first and the last one are left out, and what
    /// lies before the address as given.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once('/') {
            Some((base, prefix)) => Self::subnet(base.trim().parse().ok()?, prefix.trim().parse().ok()?),
            None => {
                let (first, last) = text.split_once('-')?;
                Self::between(first.trim().parse().ok()?, last.trim().parse().ok()?)
            }
        }
    }

    /// From the first to the last, at least one.
    #[must_use]
    pub fn between(first: IpAddr, last: IpAddr) -> Option<Self> {
        let last = offset_between(first, last)?;
        Some(Self { first, len: last.checked_add(1)? })
    }

    fn subnet(base: IpAddr, prefix: u8) -> Option<Self> {
        let width: u8 = if base.is_ipv4() { 32 } else { 128 };
        let host_bits = width.checked_sub(prefix)?;
        let network = TrafficSelector::subnet(base, width - host_bits.min(HOST_BITS_MAX)).start;
        let len = 1_u32 << host_bits.min(HOST_BITS_MAX);
        let skipped = offset_between(network, base)?;
        if len <= 2 {
            return Some(Self { first: base, len: len - skipped });
        }
        let first = skipped.max(1);
        let len = (len - 1).checked_sub(first).filter(|len| *len > 0)?;
        Some(Self { first: add(network, first)?, len })
    }

    /// The first address.
    #[must_use]
    pub const fn first(&self) -> IpAddr {
        self.first
    }

    /// How many.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Never: a range has at least one address.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// The address that many behind the first.
    #[must_use]
    pub fn at(&self, offset: u32) -> Option<IpAddr> {
        if offset < self.len { add(self.first, offset) } else { None }
    }

    /// How far behind the first an address lies, if it is one of these.
    #[must_use]
    pub fn offset(&self, address: IpAddr) -> Option<u32> {
        offset_between(self.first, address).filter(|offset| *offset < self.len)
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} and {} more", self.first, self.len - 1)
    }
}

fn add(address: IpAddr, offset: u32) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => Some(Ipv4Addr::from_bits(address.to_bits().checked_add(offset)?).into()),
        IpAddr::V6(address) => {
            Some(Ipv6Addr::from_bits(address.to_bits().checked_add(u128::from(offset))?).into())
        }
    }
}

fn offset_between(from: IpAddr, to: IpAddr) -> Option<u32> {
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => to.to_bits().checked_sub(from.to_bits()),
        (IpAddr::V6(from), IpAddr::V6(to)) => u32::try_from(to.to_bits().checked_sub(from.to_bits())?).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> (String, u32) {
        let range = AddressRange::parse(text).unwrap();
        (range.first().to_string(), range.len())
    }

    #[test]
    fn a_subnet_leaves_out_network_and_broadcast_address() {
        assert_eq!(range("10.5.0.0/24"), ("10.5.0.1".into(), 254));
        assert_eq!(range("10.3.0.0/28"), ("10.3.0.1".into(), 14));
        assert_eq!(range("fec3::/120"), ("fec3::1".into(), 254));
    }

    #[test]
    fn a_subnet_begins_at_the_address_given() {
        assert_eq!(range("10.5.0.10/24"), ("10.5.0.10".into(), 245));
        assert_eq!(range("10.5.0.1/24"), ("10.5.0.1".into(), 254));
    }

    #[test]
    fn small_subnets_are_used_wholly() {
        assert_eq!(range("10.5.0.7/32"), ("10.5.0.7".into(), 1));
        assert_eq!(range("10.5.0.6/31"), ("10.5.0.6".into(), 2));
        assert_eq!(range("10.5.0.7/31"), ("10.5.0.7".into(), 1));
    }

    #[test]
    fn large_subnets_are_cut() {
        assert_eq!(range("fec3::/64"), ("fec3::1".into(), (1 << 31) - 2));
        assert_eq!(range("0.0.0.0/0"), ("0.0.0.1".into(), (1 << 31) - 2));
    }

    #[test]
    fn a_range_is_used_wholly() {
        assert_eq!(range("10.6.0.10-10.6.0.19"), ("10.6.0.10".into(), 10));
        assert_eq!(range("fec3::1 - fec3::1"), ("fec3::1".into(), 1));
    }

    #[test]
    fn nonsense_is_no_range() {
        for text in [
            "",
            "junk",
            "10.0.0.1",
            "10.0.0.0/33",
            "10.0.0.2-10.0.0.1",
            "10.0.0.1-fec3::1",
            "10.0.0.255/24",
            "a/b",
            "::-ffff::",
        ] {
            assert_eq!(AddressRange::parse(text), None, "{text}");
        }
    }

    #[test]
    fn offsets_and_addresses_are_each_others_inverse() {
        let range = AddressRange::parse("10.5.0.0/24").unwrap();
        assert_eq!(range.offset(range.at(200).unwrap()), Some(200));
        assert_eq!(range.at(254), None);
        assert_eq!(range.offset("10.5.0.255".parse().unwrap()), None);
        assert_eq!(range.offset("10.5.0.0".parse().unwrap()), None);
    }
}
