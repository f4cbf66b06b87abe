//! Addresses an IKE_SA talks between.

use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use crate::selector::{TrafficSelector, subnet_bounds};

/// UDP port for IKE before a NAT is found (RFC 7296 §2).
pub const PORT_IKE: u16 = 500;
/// UDP port for IKE and ESP behind a NAT (RFC 7296 §2.23).
pub const PORT_NAT_T: u16 = 4500;

/// The two ends of an IKE_SA's UDP flow, seen from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    /// Our address and port.
    pub local: SocketAddr,
    /// The peer's address and port.
    pub remote: SocketAddr,
}

/// One entry of `local_addrs` or `remote_addrs`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EndpointPattern {
    /// `%any`
    Any,
    /// `%any4`
    AnyIpv4,
    /// `%any6`
    AnyIpv6,
    /// A single address. The unspecified one (`0.0.0.0`, `::`) stands for every address of its family.
    Address(IpAddr),
    /// `a/b`: address and prefix length.
    Subnet(IpAddr, u8),
    /// `a-b`, inclusive.
    Range(IpAddr, IpAddr),
    /// A DNS name, resolved when it is looked up.
    Name(String),
}

/// How closely a pattern describes an address; the greater wins when a connection is chosen. Compare only between
/// matches of the same address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Specificity(u16);

impl Specificity {
    /// `%any`
    pub const ANY: Self = Self(0);
    /// Any address of the family.
    pub const FAMILY: Self = Self(1);
    /// The address itself.
    pub const EXACT: Self = Self(u16::MAX);

    /// As a number for sums: 0 for any, 1 for the family, 2 and more with the prefix, 65535 when exact.
    #[must_use]
    pub const fn value(self) -> u16 {
        self.0
    }

    fn subnet(prefix: u8) -> Self {
        Self(u16::from(prefix).saturating_add(2))
    }
}

impl EndpointPattern {
    /// Reads one entry: tried as a subnet, as a range, as an address; anything else is a DNS name. Never fails, because
    /// names are judged by the resolver.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        match text {
            "" | "%any" => return Self::Any,
            "%any4" => return Self::AnyIpv4,
            "%any6" => return Self::AnyIpv6,
            _ => {}
        }
        parse_subnet(text)
            .or_else(|| parse_range(text))
            .or_else(|| text.parse().ok().map(Self::Address))
            .unwrap_or_else(|| Self::Name(text.to_owned()))
    }

    /// Whether the address is meant, and how closely. A name never matches: resolve it and ask with its addresses.
    #[must_use]
    pub fn matches(&self, address: IpAddr) -> Option<Specificity> {
        let within =
            |range: TrafficSelector, specificity| range.contains_address(address).then_some(specificity);
        match *self {
            Self::Any => Some(Specificity::ANY),
            Self::AnyIpv4 => address.is_ipv4().then_some(Specificity::FAMILY),
            Self::AnyIpv6 => address.is_ipv6().then_some(Specificity::FAMILY),
            Self::Address(any) if any.is_unspecified() => {
                (any.is_ipv4() == address.is_ipv4()).then_some(Specificity::FAMILY)
            }
            Self::Address(own) => (own == address).then_some(Specificity::EXACT),
            Self::Subnet(net, prefix) => {
                within(TrafficSelector::subnet(net, prefix), Specificity::subnet(prefix))
            }
            Self::Range(start, end) => {
                let range = TrafficSelector::range(start, end)?;
                within(range, Specificity::subnet(range.covering_subnet().1))
            }
            Self::Name(_) => None,
        }
    }

    /// Whether an initiator can send to it (once a name is resolved): a name or a specific address.
    #[must_use]
    pub fn is_destination(&self) -> bool {
        match self {
            Self::Address(address) => !address.is_unspecified(),
            Self::Name(_) => true,
            Self::Any | Self::AnyIpv4 | Self::AnyIpv6 | Self::Subnet(..) | Self::Range(..) => false,
        }
    }
}

/// Shows an address as the standard library does, without its detours: listings consist of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressText(pub IpAddr);

