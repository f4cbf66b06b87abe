//! What policies and SAs look at in an inner packet: addresses, protocol, ports (RFC 4301 §4.4.1.1).

use std::net::IpAddr;

use charon_types::selector::TrafficSelector;

/// Extension headers walked before the upper protocol is given up.
const EXTENSIONS_MAX: usize = 8;

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const DCCP: u8 = 33;
const ICMPV6: u8 = 58;
const SCTP: u8 = 132;
const UDPLITE: u8 = 136;

/// Address family of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4
    Ipv4,
    /// IPv6
    Ipv6,
}

impl Family {
    /// Width of an address in bits.
    #[must_use]
    pub const fn width(self) -> u8 {
        match self {
            Self::Ipv4 => 32,
            Self::Ipv6 => 128,
        }
    }
}

/// Whether a packet shows its ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ports {
    /// Source and destination; of ICMP, type and code in both (RFC 4301 §4.4.1.1).
    Visible(u16, u16),
    /// A later fragment, a protocol without ports, or an unknown one.
    Hidden,
}

/// A packet's selectors. Addresses are numbers, IPv4 in the low 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// Family.
    pub family: Family,
    /// Source address.
    pub source: u128,
    /// Destination address.
    pub destination: u128,
    /// Upper protocol.
    pub protocol: u8,
    /// Ports.
    pub ports: Ports,
}

/// Not a whole IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl Flow {
    /// Reads the headers. Also gives the packet's length by its own header, which may be less than `packet` has (TFC
    /// padding, RFC 4303 §2.7).
    ///
    /// # Errors
    /// [`Malformed`] if it is no whole IPv4 or IPv6 packet.
    pub fn parse(packet: &[u8]) -> Result<(Self, usize), Malformed> {
        match packet.first().ok_or(Malformed)? >> 4 {
            4 => parse_ipv4(packet),
            6 => parse_ipv6(packet),
            _ => Err(Malformed),
        }
    }

    /// Source and destination as traffic selectors of this packet alone.
    #[must_use]
    pub fn selectors(&self) -> (TrafficSelector, TrafficSelector) {
        let host = |bits| TrafficSelector::host(address_from_bits(self.family, bits));
        let (source, destination) = (host(self.source), host(self.destination));
        match self.ports {
            Ports::Visible(from, to) => {
                (source.with_ports(self.protocol, from, from), destination.with_ports(self.protocol, to, to))
            }
            Ports::Hidden => {
                let any = |host: TrafficSelector| host.with_ports(self.protocol, 0, u16::MAX);
                (any(source), any(destination))
            }
        }
    }
}

/// An address as [`Flow`] has it.
#[must_use]
pub fn address_bits(address: IpAddr) -> (Family, u128) {
    match address {
        IpAddr::V4(address) => (Family::Ipv4, u128::from(address.to_bits())),
        IpAddr::V6(address) => (Family::Ipv6, address.to_bits()),
    }
}

/// The address that those bits stand for.
#[must_use]
pub fn address_from_bits(family: Family, bits: u128) -> IpAddr {
    match family {
        Family::Ipv4 => IpAddr::V4(u32::try_from(bits).unwrap_or(u32::MAX).into()),
        Family::Ipv6 => IpAddr::V6(bits.into()),
    }
}

fn parse_ipv4(packet: &[u8]) -> Result<(Flow, usize), Malformed> {
    let header = packet.first_chunk::<20>().ok_or(Malformed)?;
    let header_len = usize::from(header[0] & 0x0f) * 4;
    let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
    if header_len < 20 || total < header_len || total > packet.len() {
        return Err(Malformed);
    }
    let first_fragment = u16::from_be_bytes([header[6], header[7]]) & 0x1fff == 0;
    let protocol = header[9];
    let upper = packet.get(header_len..total).unwrap_or_default();
    let ports = if first_fragment { upper_ports(protocol, upper) } else { Ports::Hidden };
    let [_, _, _, _, _, _, _, _, _, _, _, _, s0, s1, s2, s3, d0, d1, d2, d3] = *header;
    let flow = Flow {
        family: Family::Ipv4,
        source: u128::from(u32::from_be_bytes([s0, s1, s2, s3])),
        destination: u128::from(u32::from_be_bytes([d0, d1, d2, d3])),
        protocol,
        ports,
    };
    Ok((flow, total))
}

