//! The section of a pool: addresses, and attributes by name or number.

use charon_core::pools::{AddressRange, PoolSpec};
use charon_types::config_attribute::{AttributeName, ConfigAttribute};
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
    let name = AttributeName::parse(key).ok_or_else(|| Refusal::Attribute(key.to_owned()))?;
    for item in items.iter() {
        let attribute = value::text(item).and_then(|text| name.encode(text));
        attributes.push(attribute.ok_or_else(|| Refusal::AttributeValue(key.to_owned()))?);
    }
    Ok(())
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
