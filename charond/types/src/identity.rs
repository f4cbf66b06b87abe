//! Identities of peers (RFC 7296 §3.5) and strongSwan's text for them.

use std::net::IpAddr;

use crate::distinguished_name::DistinguishedName;

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
