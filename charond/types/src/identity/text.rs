//! Identities as people write them, and as strongSwan shows them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use super::{
    DER_ASN1_DN, DER_ASN1_GN, FQDN, GENERAL_NAME_URI, IPV4_ADDR, IPV4_ADDR_SUBNET, IPV4_RANGE, IPV6_ADDR,
    IPV6_ADDR_SUBNET, IPV6_RANGE, Identity, KEY_ID, RFC822_ADDR,
};
use crate::hex;
use crate::selector::TrafficSelector;

/// Why a text is no identity. Nearly every text is one: what fits nothing else is a name or a key id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdentityError {
    /// A regular expression (`prefix:^...$`), which is not supported.
    Regex,
    /// What follows `#` is not pairs of hexadecimal digits.
    Hex,
    /// `{n}:` with a number above 255.
    TypeNumber,
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Regex => "regular expressions are not supported in identities",
            Self::Hex => "identity has invalid hexadecimal digits after '#'",
            Self::TypeNumber => "identity type number is above 255",
        })
    }
}

impl std::error::Error for IdentityError {}

impl Identity {
    /// Reads an identity or a pattern by strongSwan's rules: an explicit type (`fqdn:`, `{2}:`), a distinguished name
    /// where there is an `=`, addresses, subnets and ranges, `@name`, `@@mailbox`, `@#hex`, mailboxes, else names.
    ///
    /// # Errors
    /// Regular expressions, broken hex and impossible type numbers.
    pub fn parse(text: &str) -> Result<Self, IdentityError> {
        if let Some(typed) = parse_prefixed(text).or_else(|| parse_numbered(text)) {
            return typed;
        }
        if text.contains('=') {
            return Ok(text.parse().map_or_else(|_| Self::KeyId(text.as_bytes().to_vec()), Self::Dn));
        }
        if !text.contains('@') {
            return Ok(parse_bare(text));
        }
        let Some(rest) = text.strip_prefix('@') else { return Ok(Self::Rfc822(text.to_owned())) };
        if let Some(digits) = rest.strip_prefix('#') {
            return hex::decode(digits).map(Self::KeyId).ok_or(IdentityError::Hex);
        }
        Ok(match rest.strip_prefix('@') {
            Some(mailbox) => Self::Rfc822(mailbox.to_owned()),
            None => Self::Fqdn(rest.to_owned()),
        })
    }
}

impl FromStr for Identity {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// As strongSwan prints it. Control characters show as `?`.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("%any"),
            Self::Address(address) => address.fmt(f),
            Self::Fqdn(text) | Self::Rfc822(text) => write_text(text, f),
            Self::Subnet(address, prefix) => write!(f, "{address}/{prefix}"),
            Self::Range(start, end) => write!(f, "{start}-{end}"),
            Self::Dn(name) => name.fmt(f),
            Self::Gn(octets) => match uri_of(octets) {
                Some(uri) => write_text(uri, f),
                None => f.write_str("(ASN.1 general name)"),
            },
            Self::KeyId(octets) => match std::str::from_utf8(octets) {
                Ok(text) if octets.len() != SHA1_LEN && is_printable(octets) => f.write_str(text),
                _ => hex::write_colons(octets, f),
            },
            Self::Other(kind, _) => write!(f, "(unknown ID type: {kind})"),
        }
    }
}

/// Key ids of this length are hashes of keys.
const SHA1_LEN: usize = 20;

/// `[0]`, the kind `otherName` with its EXPLICIT value of the type id-on-xmppAddr (RFC 6120 §13.7.1.4).
const GENERAL_NAME_OTHER: u8 = 0xa0;
const XMPP_ADDRESS_OID: &[u8] = &[0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x08, 0x05];

/// What a prefix makes of its value.
#[derive(Clone, Copy)]
enum Prefix {
    Wire(u8),
    Uri,
    Xmpp,
}

const PREFIXES: &[(&str, Prefix)] = &[
    ("ipv4", Prefix::Wire(IPV4_ADDR)),
    ("ipv6", Prefix::Wire(IPV6_ADDR)),
    ("ipv4net", Prefix::Wire(IPV4_ADDR_SUBNET)),
    ("ipv6net", Prefix::Wire(IPV6_ADDR_SUBNET)),
    ("ipv4range", Prefix::Wire(IPV4_RANGE)),
    ("ipv6range", Prefix::Wire(IPV6_RANGE)),
    ("rfc822", Prefix::Wire(RFC822_ADDR)),
    ("email", Prefix::Wire(RFC822_ADDR)),
    ("userfqdn", Prefix::Wire(RFC822_ADDR)),
    ("fqdn", Prefix::Wire(FQDN)),
    ("dns", Prefix::Wire(FQDN)),
    ("asn1dn", Prefix::Wire(DER_ASN1_DN)),
    ("asn1gn", Prefix::Wire(DER_ASN1_GN)),
    ("keyid", Prefix::Wire(KEY_ID)),
    ("uri", Prefix::Uri),
    ("xmppaddr", Prefix::Xmpp),
];

