//! Identities of peers (RFC 7296 §3.5) and strongSwan's text for them.
//!
//! Text is in `identity/text.rs`, comparison in `identity/matching.rs`.

mod matching;
mod text;

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::distinguished_name::DistinguishedName;

pub use matching::MatchQuality;
pub use text::IdentityError;

/// Who a peer says it is, or a pattern that an identity must match.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// `%any`: anybody. Never sent.
    Any,
    /// ID_IPV4_ADDR (1) or ID_IPV6_ADDR (5).
    Address(IpAddr),
    /// ID_FQDN (2). A leading `*.` or a lone `*` is a wildcard in patterns.
    Fqdn(String),
    /// ID_RFC822_ADDR (3). A leading `*@` is a wildcard in patterns.
    Rfc822(String),
    /// Addresses of a subnet, prefix length last; patterns only.
    Subnet(IpAddr, u8),
    /// Addresses of a range, inclusive; patterns only.
    Range(IpAddr, IpAddr),
    /// ID_DER_ASN1_DN (9).
    Dn(DistinguishedName),
    /// ID_DER_ASN1_GN (10), DER.
    Gn(Vec<u8>),
    /// ID_KEY_ID (11).
    KeyId(Vec<u8>),
    /// Any other type number with its octets.
    Other(u8, Vec<u8>),
}

impl Identity {
    /// The identity in an ID payload of that type. Octets that the type does not allow (an address of the wrong length,
    /// a name that is not UTF-8 or empty, broken DER) are kept as [`Identity::Other`], which equals only itself.
    #[must_use]
    pub fn from_wire(kind: u8, octets: &[u8]) -> Self {
        let other = || Self::Other(kind, octets.to_vec());
        let name = |make: fn(String) -> Self| match std::str::from_utf8(octets) {
            Ok(text) if !text.is_empty() => make(text.to_owned()),
            _ => other(),
        };
        match kind {
            IPV4_ADDR | IPV6_ADDR => {
                let address = Self::address_from_octets(octets);
                address.filter(|address| address.kind() == Some(kind)).unwrap_or_else(other)
            }
            FQDN => name(Self::Fqdn),
            RFC822_ADDR => name(Self::Rfc822),
            DER_ASN1_DN => DistinguishedName::from_der(octets).map_or_else(|_| other(), Self::Dn),
            DER_ASN1_GN => Self::Gn(octets.to_vec()),
            KEY_ID => Self::KeyId(octets.to_vec()),
            _ => other(),
        }
    }

    /// Type and octets of the ID payload; `None` for what is never sent: `%any`, subnets and ranges.
    #[must_use]
    pub fn to_wire(&self) -> Option<(u8, Cow<'_, [u8]>)> {
        let octets = match self {
            Self::Any | Self::Subnet(..) | Self::Range(..) => return None,
            Self::Address(IpAddr::V4(address)) => Cow::Owned(address.octets().to_vec()),
            Self::Address(IpAddr::V6(address)) => Cow::Owned(address.octets().to_vec()),
            Self::Fqdn(text) | Self::Rfc822(text) => Cow::Borrowed(text.as_bytes()),
            Self::Dn(name) => Cow::Borrowed(name.as_der()),
            Self::Gn(octets) | Self::KeyId(octets) | Self::Other(_, octets) => {
                Cow::Borrowed(octets.as_slice())
            }
        };
        Some((self.kind()?, octets))
    }

    /// The type number on the wire, `None` for what is never sent.
    #[must_use]
    pub const fn kind(&self) -> Option<u8> {
        Some(match self {
            Self::Any | Self::Subnet(..) | Self::Range(..) => return None,
            Self::Address(IpAddr::V4(_)) => IPV4_ADDR,
            Self::Address(IpAddr::V6(_)) => IPV6_ADDR,
            Self::Fqdn(_) => FQDN,
            Self::Rfc822(_) => RFC822_ADDR,
            Self::Dn(_) => DER_ASN1_DN,
            Self::Gn(_) => DER_ASN1_GN,
            Self::KeyId(_) => KEY_ID,
            Self::Other(kind, _) => *kind,
        })
    }

    /// An address of 4 or 16 octets, as `iPAddress` alternative names hold it.
    #[must_use]
    pub fn address_from_octets(octets: &[u8]) -> Option<Self> {
        let ipv4 = <[u8; 4]>::try_from(octets).map(|octets| IpAddr::V4(Ipv4Addr::from(octets)));
        let address =
            ipv4.or_else(|_| <[u8; 16]>::try_from(octets).map(|octets| IpAddr::V6(Ipv6Addr::from(octets))));
        address.ok().map(Self::Address)
    }

    /// A GeneralName of the kind `uniformResourceIdentifier`.
    #[must_use]
    pub fn uri(uri: &str) -> Self {
        let mut name = Vec::new();
        crate::distinguished_name::push_element(&mut name, GENERAL_NAME_URI, uri.as_bytes());
        Self::Gn(name)
    }
}

impl From<IpAddr> for Identity {
    fn from(address: IpAddr) -> Self {
        Self::Address(address)
    }
}

impl From<DistinguishedName> for Identity {
    fn from(name: DistinguishedName) -> Self {
        Self::Dn(name)
    }
}

const IPV4_ADDR: u8 = 1;
const FQDN: u8 = 2;
const RFC822_ADDR: u8 = 3;
const IPV4_ADDR_SUBNET: u8 = 4;
const IPV6_ADDR: u8 = 5;
const IPV6_ADDR_SUBNET: u8 = 6;
const IPV4_RANGE: u8 = 7;
const IPV6_RANGE: u8 = 8;
const DER_ASN1_DN: u8 = 9;
const DER_ASN1_GN: u8 = 10;
const KEY_ID: u8 = 11;

/// `[6] IMPLICIT IA5String`
const GENERAL_NAME_URI: u8 = 0x86;

#[cfg(test)]
mod tests;
