//! Traffic selectors (RFC 7296 §3.13) and strongSwan's text for them.

use std::net::IpAddr;

/// A range of addresses of one family, an IP protocol and a range of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TrafficSelector {
    /// First address; same family as `end`, not above it.
    pub start: IpAddr,
    /// Last address.
    pub end: IpAddr,
    /// IP protocol number, 0 for any.
    pub protocol: u8,
    /// First port, or ICMP type and code in the high and low octet.
    pub port_start: u16,
    /// Last port. `port_start` 65535 with `port_end` 0 is OPAQUE.
    pub port_end: u16,
}

/// A selector as configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SelectorPattern {
    /// `dynamic`: the peer's (or our) tunnel or virtual address, with this protocol and these ports.
    Dynamic {
        /// IP protocol number, 0 for any.
        protocol: u8,
        /// First port.
        port_start: u16,
        /// Last port.
        port_end: u16,
    },
    /// Fixed addresses.
    Fixed(TrafficSelector),
}
