//! Attributes of the configuration payload (RFC 7296 §3.15.1): what a client asks for and a gateway hands out.

mod named;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub use named::AttributeName;

/// Type of an attribute, 15 bits. Open: any number can be handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttributeKind(pub u16);

macro_rules! kinds {
    ($($constant:ident = $value:literal, $short:literal;)*) => {
        impl AttributeKind {
            $(#[doc = concat!(stringify!($value), ": ", stringify!($constant))] pub const $constant: Self = Self($value);)*

            /// The abbreviation of strongSwan's log.
            #[must_use]
            pub const fn short_name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($short),)*
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    INTERNAL_IP4_ADDRESS = 1, "ADDR";
    INTERNAL_IP4_NETMASK = 2, "MASK";
    INTERNAL_IP4_DNS = 3, "DNS";
    INTERNAL_IP4_NBNS = 4, "NBNS";
    INTERNAL_IP4_DHCP = 6, "DHCP";
    APPLICATION_VERSION = 7, "VER";
    INTERNAL_IP6_ADDRESS = 8, "ADDR6";
    INTERNAL_IP6_NETMASK = 9, "MASK6";
    INTERNAL_IP6_DNS = 10, "DNS6";
    INTERNAL_IP6_NBNS = 11, "NBNS6";
    INTERNAL_IP6_DHCP = 12, "DHCP6";
    INTERNAL_IP4_SUBNET = 13, "SUBNET";
    SUPPORTED_ATTRIBUTES = 14, "SUP";
    INTERNAL_IP6_SUBNET = 15, "SUBNET6";
    P_CSCF_IP4_ADDRESS = 20, "PCSCF4";
    P_CSCF_IP6_ADDRESS = 21, "PCSCF6";
    INTERNAL_DNS_DOMAIN = 25, "DOMAIN";
    INTERNAL_IP4_SERVER = 23456, "SRV";
    INTERNAL_IP6_SERVER = 23457, "SRV6";
    UNITY_DEF_DOMAIN = 28674, "U_DEFDOM";
    UNITY_SPLITDNS_NAME = 28675, "U_SPLITDNS";
    UNITY_SPLIT_INCLUDE = 28676, "U_SPLITINC";
    UNITY_LOCAL_LAN = 28678, "U_LOCALLAN";
}

impl fmt::Display for AttributeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.short_name() {
            Some(name) => f.write_str(name),
            None => write!(f, "({})", self.0),
        }
    }
}

/// One attribute.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ConfigAttribute {
    /// Type.
    pub kind: AttributeKind,
    /// Value, often empty in a request.
    pub value: Vec<u8>,
}

impl ConfigAttribute {
    /// Without a value: "give me one".
    #[must_use]
    pub const fn empty(kind: AttributeKind) -> Self {
        Self { kind, value: Vec::new() }
    }

    /// INTERNAL_IP4_ADDRESS or INTERNAL_IP6_ADDRESS with that address, the latter as a host (RFC 7296 §3.15.1).
    #[must_use]
    pub fn internal_address(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => {
                Self { kind: AttributeKind::INTERNAL_IP4_ADDRESS, value: address.octets().to_vec() }
            }
            IpAddr::V6(address) => {
                let mut value = address.octets().to_vec();
                value.push(128);
                Self { kind: AttributeKind::INTERNAL_IP6_ADDRESS, value }
            }
        }
    }

    /// What an INTERNAL_IP4_ADDRESS or INTERNAL_IP6_ADDRESS says: the unspecified address of its family if it has no value.
    /// `None` for other attributes and for values that are no address.
    #[must_use]
    pub fn as_internal_address(&self) -> Option<IpAddr> {
        match self.kind {
            AttributeKind::INTERNAL_IP4_ADDRESS if self.value.is_empty() => {
                Some(Ipv4Addr::UNSPECIFIED.into())
            }
            AttributeKind::INTERNAL_IP6_ADDRESS if self.value.is_empty() => {
                Some(Ipv6Addr::UNSPECIFIED.into())
            }
            AttributeKind::INTERNAL_IP4_ADDRESS => self.as_address().filter(IpAddr::is_ipv4),
            // With its prefix length, which some leave out.
            AttributeKind::INTERNAL_IP6_ADDRESS => {
                let (address, rest) = self.value.split_first_chunk::<16>()?;
                (rest.len() <= 1).then(|| Ipv6Addr::from(*address).into())
            }
            _ => None,
        }
    }

    /// The value as an address.
    #[must_use]
    pub fn as_address(&self) -> Option<IpAddr> {
        if let Ok(octets) = <[u8; 4]>::try_from(self.value.as_slice()) {
            return Some(Ipv4Addr::from(octets).into());
        }
        <[u8; 16]>::try_from(self.value.as_slice()).ok().map(|octets| Ipv6Addr::from(octets).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_survives_its_attribute() {
        for text in ["10.3.0.1", "fec0::1"] {
            let address: IpAddr = text.parse().unwrap();
            assert_eq!(ConfigAttribute::internal_address(address).as_internal_address(), Some(address));
        }
    }

    #[test]
    fn an_empty_value_asks_for_any_address_of_the_family() {
        let asked = |kind| ConfigAttribute::empty(kind).as_internal_address();
        assert_eq!(asked(AttributeKind::INTERNAL_IP4_ADDRESS), Some(Ipv4Addr::UNSPECIFIED.into()));
        assert_eq!(asked(AttributeKind::INTERNAL_IP6_ADDRESS), Some(Ipv6Addr::UNSPECIFIED.into()));
        assert_eq!(asked(AttributeKind::INTERNAL_IP4_DNS), None);
    }

    #[test]
    fn values_of_a_wrong_length_are_no_address() {
        for (kind, len) in [
            (AttributeKind::INTERNAL_IP4_ADDRESS, 3),
            (AttributeKind::INTERNAL_IP4_ADDRESS, 16),
            (AttributeKind::INTERNAL_IP6_ADDRESS, 4),
            (AttributeKind::INTERNAL_IP6_ADDRESS, 18),
        ] {
            assert_eq!(ConfigAttribute { kind, value: vec![1; len] }.as_internal_address(), None);
        }
    }
}
