//! The virtio header in front of every packet of the TUN device (`struct virtio_net_hdr`, in the machine's byte order).

use esp_proto::Family;

/// Octets of the header.
pub(crate) const LEN: usize = 10;

const NEEDS_CHECKSUM: u8 = 1;
const TCPV4: u8 = 1;
const TCPV6: u8 = 4;
const UDP: u8 = 5;
/// Says beside the type that the TCP flow has ECN.
const ECN: u8 = 0x80;

/// Protocol of a large packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Upper {
    /// TCP
    Tcp,
    /// UDP
    Udp,
}

/// What a large packet is cut into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Segmentation {
    /// Nothing: it is one packet.
    None,
    /// Packets of that payload.
    Each(Upper, u16),
    /// A kind that we never asked for.
    Unknown,
}

/// A checksum that is still to be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unfinished {
    /// Where the covered octets start.
    pub(crate) start: usize,
    /// Where the checksum belongs, from there.
    pub(crate) offset: usize,
}

/// The header's meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// How to cut the packet.
    pub(crate) segmentation: Segmentation,
    /// The checksum to finish, if any.
    pub(crate) unfinished: Option<Unfinished>,
}

impl Header {
    /// Reads what the kernel wrote.
    pub(crate) fn parse(octets: &[u8; LEN]) -> Self {
        let [flags, kind, _, _, size0, size1, start0, start1, offset0, offset1] = *octets;
        let payload = u16::from_ne_bytes([size0, size1]);
        let segmentation = match kind & !ECN {
            0 => Segmentation::None,
            TCPV4 | TCPV6 => Segmentation::Each(Upper::Tcp, payload),
            UDP => Segmentation::Each(Upper::Udp, payload),
            _ => Segmentation::Unknown,
        };
        let unfinished = (flags & NEEDS_CHECKSUM != 0).then(|| Unfinished {
            start: u16::from_ne_bytes([start0, start1]).into(),
            offset: u16::from_ne_bytes([offset0, offset1]).into(),
        });
        Self { segmentation, unfinished }
    }
}

/// In front of one packet that is complete.
pub(crate) const PLAIN: [u8; LEN] = [0; LEN];

/// In front of packets put together: headers of `ip_len` and `upper_len` octets, and `payload` octets from each packet but
/// the last.
pub(crate) fn large(family: Family, upper: Upper, ip_len: u16, upper_len: u16, payload: u16) -> [u8; LEN] {
    let [len0, len1] = ip_len.saturating_add(upper_len).to_ne_bytes();
    let [size0, size1] = payload.to_ne_bytes();
    let [start0, start1] = ip_len.to_ne_bytes();
    let (kind, offset) = match (upper, family) {
        (Upper::Tcp, Family::Ipv4) => (TCPV4, 16_u16),
        (Upper::Tcp, Family::Ipv6) => (TCPV6, 16),
        (Upper::Udp, _) => (UDP, 6),
    };
    let [offset0, offset1] = offset.to_ne_bytes();
    [NEEDS_CHECKSUM, kind, len0, len1, size0, size1, start0, start1, offset0, offset1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_we_write_is_what_we_would_read() {
        let header = Header::parse(&large(Family::Ipv4, Upper::Tcp, 20, 32, 1348));
        assert_eq!(header.segmentation, Segmentation::Each(Upper::Tcp, 1348));
        assert_eq!(header.unfinished, Some(Unfinished { start: 20, offset: 16 }));
        assert_eq!(Header::parse(&PLAIN), Header { segmentation: Segmentation::None, unfinished: None });
    }

    #[test]
    fn kinds_that_we_did_not_ask_for_are_told_apart() {
        assert_eq!(Header::parse(&[0, 3, 0, 0, 0, 0, 0, 0, 0, 0]).segmentation, Segmentation::Unknown);
        let ecn = Header::parse(&[1, 0x81, 0, 0, 0, 0, 0, 0, 0, 0]).segmentation;
        assert_eq!(ecn, Segmentation::Each(Upper::Tcp, 0));
    }
}
