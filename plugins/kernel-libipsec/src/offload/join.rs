//! From packets of one flow to one large packet, by reference.
//!
//! Only what a network card would join: TCP packets in order, or UDP datagrams, each as long as the first but the last, with
//! the same headers but for sequence number, id and checksums. Both checksums are checked first, since the kernel recomputes
//! them for the large packet and would make a broken one good.

use std::ops::Range;

use esp_proto::Family;

use super::checksum::Sum;
use super::header::{self, Upper};
use super::split::addresses;

const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
const PROTOCOL_TCP: u8 = 6;
const PROTOCOL_UDP: u8 = 17;
/// Largest packet the kernel takes.
const PACKET_LEN_MAX: usize = 65_535;

/// What the kernel takes in large packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joinable {
    /// TCP.
    Tcp,
    /// TCP, and since Linux 6.2 UDP.
    TcpAndUdp,
}

/// The headers of a packet that may be joined with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    ip_len: usize,
    upper: Upper,
    upper_len: usize,
    payload: usize,
    /// TCP's; 0 for UDP.
    sequence: u32,
    pushes: bool,
}

/// Packets that lie in one buffer and are one large packet, or a single packet of any kind.
pub(crate) struct Joined {
    /// What goes in front.
    pub(crate) header: [u8; header::LEN],
    /// How many of the places given it takes, from the first.
    pub(crate) count: usize,
    /// Octets at the start of the second and later packets that are left out.
    pub(crate) headers_len: usize,
}

/// How many of the packets at `places` make one large packet with the first; the first one's headers are changed accordingly.
///
/// # Panics
/// If `places` is empty or a place lies outside the buffer.
pub(crate) fn join(buffer: &mut [u8], places: &[Range<usize>], joinable: Joinable) -> Joined {
    let single = Joined { header: header::PLAIN, count: 1, headers_len: 0 };
    let (first, others) = places.split_first().expect("there is at least one packet");
    let shape_of = |packet: &[u8]| {
        shape(packet).filter(|shape| shape.upper == Upper::Tcp || joinable == Joinable::TcpAndUdp)
    };
    let Some(shape) = others.first().and_then(|_| shape_of(&buffer[first.clone()])) else { return single };
    let headers_len = shape.ip_len + shape.upper_len;
    let mut payload = shape.payload;
    let mut last = shape;
    let mut count = 1;
    for place in others {
        let ended = last.pushes || last.payload < shape.payload;
        if ended || headers_len + payload + shape.payload > PACKET_LEN_MAX {
            break;
        }
        let Some(next) = shape_of(&buffer[place.clone()]) else { break };
        if !follows(shape, next, payload)
            || !alike(&buffer[first.clone()], &buffer[place.clone()], shape, headers_len)
        {
            break;
        }
        payload += next.payload;
        last = next;
        count += 1;
    }
    if count == 1 {
        return single;
    }
    let headers = &mut buffer[first.start..first.start + headers_len];
    rewrite(headers, shape, payload, last);
    let wire = |len: usize| u16::try_from(len).unwrap_or(u16::MAX);
    let family = if shape.ip_len == 20 { Family::Ipv4 } else { Family::Ipv6 };
    Joined {
        header: header::large(
            family,
            shape.upper,
            wire(shape.ip_len),
            wire(shape.upper_len),
            wire(shape.payload),
        ),
        count,
        headers_len,
    }
}

/// Whether `next` comes behind `first` and the packets up to `payload` octets in all.
fn follows(first: Shape, next: Shape, payload: usize) -> bool {
    let expected = match first.upper {
        Upper::Tcp => first.sequence.wrapping_add(u32::try_from(payload).unwrap_or(0)),
        Upper::Udp => 0,
    };
    let same = (next.ip_len, next.upper, next.upper_len) == (first.ip_len, first.upper, first.upper_len);
    same && next.sequence == expected && next.payload <= first.payload
}

