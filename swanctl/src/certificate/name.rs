//! Distinguished names and the other names of certificates.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use const_oid::ObjectIdentifier;
use der::asn1::{Any, BmpString, PrintableStringRef, TeletexStringRef};
use der::{Tag, Tagged};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;

/// The short names of attribute types.
const TYPES: [(&str, &str); 26] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "T"),
    ("2.5.4.13", "D"),
    ("2.5.4.16", "postalAddress"),
    ("2.5.4.17", "postalCode"),
    ("2.5.4.41", "N"),
    ("2.5.4.42", "G"),
    ("2.5.4.43", "I"),
    ("2.5.4.45", "ID"),
    ("2.5.4.46", "dnQualifier"),
    ("2.5.4.54", "dmdName"),
    ("2.5.4.65", "pseudonym"),
    ("2.5.4.97", "organizationIdentifier"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "E"),
    ("1.2.840.113549.1.9.2", "unstructuredName"),
    ("1.2.840.113549.1.9.8", "unstructuredAddress"),
];

/// A distinguished name, most general part first.
pub(crate) fn distinguished(name: &Name) -> String {
    let mut text = String::new();
    for part in name.iter() {
        if !text.is_empty() {
            text.push_str(", ");
        }
        let _ = write!(text, "{}={}", type_name(part.oid), value(&part.value));
    }
    text
}

/// A name of a subject other than its distinguished name; `None` for kinds that have no text.
pub(crate) fn general(name: &GeneralName) -> Option<String> {
    Some(match name {
        GeneralName::Rfc822Name(text) | GeneralName::DnsName(text) => text.to_string(),
        GeneralName::UniformResourceIdentifier(text) => text.to_string(),
        GeneralName::DirectoryName(name) => distinguished(name),
        GeneralName::IpAddress(bytes) => address(bytes.as_bytes())?,
        _ => return None,
    })
}

/// An address, or an address and its mask as name constraints have them.
fn address(bytes: &[u8]) -> Option<String> {
    let prefix = |mask: &[u8]| mask.iter().map(|byte| byte.leading_ones()).sum::<u32>();
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(bytes).to_string());
    }
    if let Ok(bytes) = <[u8; 16]>::try_from(bytes) {
        return Some(Ipv6Addr::from(bytes).to_string());
    }
    let (network, mask) = bytes.split_at(bytes.len() / 2);
    (network.len() == mask.len() && matches!(network.len(), 4 | 16))
        .then(|| address(network).map(|network| format!("{network}/{}", prefix(mask))))
        .flatten()
}

fn type_name(identifier: ObjectIdentifier) -> String {
    let dotted = identifier.to_string();
    TYPES.iter().find(|(known, _)| *known == dotted).map_or(dotted, |(_, name)| (*name).to_owned())
}

/// The text of an attribute; what cannot be printed shows as `?`.
fn value(value: &Any) -> String {
    let decoded = match value.tag() {
        Tag::PrintableString => value.decode_as::<PrintableStringRef<'_>>().map(|text| text.to_string()).ok(),
        Tag::TeletexString => value.decode_as::<TeletexStringRef<'_>>().map(|text| text.to_string()).ok(),
        Tag::BmpString => value.decode_as::<BmpString>().map(|text| text.to_string()).ok(),
        _ => None,
    };
    let text = decoded.unwrap_or_else(|| String::from_utf8_lossy(value.value()).into_owned());
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_show_with_their_mask_if_they_have_one() {
        assert_eq!(address(&[192, 0, 2, 1]).as_deref(), Some("192.0.2.1"));
        assert_eq!(address(&[192, 0, 2, 0, 255, 255, 255, 0]).as_deref(), Some("192.0.2.0/24"));
        assert_eq!(address(&[0; 16]).as_deref(), Some("::"));
        assert_eq!(address(&[0; 32]).as_deref(), Some("::/0"));
        assert_eq!(address(&[1, 2, 3]), None);
        assert_eq!(address(&[1; 6]), None);
    }
}
