//! The section of a pool: addresses, and attributes by name or number.

use std::net::IpAddr;

use charon_core::pools::{AddressRange, PoolSpec};
use charon_types::config_attribute::{AttributeKind, ConfigAttribute};
use vici::{List, Section, Value};

use crate::load_conn::value;

/// Why a pool is not loaded, in the words that clients of strongSwan know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("missing addrs for pool '{0}'")]
    AddressesMissing(String),
    #[error("invalid addrs value: {0}")]
    Addresses(String),
    #[error("invalid addrs value")]
    AddressesUnreadable,
    #[error("multiple addrs defined")]
    AddressesTwice,
    #[error("invalid attribute: {0}")]
    Attribute(String),
    #[error("invalid attribute value for {0}")]
    AttributeValue(String),
}

/// Reads the section of a pool. Keys are evaluated in their order; the first that is wrong refuses it.
pub(crate) fn parse(name: &str, section: Section<'_>) -> Result<PoolSpec, Refusal> {
    let mut range = None;
    let mut attributes = Vec::new();
    for (key, value) in section {
        let key = key.as_str();
        match value {
            Value::Data(text) if key == "addrs" => {
                if range.is_some() {
                    return Err(Refusal::AddressesTwice);
                }
                let text = value::text(text).ok_or(Refusal::AddressesUnreadable)?;
                let parsed = AddressRange::parse(text);
                range = Some(parsed.ok_or_else(|| Refusal::Addresses(text.to_owned()))?);
            }
            Value::List(items) => read(key, items, &mut attributes)?,
            Value::Data(_) | Value::Section(_) => return Err(Refusal::Attribute(key.to_owned())),
        }
    }
    let range = range.ok_or_else(|| Refusal::AddressesMissing(name.to_owned()))?;
    Ok(PoolSpec { name: name.into(), range, attributes })
}

fn read(key: &str, items: List<'_>, attributes: &mut Vec<ConfigAttribute>) -> Result<(), Refusal> {
    let kinds = match NAMES.iter().find(|(name, ..)| *name == key) {
        Some((_, v4, v6)) => Kinds::Named { v4: *v4, v6: *v6 },
        None => Kinds::Numbered(number(key).ok_or_else(|| Refusal::Attribute(key.to_owned()))?),
    };
    for item in items.iter() {
        let attribute = value::text(item).and_then(|text| kinds.encode(text));
        attributes.push(attribute.ok_or_else(|| Refusal::AttributeValue(key.to_owned()))?);
    }
    Ok(())
}

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

enum Kinds {
    /// By family; the value must be an address or a subnet.
    Named { v4: AttributeKind, v6: AttributeKind },
    /// Whatever the value is; text goes as it is.
    Numbered(AttributeKind),
}

impl Kinds {
    fn encode(&self, text: &str) -> Option<ConfigAttribute> {
        let encoded = address_or_subnet(text);
        match *self {
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

#[cfg(test)]
mod tests {
    use vici::Message;

    use super::*;

    fn load(message: &Message) -> Result<PoolSpec, String> {
        let bytes = message.encode().unwrap();
        parse("p", Section::parse(bytes).unwrap()).map_err(|refusal| refusal.to_string())
    }

    fn attribute(key: &str, text: &str) -> (u16, Vec<u8>) {
        let message = Message::new().with("addrs", "10.3.0.0/24").with_list(key, [text]);
        let mut spec = load(&message).unwrap();
        let attribute = spec.attributes.remove(0);
        (attribute.kind.0, attribute.value)
    }

    #[test]
    fn attributes_are_encoded_by_family() {
        assert_eq!(attribute("dns", "10.0.0.53"), (3, vec![10, 0, 0, 53]));
        assert_eq!(attribute("dns", "2001:db8::53").0, 10);
        assert_eq!(attribute("nbns", "10.0.0.54").0, 4);
        assert_eq!(attribute("subnet", "10.1.0.0/16"), (13, vec![10, 1, 0, 0, 255, 255, 0, 0]));
        let (kind, value) = attribute("subnet", "fec1::/16");
        assert_eq!((kind, value.len(), value[16]), (15, 17, 16));
        assert_eq!(attribute("split_include", "10.0.0.0/8"), (28676, vec![10, 0, 0, 0, 255, 0, 0, 0]));
        assert_eq!(attribute("split_exclude", "10.9.0.0/16").0, 28678);
    }

    #[test]
    fn attributes_by_number_take_addresses_and_any_text() {
        assert_eq!(attribute("25", "corp.example"), (25, b"corp.example".to_vec()));
        assert_eq!(attribute("28673", "ff00"), (28673, b"ff00".to_vec()));
        assert_eq!(attribute("20", "10.0.0.9"), (20, vec![10, 0, 0, 9]));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let pool = || Message::new().with("addrs", "10.3.0.0/24");
        for (message, expected) in [
            (Message::new(), "missing addrs for pool 'p'"),
            (Message::new().with("addrs", "junk"), "invalid addrs value: junk"),
            (Message::new().with("addrs", "a\nb"), "invalid addrs value"),
            (pool().with("addrs", "10.3.0.0/24"), "multiple addrs defined"),
            (pool().with("dns", "10.0.0.1"), "invalid attribute: dns"),
            (pool().with_list("foo", ["10.0.0.1"]), "invalid attribute: foo"),
            (pool().with_list("0", ["x"]), "invalid attribute: 0"),
            (pool().with_list("32768", ["x"]), "invalid attribute: 32768"),
            (pool().with_list("dns", ["junk"]), "invalid attribute value for dns"),
            (pool().with_list("subnet", ["10.0.0.0/33"]), "invalid attribute value for subnet"),
        ] {
            assert_eq!(load(&message).unwrap_err(), expected);
        }
    }
}
