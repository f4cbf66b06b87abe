//! GeneralName (RFC 5280 §4.2.1.6): as identities, and as bases of name constraints.

use std::net::IpAddr;

use charon_types::distinguished_name::DistinguishedName;
use charon_types::identity::Identity;
use der::asn1::AnyRef;
use der::{Encode, Tag, TagNumber, Tagged};

/// The identity in a GeneralName. Kinds without an identity type, and malformed ones, keep their DER.
pub(crate) fn general_name(element: AnyRef<'_>) -> Option<Identity> {
    let octets = element.value();
    let identity = match kind(element)? {
        RFC822 => text(octets).map(Identity::Rfc822),
        DNS => text(octets).map(Identity::Fqdn),
        DIRECTORY => DistinguishedName::from_der(octets).ok().map(Identity::Dn),
        IP => Identity::address_from_octets(octets),
        _ => None,
    };
    identity.or_else(|| element.to_der().ok().map(Identity::Gn))
}

/// The base of a subtree that names must or must not lie in (RFC 5280 §4.2.1.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subtree {
    Dns(String),
    Rfc822(String),
    Directory(DistinguishedName),
    /// Network and mask.
    Ip(IpAddr, IpAddr),
    Uri(String),
    /// A kind that is not computed with; by its tag number.
    Other(u32),
}

impl Subtree {
    /// From the base of a GeneralSubtree.
    pub(crate) fn parse(element: AnyRef<'_>) -> Option<Self> {
        let octets = element.value();
        // Empty bases hold every name of the kind, so they are texts too.
        let base = || String::from_utf8(octets.to_vec()).ok().filter(|text| text.is_ascii());
        Some(match kind(element)? {
            RFC822 => Self::Rfc822(base()?),
            DNS => Self::Dns(base()?),
            DIRECTORY => Self::Directory(DistinguishedName::from_der(octets).ok()?),
            URI => Self::Uri(base()?),
            IP => {
                let (network, mask) = octets.split_at_checked(octets.len() / 2)?;
                let address = |octets| match Identity::address_from_octets(octets) {
                    Some(Identity::Address(address)) => Some(address),
                    _ => None,
                };
                Self::Ip(address(network)?, address(mask)?)
            }
            other => Self::Other(other),
        })
    }
}

/// Number of the context-specific tag.
fn kind(element: AnyRef<'_>) -> Option<u32> {
    match element.tag() {
        Tag::ContextSpecific { number: TagNumber(number), .. } => Some(number),
        _ => None,
    }
}

fn text(octets: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(octets).ok()?;
    let plain = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_graphic() || octet == b' ');
    plain.then(|| text.to_owned())
}

const RFC822: u32 = 1;
const DNS: u32 = 2;
const DIRECTORY: u32 = 4;
const URI: u32 = 6;
const IP: u32 = 7;
