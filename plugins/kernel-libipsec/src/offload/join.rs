//! From TCP packets of one flow to one large packet, by reference.
//!
//! Only what a network card would join: packets in order, each as long as the first but the last, with the same headers but
//! for sequence number, id and checksums. Both checksums are checked first, since the kernel recomputes them for the large
//! packet and would make a broken one good.

use std::ops::Range;

use esp_proto::Family;

use super::checksum::Sum;
use super::header;
use super::split::addresses;

const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
const PROTOCOL_TCP: u8 = 6;
/// Largest packet the kernel takes.
const PACKET_LEN_MAX: usize = 65_535;

/// The headers of a TCP packet that may be joined with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    ip_len: usize,
    tcp_len: usize,
    payload: usize,
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
pub(crate) fn join(buffer: &mut [u8], places: &[Range<usize>]) -> Joined {
    let single = Joined { header: header::PLAIN, count: 1, headers_len: 0 };
    let (first, others) = places.split_first().expect("there is at least one packet");
    let Some(shape) = others.first().and_then(|_| shape(&buffer[first.clone()])) else { return single };
    let headers_len = shape.ip_len + shape.tcp_len;
    let mut payload = shape.payload;
    let mut count = 1;
    let mut ended = shape.pushes;
    for place in others {
        if ended || headers_len + payload + shape.payload > PACKET_LEN_MAX {
            break;
        }
        let Some(next) = self::shape(&buffer[place.clone()]) else { break };
        let follows = next.sequence == shape.sequence.wrapping_add(u32::try_from(payload).unwrap_or(0));
        let same = next.ip_len == shape.ip_len && next.tcp_len == shape.tcp_len;
        if !follows
            || !same
            || next.payload > shape.payload
            || !alike(&buffer[first.clone()], &buffer[place.clone()], shape.ip_len, headers_len)
        {
            break;
        }
        payload += next.payload;
        count += 1;
        ended = next.pushes || next.payload < shape.payload;
    }
    if count == 1 {
        return single;
    }
    let pushes = self::shape(&buffer[places[count - 1].clone()]).is_some_and(|last| last.pushes);
    let headers = &mut buffer[first.start..first.start + headers_len];
    rewrite(headers, shape, payload, pushes);
    let wire = |len: usize| u16::try_from(len).unwrap_or(u16::MAX);
    let family = if headers[0] >> 4 == 4 { Family::Ipv4 } else { Family::Ipv6 };
    Joined {
        header: header::tcp(family, wire(shape.ip_len), wire(shape.tcp_len), wire(shape.payload)),
        count,
        headers_len,
    }
}

/// Headers of a packet that may be joined: TCP without IP options or extensions, no fragment, with payload, no flags but
/// ACK and PSH, good checksums.
fn shape(packet: &[u8]) -> Option<Shape> {
    let version = packet.first()? >> 4;
    let ip_len = match version {
        4 => {
            let ip = packet.first_chunk::<20>()?;
            let whole = ip[0] == 0x45 && [ip[6] & 0x3f, ip[7]] == [0, 0];
            let total = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
            let fine =
                whole && ip[9] == PROTOCOL_TCP && total == packet.len() && Sum::default().add(ip).holds();
            fine.then_some(20)?
        }
        6 => {
            let ip = packet.first_chunk::<40>()?;
            let total = usize::from(u16::from_be_bytes([ip[4], ip[5]])) + 40;
            (ip[6] == PROTOCOL_TCP && total == packet.len()).then_some(40)?
        }
        _ => return None,
    };
    let (ip, upper) = packet.split_at_checked(ip_len)?;
    let tcp = upper.first_chunk::<20>()?;
    let tcp_len = usize::from(tcp[12] >> 4) * 4;
    let payload = upper.len().checked_sub(tcp_len).filter(|payload| *payload > 0)?;
    if tcp_len < 20 || tcp[13] & !PSH != ACK {
        return None;
    }
    let sum = Sum::default().add_pseudo_header(addresses(ip), PROTOCOL_TCP, upper.len()).add(upper);
    sum.holds().then_some(Shape {
        ip_len,
        tcp_len,
        payload,
        sequence: u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]),
        pushes: tcp[13] & PSH != 0,
    })
}

/// Whether the headers differ at most in lengths, ids, sequence numbers, window, PSH and checksums.
fn alike(a: &[u8], b: &[u8], ip_len: usize, headers_len: usize) -> bool {
    let same = |range: Range<usize>| a.get(range.clone()) == b.get(range);
    let ip = if ip_len == 20 { same(1..2) && same(6..10) && same(12..20) } else { same(0..4) && same(6..40) };
    let tcp = ip_len;
    ip && same(tcp..tcp + 4) && same(tcp + 8..tcp + 13) && same(tcp + 18..headers_len)
}

/// Makes the first packet's headers those of the large one. The TCP checksum becomes the sum over the pseudo-header, from
/// which the kernel goes on.
fn rewrite(headers: &mut [u8], shape: Shape, payload: usize, pushes: bool) {
    let wire = |len: usize| u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes();
    let (ip, tcp) = headers.split_at_mut(shape.ip_len);
    let upper_len = shape.tcp_len + payload;
    if ip.len() == 20 {
        ip[2..4].copy_from_slice(&wire(20 + upper_len));
        ip[10..12].fill(0);
        let sum = Sum::default().add(ip).finish();
        ip[10..12].copy_from_slice(&sum);
    } else {
        ip[4..6].copy_from_slice(&wire(upper_len));
    }
    if pushes {
        tcp[13] |= PSH;
    }
    let sum = Sum::default().add_pseudo_header(addresses(ip), PROTOCOL_TCP, upper_len).partial();
    tcp[16..18].copy_from_slice(&sum);
}

#[cfg(test)]
mod tests;
