//! Attributes as settings write them: a name or a number, and text.

use std::net::IpAddr;

use super::{AttributeKind, ConfigAttribute};

/// Attributes with names, by family.
const NAMES: &[(&str, AttributeKind, AttributeKind)] = &[
    ("address", AttributeKind::INTERNAL_IP4_ADDRESS, AttributeKind::INTERNAL_IP6_ADDRESS),
    ("dns", AttributeKind::INTERNAL_IP4_DNS, AttributeKind::INTERNAL_IP6_DNS),
    ("nbns", AttributeKind::INTERNAL_IP4_NBNS, AttributeKind::INTERNAL_IP6_NBNS),
    ("dhcp", AttributeKind::INTERNAL_IP4_DHCP, AttributeKind::INTERNAL_IP6_DHCP),
    ("netmask", AttributeKind::INTERNAL_IP4_NETMASK, AttributeKind::INTERNAL_IP6_NETMASK),
    ("server", AttributeKind::INTERNAL_IP4_SERVER, AttributeKind::INTERNAL_IP6_SERVER),
    ("subnet", AttributeKind::INTERNAL_IP4_SUBNET, AttributeKind::INTERNAL_IP6_SUBNET),
    ("p_cscf", AttributeKind::P_CSCF_IP4_ADDRESS, AttributeKind::P_CSCF_IP6_ADDRESS),
    ("split_include", AttributeKind::UNITY_SPLIT_INCLUDE, AttributeKind::UNITY_SPLIT_INCLUDE),
    ("split_exclude", AttributeKind::UNITY_LOCAL_LAN, AttributeKind::UNITY_LOCAL_LAN),
];

/// An attribute as settings name it: by a name that stands for a type of each family, or by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeName {
    /// By family; the value must be an address or a subnet.
    Named {
        /// With an IPv4 address.
        v4: AttributeKind,
        /// With an IPv6 address.
        v6: AttributeKind,
    },
    /// Whatever the value is; text goes as it is.
    Numbered(AttributeKind),
}

impl AttributeName {
    /// A name such as `dns`, or a number from 1 to 32767.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match NAMES.iter().find(|(known, ..)| *known == name) {
            Some((_, v4, v6)) => Some(Self::Named { v4: *v4, v6: *v6 }),
            None => number(name).map(Self::Numbered),
        }
    }

    /// The attribute with this value; `None` if the value is none of it.
    #[must_use]
    pub fn encode(self, text: &str) -> Option<ConfigAttribute> {
        let encoded = address_or_subnet(text);
        match self {
            Self::Named { v4, v6 } => {
                let (address, value) = encoded?;
                Some(ConfigAttribute { kind: if address.is_ipv4() { v4 } else { v6 }, value })
            }
            Self::Numbered(kind) => {
                let value = encoded.map_or_else(|| text.as_bytes().to_vec(), |(_, value)| value);
                Some(ConfigAttribute { kind, value })
            }
        }
    }
}

/// An address as its octets, a subnet as address and mask (IPv4) or address and prefix length (IPv6).
fn address_or_subnet(text: &str) -> Option<(IpAddr, Vec<u8>)> {
    let Some((address, prefix)) = text.split_once('/') else {
        let address: IpAddr = text.parse().ok()?;
        return Some((address, octets(address)));
    };
    let (address, prefix): (IpAddr, u8) = (address.parse().ok()?, prefix.parse().ok()?);
    let mut value = octets(address);
    match address {
        IpAddr::V4(_) => {
            let host = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
            value.extend_from_slice(&(prefix <= 32).then_some(!host)?.to_be_bytes());
        }
        IpAddr::V6(_) => value.push((prefix <= 128).then_some(prefix)?),
    }
    Some((address, value))
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// 15 bits, zero is reserved.
fn number(key: &str) -> Option<AttributeKind> {
    let number: u16 = key.parse().ok()?;
    (1..0x8000).contains(&number).then_some(AttributeKind(number))
}
