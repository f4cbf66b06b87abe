//! From one large packet to packets of the tunnel's size.

use super::checksum::Sum;
use super::header::{Header, Segmentation, Upper};

const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const CWR: u8 = 0x80;
const PROTOCOL_TCP: u8 = 6;
const PROTOCOL_UDP: u8 = 17;

/// The packet is not what its virtio header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// A packet as the kernel gave it, and the way to cut it.
pub(crate) struct Segments<'p> {
    packet: &'p [u8],
    cut: Cut,
}

enum Cut {
    /// One packet, complete.
    Whole,
    /// IP and upper header in front of every `payload` octets.
    Each { upper: Upper, ip_len: usize, headers_len: usize, payload: usize },
}

impl<'p> Segments<'p> {
    /// Prepares the packet; a checksum that was left to us is finished in place.
    pub(crate) fn new(header: Header, packet: &'p mut [u8]) -> Result<Self, Malformed> {
        let (upper, payload) = match header.segmentation {
            Segmentation::None => {
                if let Some(unfinished) = header.unfinished {
                    finish(packet, unfinished.start, unfinished.offset)?;
                }
                return Ok(Self { packet, cut: Cut::Whole });
            }
            Segmentation::Each(upper, payload) => (upper, usize::from(payload)),
            Segmentation::Unknown => return Err(Malformed),
        };
        let ip_len = header.unfinished.ok_or(Malformed)?.start;
        let minimum = if packet.first().ok_or(Malformed)? >> 4 == 6 { 40 } else { 20 };
        let upper_len = match upper {
            Upper::Tcp => usize::from(packet.get(ip_len.saturating_add(12)).ok_or(Malformed)? >> 4) * 4,
            Upper::Udp => 8,
        };
        let headers_len = ip_len.saturating_add(upper_len);
        let tcp_too_short = upper == Upper::Tcp && upper_len < 20;
        if payload == 0 || ip_len < minimum || tcp_too_short || headers_len > packet.len() {
            return Err(Malformed);
        }
        Ok(Self { packet, cut: Cut::Each { upper, ip_len, headers_len, payload } })
    }

    /// Number of packets, at least one.
    pub(crate) fn count(&self) -> usize {
        match self.cut {
            Cut::Whole => 1,
            Cut::Each { headers_len, payload, .. } => {
                (self.packet.len() - headers_len).div_ceil(payload).max(1)
            }
        }
    }

    /// Octets of packet `number`, from 0.
    pub(crate) fn len(&self, number: usize) -> usize {
        match self.cut {
            Cut::Whole => self.packet.len(),
            Cut::Each { headers_len, payload, .. } => {
                let left = self.packet.len() - headers_len - number * payload;
                headers_len + left.min(payload)
            }
        }
    }

    /// Writes packet `number`, from 0, into `out`, which has [`Segments::len`] octets.
    pub(crate) fn write(&self, number: usize, out: &mut [u8]) {
        let Cut::Each { upper, ip_len, headers_len, payload } = self.cut else {
            out.copy_from_slice(self.packet);
            return;
        };
        let (headers, payloads) = self.packet.split_at(headers_len);
        let start = number * payload;
        let (out_headers, out_payload) = out.split_at_mut(headers_len);
        out_headers.copy_from_slice(headers);
        out_payload.copy_from_slice(&payloads[start..start + out_payload.len()]);
        let last = start + out_payload.len() == payloads.len();
        let (ip, upper_header) = out_headers.split_at_mut(ip_len);
        let upper_len = upper_header.len() + out_payload.len();
        fix_ip(ip, upper_len, number);
        let (protocol, checksum_at) = match upper {
            Upper::Tcp => {
                let not_ours = if last { 0 } else { FIN | PSH } | if number == 0 { 0 } else { CWR };
                fix_tcp(upper_header, start, not_ours);
                (PROTOCOL_TCP, 16)
            }
            Upper::Udp => {
                let [len0, len1] = wire_u16(upper_len);
                upper_header[4] = len0;
                upper_header[5] = len1;
                (PROTOCOL_UDP, 6)
            }
        };
        upper_header[checksum_at..checksum_at + 2].fill(0);
        let sum = Sum::default()
            .add_pseudo_header(addresses(ip), protocol, upper_len)
            .add(upper_header)
            .add(out_payload)
            .finish();
        // Of UDP, a sum of zero means "none" (RFC 768).
        let sum = if upper == Upper::Udp && sum == [0, 0] { [0xff, 0xff] } else { sum };
        upper_header[checksum_at..checksum_at + 2].copy_from_slice(&sum);
    }
}

/// Finishes a checksum whose pseudo-header is summed up already.
fn finish(packet: &mut [u8], start: usize, offset: usize) -> Result<(), Malformed> {
    let covered = packet.get_mut(start..).ok_or(Malformed)?;
    let sum = Sum::default().add(covered).finish();
    let place = covered.get_mut(offset..).and_then(|rest| rest.first_chunk_mut()).ok_or(Malformed)?;
    *place = if sum == [0, 0] { [0xff, 0xff] } else { sum };
    Ok(())
}

fn fix_ip(ip: &mut [u8], upper_len: usize, number: usize) {
    if ip[0] >> 4 == 6 {
        let len = wire_u16(ip.len() - 40 + upper_len);
        ip[4..6].copy_from_slice(&len);
        return;
    }
    let len = wire_u16(ip.len() + upper_len);
    ip[2..4].copy_from_slice(&len);
    let id = u16::from_be_bytes([ip[4], ip[5]]);
    let number = u16::try_from(number).unwrap_or(u16::MAX);
    ip[4..6].copy_from_slice(&id.wrapping_add(number).to_be_bytes());
    ip[10..12].fill(0);
    let sum = Sum::default().add(ip).finish();
    ip[10..12].copy_from_slice(&sum);
}

/// Moves the sequence number on and takes those flags off.
fn fix_tcp(tcp: &mut [u8], start: usize, flags: u8) {
    let sequence = u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]);
    let start = u32::try_from(start).unwrap_or(u32::MAX);
    tcp[4..8].copy_from_slice(&sequence.wrapping_add(start).to_be_bytes());
    tcp[13] &= !flags;
}

/// Source and destination address in an IP header.
pub(super) fn addresses(ip: &[u8]) -> &[u8] {
    if ip[0] >> 4 == 6 { &ip[8..40] } else { &ip[12..20] }
}

fn wire_u16(len: usize) -> [u8; 2] {
    u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests;
