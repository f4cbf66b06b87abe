//! Announcements of virtual addresses: gratuitous ARP (RFC 5227 §3) and unsolicited neighbour advertisements (RFC 4861
//! §7.2.6), as Ethernet frames.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::checksum;

const ETHERTYPE_ARP: [u8; 2] = [0x08, 0x06];
const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_NODES_MAC: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];
const ICMPV6: u8 = 58;
/// Octets of a neighbour advertisement with a link-layer address option.
const ADVERTISEMENT_LEN: u8 = 32;

/// Whether a neighbour advertisement says that its sender is a router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarding {
    /// The interface forwards.
    Router,
    /// It does not.
    Host,
}

/// The announcement of an address at a MAC address. `forwarding` matters for IPv6 only.
#[must_use]
pub fn announcement(mac: [u8; 6], address: IpAddr, forwarding: Forwarding) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => gratuitous_arp(mac, address),
        IpAddr::V6(address) => neighbour_advertisement(mac, address, forwarding),
    }
}

/// An ARP request whose sender and target are `address`: the form that every host learns from. 42 octets.
#[must_use]
pub fn gratuitous_arp(mac: [u8; 6], address: Ipv4Addr) -> Vec<u8> {
    let mut frame = Vec::with_capacity(42);
    frame.extend_from_slice(&[0xff; 6]);
    frame.extend_from_slice(&mac);
    frame.extend_from_slice(&ETHERTYPE_ARP);
    // Ethernet, IPv4, their lengths, request.
    frame.extend_from_slice(&[0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend_from_slice(&mac);
    frame.extend_from_slice(&address.octets());
    frame.extend_from_slice(&[0xff; 6]);
    frame.extend_from_slice(&address.octets());
    frame
}

/// A neighbour advertisement to all nodes, Override set, Solicited clear, with the target link-layer address. 86 octets.
#[must_use]
pub fn neighbour_advertisement(mac: [u8; 6], address: Ipv6Addr, forwarding: Forwarding) -> Vec<u8> {
    let flags = match forwarding {
        Forwarding::Router => 0xa0,
        Forwarding::Host => 0x20,
    };
    let mut message = vec![136, 0, 0, 0, flags, 0, 0, 0];
    message.extend_from_slice(&address.octets());
    message.extend_from_slice(&[2, 1]);
    message.extend_from_slice(&mac);
    let sum = checksum::pseudo_header(address.into(), ALL_NODES.into(), ICMPV6, message.len())
        .plus(&message)
        .finish();
    message[2..4].copy_from_slice(&sum.to_be_bytes());

    let mut frame = Vec::with_capacity(86);
    frame.extend_from_slice(&ALL_NODES_MAC);
    frame.extend_from_slice(&mac);
    frame.extend_from_slice(&ETHERTYPE_IPV6);
    frame.extend_from_slice(&[0x60, 0, 0, 0, 0, ADVERTISEMENT_LEN, ICMPV6, 255]);
    frame.extend_from_slice(&address.octets());
    frame.extend_from_slice(&ALL_NODES.octets());
    frame.extend_from_slice(&message);
    frame
}
