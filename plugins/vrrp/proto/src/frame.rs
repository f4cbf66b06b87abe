//! IP packets and Ethernet frames around advertisements.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::checksum::Sum;
use crate::id::{Family, IP_PROTOCOL, TTL};
use crate::output::Advert;
use crate::receive::Received;

/// Octets of the shortest Ethernet frame, check sequence aside. rVRRPd takes authenticated advertisements of that length
/// only, and virtual links do not pad.
pub const FRAME_LEN_MIN: usize = 60;
/// Traffic class of advertisements: CS6, network control.
pub const TRAFFIC_CLASS: u8 = 0xc0;

const ETHERNET_LEN: usize = 14;
const IPV4_LEN: usize = 20;
const IPV6_LEN: usize = 40;
const ETHERTYPE_IPV4: [u8; 2] = [0x08, 0x00];
const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];

/// Why something is no VRRP packet to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Cut off.
    #[error("{have} octets of at least {need}")]
    Truncated {
        /// What its headers promise.
        need: usize,
        /// What there is.
        have: usize,
    },
    /// Neither IPv4 nor IPv6, or a header that contradicts itself.
    #[error("no IP header")]
    NotIp,
    /// Another protocol.
    #[error("IP protocol {protocol}")]
    NotVrrp {
        /// Which.
        protocol: u8,
    },
    /// A part of a packet; advertisements never need fragmentation.
    #[error("an IP fragment")]
    Fragment,
    /// The checksum of the IPv4 header does not match.
    #[error("a wrong IPv4 header checksum")]
    HeaderChecksum,
}

impl<'a> Received<'a> {
    /// From an Ethernet frame without VLAN tag. Octets behind the IP packet are padding and left out.
    ///
    /// # Errors
    /// If it does not carry a whole VRRP packet.
    pub fn from_ethernet(frame: &'a [u8]) -> Result<Self, FrameError> {
        let (header, packet) = split::<ETHERNET_LEN>(frame)?;
        match [header[12], header[13]] {
            ETHERTYPE_IPV4 => Self::from_ipv4(packet),
            ETHERTYPE_IPV6 => Self::from_ipv6(packet),
            _ => Err(FrameError::NotIp),
        }
    }

    /// From an IPv4 packet, as a raw socket gives it. Options are skipped.
    ///
    /// # Errors
    /// As [`Received::from_ethernet`].
    pub fn from_ipv4(packet: &'a [u8]) -> Result<Self, FrameError> {
        let (header, _) = split::<IPV4_LEN>(packet)?;
        let header_len = usize::from(header[0] & 0x0f) * 4;
        let total_len = usize::from(u16::from_be_bytes([header[2], header[3]]));
        if header[0] >> 4 != 4 || header_len < IPV4_LEN || total_len < header_len {
            return Err(FrameError::NotIp);
        }
        let truncated = FrameError::Truncated { need: total_len, have: packet.len() };
        let (packet, _padding) = packet.split_at_checked(total_len).ok_or(truncated)?;
        let (whole_header, payload) = packet.split_at(header_len);
        if Sum::default().plus(whole_header).finish() != 0 {
            return Err(FrameError::HeaderChecksum);
        }
        // All but "don't fragment" and the reserved bit.
        if u16::from_be_bytes([header[6], header[7]]) & 0x3fff != 0 {
            return Err(FrameError::Fragment);
        }
        if header[9] != IP_PROTOCOL {
            return Err(FrameError::NotVrrp { protocol: header[9] });
        }
        Ok(Self {
            source: Ipv4Addr::new(header[12], header[13], header[14], header[15]).into(),
            destination: Ipv4Addr::new(header[16], header[17], header[18], header[19]).into(),
            ttl: header[8],
            payload,
        })
    }

    /// From an IPv6 packet without extension headers.
    ///
    /// # Errors
    /// As [`Received::from_ethernet`].
    pub fn from_ipv6(packet: &'a [u8]) -> Result<Self, FrameError> {
        const FRAGMENT: u8 = 44;
        let (header, rest) = split::<IPV6_LEN>(packet)?;
        if header[0] >> 4 != 6 {
            return Err(FrameError::NotIp);
        }
        match header[6] {
            IP_PROTOCOL => {}
            FRAGMENT => return Err(FrameError::Fragment),
            protocol => return Err(FrameError::NotVrrp { protocol }),
        }
        let len = usize::from(u16::from_be_bytes([header[4], header[5]]));
        let truncated = FrameError::Truncated { need: IPV6_LEN + len, have: packet.len() };
        let (payload, _padding) = rest.split_at_checked(len).ok_or(truncated)?;
        let (_, addresses) = header.split_at(8);
        let (source, destination) = addresses.split_at(16);
        let address = |octets: &[u8]| {
            IpAddr::V6(Ipv6Addr::from(
                <[u8; 16]>::try_from(octets).expect("the header was split into halves of 16"),
            ))
        };
        Ok(Self { source: address(source), destination: address(destination), ttl: header[7], payload })
    }
}