impl fmt::Display for AddressText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let IpAddr::V4(address) = self.0 else { return self.0.fmt(f) };
        let mut text = [0; "255.255.255.255".len()];
        let mut places = text.iter_mut();
        let mut len: usize = 0;
        let mut put = |octet: u8| {
            if let Some(place) = places.next() {
                *place = octet;
                len = len.saturating_add(1);
            }
        };
        for (index, octet) in address.octets().into_iter().enumerate() {
            if index > 0 {
                put(b'.');
            }
            if octet >= 100 {
                put(b'0' + octet / 100);
            }
            if octet >= 10 {
                put(b'0' + octet / 10 % 10);
            }
            put(b'0' + octet % 10);
        }
        f.write_str(text.get(..len).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default())
    }
}

impl FromStr for EndpointPattern {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::parse(text))
    }
}

/// As configured.
impl fmt::Display for EndpointPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("%any"),
            Self::AnyIpv4 => f.write_str("%any4"),
            Self::AnyIpv6 => f.write_str("%any6"),
            Self::Address(address) => AddressText(*address).fmt(f),
            Self::Subnet(address, prefix) => write!(f, "{}/{prefix}", AddressText(*address)),
            Self::Range(start, end) => write!(f, "{}-{}", AddressText(*start), AddressText(*end)),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// `a/b`; host bits are dropped, a prefix beyond the family's width is refused.
fn parse_subnet(text: &str) -> Option<EndpointPattern> {
    let (address, prefix) = text.split_once('/')?;
    let (address, prefix) = (address.parse::<IpAddr>().ok()?, prefix.parse::<u8>().ok()?);
    let width = if address.is_ipv4() { 32 } else { 128 };
    (prefix <= width).then(|| EndpointPattern::Subnet(subnet_bounds(address, prefix).0, prefix))
}

fn parse_range(text: &str) -> Option<EndpointPattern> {
    let (start, end) = text.split_once('-')?;
    let range = TrafficSelector::range(start.trim().parse().ok()?, end.trim().parse().ok()?)?;
    Some(EndpointPattern::Range(range.start, range.end))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn entries_are_tried_as_subnet_range_address_and_name() {
        for text in [
            "%any",
            "%any4",
            "%any6",
            "10.0.0.0/8",
            "fe80::-fe80::9",
            "192.0.2.1",
            "moon.example.org",
            "a-b.org",
        ] {
            assert_eq!(EndpointPattern::parse(text).to_string(), text);
        }
        assert_eq!(EndpointPattern::parse("10.0.0.7/8"), EndpointPattern::Subnet(address("10.0.0.0"), 8));
        assert_eq!(EndpointPattern::parse("a-b.org"), EndpointPattern::Name("a-b.org".into()));
    }

    #[test]
    fn the_closer_pattern_scores_higher() {
        let patterns = ["%any", "%any4", "192.0.0.0/8", "192.0.2.0/24", "192.0.2.1-192.0.2.2", "192.0.2.1"];
        let scores: Vec<_> = patterns
            .map(|text| EndpointPattern::parse(text).matches(address("192.0.2.1")).expect(text))
            .into_iter()
            .collect();
        assert!(scores.is_sorted() && scores.first() != scores.last());
    }

    #[test]
    fn another_family_does_not_match() {
        assert_eq!(EndpointPattern::parse("%any6").matches(address("192.0.2.1")), None);
        assert_eq!(EndpointPattern::parse("::/0").matches(address("192.0.2.1")), None);
        assert_eq!(EndpointPattern::parse("0.0.0.0").matches(address("::1")), None);
    }

    #[test]
    fn patterns_are_no_destination() {
        assert!(EndpointPattern::parse("moon.example.org").is_destination());
        assert!(!EndpointPattern::parse("10.0.0.0/8").is_destination());
        assert!(!EndpointPattern::Address(Ipv4Addr::UNSPECIFIED.into()).is_destination());
    }

    #[test]
    fn addresses_are_shown_as_the_standard_library_does() {
        for octet in 0..=u8::MAX {
            let address = IpAddr::from([octet, 0, octet, 255]);
            assert_eq!(AddressText(address).to_string(), address.to_string());
        }
        let address = IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]);
        assert_eq!(AddressText(address).to_string(), "2001:db8::1");
    }

    proptest! {
        #[test]
        fn any_text_gives_a_pattern_that_reads_back(text in ".{0,40}") {
            let pattern = EndpointPattern::parse(&text);
            prop_assert_eq!(EndpointPattern::parse(&pattern.to_string()), pattern);
        }
    }
}