fn parse_prefixed(text: &str) -> Option<Result<Identity, IdentityError>> {
    let (name, value) = text.split_once(':')?;
    let (_, prefix) = PREFIXES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    let octets = match value.strip_prefix('#').map(hex::decode) {
        Some(Some(octets)) => octets,
        Some(None) => return Some(Err(IdentityError::Hex)),
        None => value.as_bytes().to_vec(),
    };
    let regex = value.starts_with('^') && value.ends_with('$');
    Some(Ok(match *prefix {
        Prefix::Wire(FQDN | RFC822_ADDR | DER_ASN1_DN) if regex => return Some(Err(IdentityError::Regex)),
        Prefix::Wire(kind) => pattern_from_wire(kind, &octets),
        Prefix::Uri => Identity::uri(&String::from_utf8_lossy(&octets)),
        Prefix::Xmpp => xmpp_address(&octets),
    }))
}

/// `{n}:value` or `{n}:#hex`
fn parse_numbered(text: &str) -> Option<Result<Identity, IdentityError>> {
    let (number, value) = text.strip_prefix('{')?.split_once("}:")?;
    if number.is_empty() || !number.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    let Ok(kind) = number.parse::<u8>() else { return Some(Err(IdentityError::TypeNumber)) };
    let octets = match value.strip_prefix('#') {
        Some(digits) => hex::decode(digits).ok_or(IdentityError::Hex),
        None => Ok(value.as_bytes().to_vec()),
    };
    Some(octets.map(|octets| pattern_from_wire(kind, &octets)))
}

/// A text without `=` and `@` and without a prefix.
fn parse_bare(text: &str) -> Identity {
    if matches!(text, "" | "%any" | "%any6" | "0.0.0.0" | "*" | "::" | "0::0") {
        return Identity::Any;
    }
    let address = text.parse::<IpAddr>().ok().map(Identity::Address);
    let subnet = || {
        let (address, prefix) = text.split_once('/')?;
        let (address, prefix) = (address.parse::<IpAddr>().ok()?, prefix.parse::<u8>().ok()?);
        let fits = prefix <= if address.is_ipv4() { 32 } else { 128 };
        fits.then(|| Identity::Subnet(TrafficSelector::subnet(address, prefix).start, prefix))
    };
    let range = || {
        let (start, end) = text.split_once('-')?;
        let range = TrafficSelector::range(start.parse().ok()?, end.parse().ok()?)?;
        Some(Identity::Range(range.start, range.end))
    };
    address.or_else(subnet).or_else(range).unwrap_or_else(|| {
        if text.contains(':') {
            Identity::KeyId(text.as_bytes().to_vec())
        } else {
            Identity::Fqdn(text.to_owned())
        }
    })
}

/// As from the wire, but with the types that only patterns have: subnets as address and mask, ranges as two addresses.
fn pattern_from_wire(kind: u8, octets: &[u8]) -> Identity {
    let half = match kind {
        IPV4_ADDR_SUBNET | IPV4_RANGE => 4,
        IPV6_ADDR_SUBNET | IPV6_RANGE => 16,
        _ => return Identity::from_wire(kind, octets),
    };
    let pattern = octets.split_at_checked(half).and_then(|(first, second)| {
        let Some(Identity::Address(address)) = Identity::address_from_octets(first) else { return None };
        let Some(Identity::Address(last)) = Identity::address_from_octets(second) else { return None };
        if matches!(kind, IPV4_RANGE | IPV6_RANGE) {
            return TrafficSelector::range(address, last)
                .map(|range| Identity::Range(range.start, range.end));
        }
        let ones: u32 = second.iter().map(|octet| octet.count_ones()).sum();
        let net = TrafficSelector::subnet(address, u8::try_from(ones).ok()?);
        Some(Identity::Subnet(net.start, net.prefix()?))
    });
    pattern.unwrap_or_else(|| Identity::Other(kind, octets.to_vec()))
}

fn xmpp_address(octets: &[u8]) -> Identity {
    let push = crate::distinguished_name::push_element;
    let (mut text, mut value, mut name) = (Vec::new(), XMPP_ADDRESS_OID.to_vec(), Vec::new());
    push(&mut text, 0x0c, octets);
    push(&mut value, GENERAL_NAME_OTHER, &text);
    push(&mut name, GENERAL_NAME_OTHER, &value);
    Identity::Gn(name)
}

/// The text of a GeneralName that is a URI with a length of one octet or two.
fn uri_of(octets: &[u8]) -> Option<&str> {
    let content = match octets {
        [GENERAL_NAME_URI, length @ 0..=0x7f, content @ ..] if usize::from(*length) == content.len() => {
            content
        }
        [GENERAL_NAME_URI, 0x81, length, content @ ..] if usize::from(*length) == content.len() => content,
        _ => return None,
    };
    std::str::from_utf8(content).ok()
}

fn is_printable(octets: &[u8]) -> bool {
    octets.iter().all(|octet| matches!(octet, b' '..=b'~'))
}

fn write_text(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut parts = text.split(char::is_control);
    f.write_str(parts.next().unwrap_or_default())?;
    parts.try_for_each(|part| {
        f.write_str("?")?;
        f.write_str(part)
    })
}