impl Advert {
    /// The IP packet. `id` is the identification of an IPv4 packet; IPv6 has none.
    #[must_use]
    pub fn ip_packet(&self, id: u16) -> Vec<u8> {
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => self.ipv4_packet(source, destination, id),
            (source, destination) => self.ipv6_packet(mapped(source), mapped(destination)),
        }
    }

    /// The Ethernet frame, padded to [`FRAME_LEN_MIN`]. By multicast it goes to the group's MAC address, else to
    /// `next_hop`.
    #[must_use]
    pub fn ethernet_frame(&self, source_mac: [u8; 6], next_hop: Option<[u8; 6]>, id: u16) -> Vec<u8> {
        let family = Family::of(self.source);
        let ethertype = match family {
            Family::Ipv4 => ETHERTYPE_IPV4,
            Family::Ipv6 => ETHERTYPE_IPV6,
        };
        let mut frame = Vec::with_capacity(FRAME_LEN_MIN + self.payload.len());
        frame.extend_from_slice(&next_hop.unwrap_or_else(|| family.group_mac()));
        frame.extend_from_slice(&source_mac);
        frame.extend_from_slice(&ethertype);
        frame.extend_from_slice(&self.ip_packet(id));
        if frame.len() < FRAME_LEN_MIN {
            frame.resize(FRAME_LEN_MIN, 0);
        }
        frame
    }

    fn ipv4_packet(&self, source: Ipv4Addr, destination: Ipv4Addr, id: u16) -> Vec<u8> {
        let total_len = u16::try_from(IPV4_LEN + self.payload.len()).unwrap_or(u16::MAX);
        let mut packet = Vec::with_capacity(IPV4_LEN + self.payload.len());
        packet.extend_from_slice(&[0x45, TRAFFIC_CLASS]);
        packet.extend_from_slice(&total_len.to_be_bytes());
        packet.extend_from_slice(&id.to_be_bytes());
        packet.extend_from_slice(&[0, 0, TTL, IP_PROTOCOL, 0, 0]);
        packet.extend_from_slice(&source.octets());
        packet.extend_from_slice(&destination.octets());
        let sum = Sum::default().plus(&packet).finish();
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
        packet.extend_from_slice(&self.payload);
        packet
    }

    fn ipv6_packet(&self, source: Ipv6Addr, destination: Ipv6Addr) -> Vec<u8> {
        let len = u16::try_from(self.payload.len()).unwrap_or(u16::MAX);
        let mut packet = Vec::with_capacity(IPV6_LEN + self.payload.len());
        packet.extend_from_slice(&[0x60 | TRAFFIC_CLASS >> 4, (TRAFFIC_CLASS & 0x0f) << 4, 0, 0]);
        packet.extend_from_slice(&len.to_be_bytes());
        packet.extend_from_slice(&[IP_PROTOCOL, TTL]);
        packet.extend_from_slice(&source.octets());
        packet.extend_from_slice(&destination.octets());
        packet.extend_from_slice(&self.payload);
        packet
    }
}

/// Gives a frame of [`Advert::ethernet_frame`] another identification, so that it can be sent again. IPv6 has none.
pub fn renumber(frame: &mut [u8], id: u16) {
    let Some((header, packet)) = frame.split_first_chunk_mut::<ETHERNET_LEN>() else { return };
    let Some(ip) = packet.first_chunk_mut::<IPV4_LEN>() else { return };
    if header[12..] != ETHERTYPE_IPV4 {
        return;
    }
    ip[4..6].copy_from_slice(&id.to_be_bytes());
    ip[10..12].fill(0);
    let sum = Sum::default().plus(ip).finish();
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
}

fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

fn split<const N: usize>(octets: &[u8]) -> Result<(&[u8; N], &[u8]), FrameError> {
    octets.split_first_chunk().ok_or(FrameError::Truncated { need: N, have: octets.len() })
}