/// Headers of a packet that may be joined: without IP options or extensions, no fragment, with payload, TCP with no flags but
/// ACK and PSH, good checksums.
fn shape(packet: &[u8]) -> Option<Shape> {
    let (ip_len, protocol) = match packet.first()? >> 4 {
        4 => {
            let ip = packet.first_chunk::<20>()?;
            let whole = ip[0] == 0x45 && [ip[6] & 0x3f, ip[7]] == [0, 0];
            let total = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
            let fine = whole && total == packet.len() && Sum::default().add(ip).holds();
            (fine.then_some(20)?, ip[9])
        }
        6 => {
            let ip = packet.first_chunk::<40>()?;
            let total = usize::from(u16::from_be_bytes([ip[4], ip[5]])) + 40;
            ((total == packet.len()).then_some(40)?, ip[6])
        }
        _ => return None,
    };
    let (ip, upper) = packet.split_at_checked(ip_len)?;
    let shape = match protocol {
        PROTOCOL_TCP => {
            let tcp = upper.first_chunk::<20>()?;
            let upper_len = usize::from(tcp[12] >> 4) * 4;
            if upper_len < 20 || tcp[13] & !PSH != ACK {
                return None;
            }
            let sequence = u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]);
            let payload = upper.len().checked_sub(upper_len)?;
            Shape { ip_len, upper: Upper::Tcp, upper_len, payload, sequence, pushes: tcp[13] & PSH != 0 }
        }
        PROTOCOL_UDP => {
            let udp = upper.first_chunk::<8>()?;
            // A datagram without a checksum would get one.
            if usize::from(u16::from_be_bytes([udp[4], udp[5]])) != upper.len() || [udp[6], udp[7]] == [0, 0]
            {
                return None;
            }
            let payload = upper.len() - 8;
            Shape { ip_len, upper: Upper::Udp, upper_len: 8, payload, sequence: 0, pushes: false }
        }
        _ => return None,
    };
    let sum = Sum::default().add_pseudo_header(addresses(ip), protocol, upper.len()).add(upper);
    (shape.payload > 0 && sum.holds()).then_some(shape)
}

/// Whether the headers differ at most in lengths, ids, sequence numbers, window, PSH and checksums.
fn alike(a: &[u8], b: &[u8], shape: Shape, headers_len: usize) -> bool {
    let same = |range: Range<usize>| a.get(range.clone()) == b.get(range);
    let upper = shape.ip_len;
    let ip = if upper == 20 { same(1..2) && same(6..10) && same(12..20) } else { same(0..4) && same(6..40) };
    let ports = same(upper..upper + 4);
    let rest = match shape.upper {
        Upper::Tcp => same(upper + 8..upper + 13) && same(upper + 18..headers_len),
        Upper::Udp => true,
    };
    ip && ports && rest
}

/// Makes the first packet's headers those of the large one. The upper checksum becomes the sum over the pseudo-header, from
/// which the kernel goes on.
fn rewrite(headers: &mut [u8], first: Shape, payload: usize, last: Shape) {
    let wire = |len: usize| u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes();
    let (ip, upper) = headers.split_at_mut(first.ip_len);
    let upper_len = first.upper_len + payload;
    if ip.len() == 20 {
        ip[2..4].copy_from_slice(&wire(20 + upper_len));
        ip[10..12].fill(0);
        let sum = Sum::default().add(ip).finish();
        ip[10..12].copy_from_slice(&sum);
    } else {
        ip[4..6].copy_from_slice(&wire(upper_len));
    }
    let (protocol, checksum_at) = match first.upper {
        Upper::Tcp => {
            if last.pushes {
                upper[13] |= PSH;
            }
            (PROTOCOL_TCP, 16)
        }
        Upper::Udp => {
            upper[4..6].copy_from_slice(&wire(upper_len));
            (PROTOCOL_UDP, 6)
        }
    };
    let sum = Sum::default().add_pseudo_header(addresses(ip), protocol, upper_len).partial();
    upper[checksum_at..checksum_at + 2].copy_from_slice(&sum);
}

#[cfg(test)]
mod tests;
