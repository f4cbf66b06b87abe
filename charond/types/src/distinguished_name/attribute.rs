//! Types of attributes in names: keywords and object identifiers.

use std::fmt;

use super::der;

/// Content octets of the object identifier that a keyword or dotted numbers stand for. Case does not matter.
pub(super) fn oid_of(text: &str) -> Option<Vec<u8>> {
    let known = KEYWORDS.iter().find(|(keyword, _)| keyword.eq_ignore_ascii_case(text));
    known.map(|(_, oid)| oid.to_vec()).or_else(|| encode_dotted(text))
}

/// The tag for a value of that type.
pub(super) fn tag_for(oid: &[u8], value: &str) -> u8 {
    match oid {
        EMAIL | UNSTRUCTURED_NAME | DOMAIN_COMPONENT if value.is_ascii() => der::IA5_STRING,
        _ if value.bytes().all(is_printable_string) => der::PRINTABLE_STRING,
        _ => der::UTF8_STRING,
    }
}

/// Shows an object identifier: the keyword, else dotted numbers, else hex.
pub(super) struct OidText<'a>(pub(super) &'a [u8]);

impl fmt::Display for OidText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((keyword, _)) = KEYWORDS.iter().find(|(_, oid)| *oid == self.0) {
            return f.write_str(keyword);
        }
        match decode_arcs(self.0) {
            Some(arcs) => f.write_str(&arcs.iter().map(u64::to_string).collect::<Vec<_>>().join(".")),
            None => self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}")),
        }
    }
}

/// Whether an octet may stand in a PrintableString (X.680 §41.4).
pub(super) const fn is_printable_string(octet: u8) -> bool {
    octet.is_ascii_alphanumeric()
        || matches!(octet, b' ' | b'\'' | b'(' | b')' | b'+'..=b'/' | b':' | b'=' | b'?')
}

fn encode_dotted(text: &str) -> Option<Vec<u8>> {
    let digits = |arc: &str| !arc.is_empty() && arc.bytes().all(|octet| octet.is_ascii_digit());
    let arcs: Option<Vec<u64>> =
        text.split('.').map(|arc| if digits(arc) { arc.parse().ok() } else { None }).collect();
    let arcs = arcs?;
    let [first @ 0..=2, second, rest @ ..] = arcs.as_slice() else { return None };
    if *first < 2 && *second > 39 {
        return None;
    }
    let mut oid = Vec::new();
    push_arc(&mut oid, second.checked_add(first.checked_mul(40)?)?);
    for arc in rest {
        push_arc(&mut oid, *arc);
    }
    Some(oid)
}

fn push_arc(oid: &mut Vec<u8>, arc: u64) {
    let septets = (u64::BITS - arc.leading_zeros()).div_ceil(7).max(1);
    for place in (0..septets).rev() {
        let septet = u8::try_from((arc >> (7 * place)) & 0x7f).unwrap_or(0);
        oid.push(if place == 0 { septet } else { septet | 0x80 });
    }
}

fn decode_arcs(oid: &[u8]) -> Option<Vec<u64>> {
    let mut arcs = Vec::new();
    let mut arc: u64 = 0;
    for octet in oid {
        if arc > u64::MAX >> 7 {
            return None;
        }
        arc = (arc << 7) | u64::from(octet & 0x7f);
        if octet & 0x80 == 0 {
            if arcs.is_empty() {
                let first = (arc / 40).min(2);
                arcs.push(first);
                arc = arc.saturating_sub(first.saturating_mul(40));
            }
            arcs.push(arc);
            arc = 0;
        }
    }
    oid.last().is_some_and(|octet| octet & 0x80 == 0).then_some(arcs)
}

/// 1.2.840.113549.1.9.1
pub(super) const EMAIL: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01];
const UNSTRUCTURED_NAME: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x02];
const UNSTRUCTURED_ADDRESS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x08];
const USER_ID: &[u8] = &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x01];
const DOMAIN_COMPONENT: &[u8] = &[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19];
const EMPLOYEE_NUMBER: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x86, 0xf8, 0x42, 0x03, 0x01, 0x03];
const NAME_DISTINGUISHER: &[u8] = &[0x02, 0x82, 0x06, 0x01, 0x0a, 0x07, 0x14];

/// Keywords with their object identifiers; of several keywords for one the first is shown.
const KEYWORDS: &[(&str, &[u8])] = &[
    ("ND", NAME_DISTINGUISHER),
    ("UID", USER_ID),
    ("DC", DOMAIN_COMPONENT),
    ("CN", &[0x55, 4, 3]),
    ("S", &[0x55, 4, 4]),
    ("SN", &[0x55, 4, 5]),
    ("serialNumber", &[0x55, 4, 5]),
    ("C", &[0x55, 4, 6]),
    ("L", &[0x55, 4, 7]),
    ("ST", &[0x55, 4, 8]),
    ("STREET", &[0x55, 4, 9]),
    ("O", &[0x55, 4, 10]),
    ("OU", &[0x55, 4, 11]),
    ("organizationIdentifier", &[0x55, 4, 97]),
    ("T", &[0x55, 4, 12]),
    ("D", &[0x55, 4, 13]),
    ("postalAddress", &[0x55, 4, 16]),
    ("postalCode", &[0x55, 4, 17]),
    ("N", &[0x55, 4, 41]),
    ("G", &[0x55, 4, 42]),
    ("I", &[0x55, 4, 43]),
    ("dnQualifier", &[0x55, 4, 46]),
    ("dmdName", &[0x55, 4, 54]),
    ("pseudonym", &[0x55, 4, 65]),
    ("ID", &[0x55, 4, 45]),
    ("EN", EMPLOYEE_NUMBER),
    ("employeeNumber", EMPLOYEE_NUMBER),
    ("E", EMAIL),
    ("Email", EMAIL),
    ("emailAddress", EMAIL),
    ("UN", UNSTRUCTURED_NAME),
    ("unstructuredName", UNSTRUCTURED_NAME),
    ("UA", UNSTRUCTURED_ADDRESS),
    ("unstructuredAddress", UNSTRUCTURED_ADDRESS),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keywords_agree_with_their_dotted_numbers() {
        for (keyword, dotted) in [
            ("UID", "0.9.2342.19200300.100.1.1"),
            ("DC", "0.9.2342.19200300.100.1.25"),
            ("ND", "0.2.262.1.10.7.20"),
            ("employeeNumber", "2.16.840.1.113730.3.1.3"),
            ("email", "1.2.840.113549.1.9.1"),
            ("UA", "1.2.840.113549.1.9.8"),
            ("cn", "2.5.4.3"),
            ("organizationIdentifier", "2.5.4.97"),
        ] {
            assert_eq!(oid_of(keyword), encode_dotted(dotted), "{keyword}");
        }
    }

    #[test]
    fn impossible_identifiers_are_refused() {
        for text in ["", "1", "3.1", "1.40", "1..2", "1.+2", "1.2.99999999999999999999", "FOO"] {
            assert_eq!(oid_of(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn dotted_numbers_read_back(second in 0u64..40, rest in prop::collection::vec(any::<u64>(), 1..6)) {
            let text = format!("1.{second}.{}", rest.iter().map(u64::to_string).collect::<Vec<_>>().join("."));
            let oid = encode_dotted(&text).expect("an identifier");
            prop_assert_eq!(OidText(&oid).to_string(), text);
        }

        #[test]
        fn any_octets_are_shown(oid in prop::collection::vec(any::<u8>(), 0..20)) {
            let _ = OidText(&oid).to_string();
        }
    }
}
