//! Addresses an IKE_SA talks between.

use std::net::{IpAddr, SocketAddr};

/// UDP port for IKE before a NAT is found (RFC 7296 §2).
pub const PORT_IKE: u16 = 500;
/// UDP port for IKE and ESP behind a NAT (RFC 7296 §2.23).
pub const PORT_NAT_T: u16 = 4500;

/// The two ends of an IKE_SA's UDP flow, seen from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Path {
    /// Our address and port.
    pub local: SocketAddr,
    /// The peer's address and port.
    pub remote: SocketAddr,
}

/// One entry of `local_addrs` or `remote_addrs`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EndpointPattern {
    /// `%any`
    Any,
    /// `%any4`
    AnyIpv4,
    /// `%any6`
    AnyIpv6,
    /// A single address.
    Address(IpAddr),
    /// `a/b`: address and prefix length.
    Subnet(IpAddr, u8),
    /// `a-b`, inclusive.
    Range(IpAddr, IpAddr),
    /// A DNS name, resolved when it is looked up.
    Name(String),
}