fn parse_ipv6(packet: &[u8]) -> Result<(Flow, usize), Malformed> {
    let (header, rest) = packet.split_first_chunk::<40>().ok_or(Malformed)?;
    let payload = usize::from(u16::from_be_bytes([header[4], header[5]]));
    let upper = rest.get(..payload).ok_or(Malformed)?;
    let (protocol, ports) = walk_extensions(header[6], upper);
    let octets = |at: usize| header.get(at..).and_then(|tail| tail.first_chunk::<16>().copied());
    let flow = Flow {
        family: Family::Ipv6,
        source: u128::from_be_bytes(octets(8).ok_or(Malformed)?),
        destination: u128::from_be_bytes(octets(24).ok_or(Malformed)?),
        protocol,
        ports,
    };
    Ok((flow, payload.saturating_add(40)))
}

fn walk_extensions(mut next: u8, mut rest: &[u8]) -> (u8, Ports) {
    for _ in 0..EXTENSIONS_MAX {
        let header_len = match next {
            // Hop-by-hop, routing, destination options.
            0 | 43 | 60 => rest.get(1).map(|units| usize::from(*units) * 8 + 8),
            44 => Some(8),
            _ => return (next, upper_ports(next, rest)),
        };
        let Some((header, behind)) = header_len.and_then(|len| rest.split_at_checked(len)) else {
            return (next, Ports::Hidden);
        };
        let later_fragment = next == 44 && u16::from_be_bytes([header[2], header[3]]) & 0xfff8 != 0;
        next = header[0];
        rest = behind;
        if later_fragment {
            return (next, Ports::Hidden);
        }
    }
    (next, Ports::Hidden)
}

fn upper_ports(protocol: u8, upper: &[u8]) -> Ports {
    match (protocol, upper.first_chunk::<4>()) {
        (TCP | UDP | DCCP | SCTP | UDPLITE, Some(&[s0, s1, d0, d1])) => {
            Ports::Visible(u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]))
        }
        (ICMP | ICMPV6, Some(&[kind, code, ..])) => {
            let message = u16::from_be_bytes([kind, code]);
            Ports::Visible(message, message)
        }
        _ => Ports::Hidden,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// IPv4, UDP from 192.0.2.1 port 1 to 192.0.2.2 port 2.
    fn udp() -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
        packet.extend([0, 1, 0, 2, 0, 8, 0, 0]);
        packet
    }

    #[test]
    fn ports_of_a_datagram_are_seen_and_padding_behind_it_is_not_counted() {
        let mut packet = udp();
        packet.extend([0; 100]);
        let (flow, len) = Flow::parse(&packet).unwrap();
        assert_eq!((flow.ports, flow.protocol, len), (Ports::Visible(1, 2), 17, 28));
        assert_eq!(address_from_bits(flow.family, flow.source), "192.0.2.1".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn a_later_fragment_hides_its_ports() {
        let mut packet = udp();
        packet[7] = 1;
        assert_eq!(Flow::parse(&packet).unwrap().0.ports, Ports::Hidden);
    }

    #[test]
    fn a_length_beyond_the_packet_is_malformed() {
        let mut packet = udp();
        packet[3] = 29;
        assert_eq!(Flow::parse(&packet), Err(Malformed));
    }

    #[test]
    fn extension_headers_are_walked_to_the_upper_protocol() {
        let mut packet = vec![0x60, 0, 0, 0, 0, 24, 0, 64];
        packet.extend([0; 32]);
        packet.extend([60, 0, 0, 0, 0, 0, 0, 0]); // hop-by-hop, then destination options
        packet.extend([6, 0, 0, 0, 0, 0, 0, 0]); // destination options, then TCP
        packet.extend([0, 22, 0, 80, 0, 0, 0, 0]);
        let (flow, len) = Flow::parse(&packet).unwrap();
        assert_eq!((flow.protocol, flow.ports, len), (6, Ports::Visible(22, 80), 64));
    }

    proptest! {
        #[test]
        fn any_octets_give_an_answer(mut packet in proptest::collection::vec(any::<u8>(), 0..120), version in 0_u8..2) {
            if let Some(first) = packet.first_mut() {
                *first = if version == 0 { 0x45 } else { 0x60 };
            }
            if let Ok((_, len)) = Flow::parse(&packet) {
                prop_assert!(len <= packet.len());
            }
        }
    }
}
