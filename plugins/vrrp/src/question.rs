//! ARP requests and neighbour solicitations for addresses that the kernel does not have, as we announce them but accept no packets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vrrp_proto::checksum;

const ICMPV6: u8 = 58;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
/// Router, solicited, override.
const FLAGS: u8 = 0xe0;
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// Who has an address?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// ARP.
    Ipv4 { asker_mac: [u8; 6], asker: Ipv4Addr, target: Ipv4Addr },
    /// Neighbour discovery; the asker is unspecified while it looks for duplicates of its own address.
    Ipv6 { asker_mac: [u8; 6], asker: Ipv6Addr, target: Ipv6Addr },
}

impl Question {
    /// From an Ethernet frame; `None` if it is none.
    pub(crate) fn parse(frame: &[u8]) -> Option<Self> {
        let asker_mac: [u8; 6] = frame.get(6..12)?.try_into().ok()?;
        match frame.get(12..14)? {
            [0x08, 0x06] => {
                let arp = frame.get(14..42)?;
                if arp.get(..8)? != [0, 1, 8, 0, 6, 4, 0, 1] {
                    return None;
                }
                let asker_mac = arp.get(8..14)?.try_into().ok()?;
                let address =
                    |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(arp.get(at..at + 4)?).ok()?));
                let (asker, target) = (address(14)?, address(24)?);
                // A gratuitous one asks nothing.
                (asker != target).then_some(Self::Ipv4 { asker_mac, asker, target })
            }
            [0x86, 0xdd] => {
                let packet = frame.get(14..)?;
                let header = packet.get(..40)?;
                let message = packet.get(40..64)?;
                if *header.get(6)? != ICMPV6
                    || *header.get(7)? != 255
                    || message.get(..2)? != [SOLICITATION, 0]
                {
                    return None;
                }
                let address = |octets: &[u8]| Some(Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?));
                let (asker, target) = (address(header.get(8..24)?)?, address(message.get(8..24)?)?);
                Some(Self::Ipv6 { asker_mac, asker, target })
            }
            _ => None,
        }
    }

    /// The address.
    pub(crate) const fn target(&self) -> IpAddr {
        match self {
            Self::Ipv4 { target, .. } => IpAddr::V4(*target),
            Self::Ipv6 { target, .. } => IpAddr::V6(*target),
        }
    }

    /// We have it, at that MAC address.
    pub(crate) fn answer(&self, mac: [u8; 6]) -> Vec<u8> {
        match *self {
            Self::Ipv4 { asker_mac, asker, target } => {
                let mut frame = Vec::with_capacity(42);
                frame.extend_from_slice(&asker_mac);
                frame.extend_from_slice(&mac);
                frame.extend_from_slice(&[0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 2]);
                frame.extend_from_slice(&mac);
                frame.extend_from_slice(&target.octets());
                frame.extend_from_slice(&asker_mac);
                frame.extend_from_slice(&asker.octets());
                frame
            }
            Self::Ipv6 { asker_mac, asker, target } => {
                let (to_mac, to, flags) = if asker.is_unspecified() {
                    ([0x33, 0x33, 0, 0, 0, 1], ALL_NODES, FLAGS & !0x40)
                } else {
                    (asker_mac, asker, FLAGS)
                };
                let mut message = vec![ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0];
                message.extend_from_slice(&target.octets());
                message.extend_from_slice(&[2, 1]);
                message.extend_from_slice(&mac);
                let sum = checksum::pseudo_header(target.into(), to.into(), ICMPV6, message.len())
                    .plus(&message)
                    .finish();
                message.splice(2..4, sum.to_be_bytes());
                let mut frame = Vec::with_capacity(86);
                frame.extend_from_slice(&to_mac);
                frame.extend_from_slice(&mac);
                frame.extend_from_slice(&[0x86, 0xdd, 0x60, 0, 0, 0, 0, 32, ICMPV6, 255]);
                frame.extend_from_slice(&target.octets());
                frame.extend_from_slice(&to.octets());
                frame.extend_from_slice(&message);
                frame
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKER: [u8; 6] = [2, 0, 0, 0, 0, 9];
    const OURS: [u8; 6] = [0, 0, 0x5e, 0, 1, 51];

    #[test]
    fn a_request_is_answered_to_its_asker_with_our_mac() {
        let mut request = vec![0xff; 6];
        request.extend(ASKER);
        request.extend([0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1]);
        request.extend(ASKER);
        request.extend([192, 0, 2, 9]);
        request.extend([0; 6]);
        request.extend([192, 0, 2, 1]);
        let question = Question::parse(&request).unwrap();
        assert_eq!(question.target(), "192.0.2.1".parse::<IpAddr>().unwrap());
        let answer = question.answer(OURS);
        assert_eq!(answer[..12], [ASKER, OURS].concat());
        assert_eq!(answer[20..22], [0, 2]);
        assert_eq!(answer[22..28], OURS);
        for len in 0..request.len() {
            assert_eq!(Question::parse(&request[..len]), None);
        }
        request[28..32].copy_from_slice(&[192, 0, 2, 1]);
        assert_eq!(Question::parse(&request), None);
    }

    #[test]
    fn a_host_that_looks_for_duplicates_is_answered_to_all() {
        let mut solicitation = vec![0x33, 0x33, 0xff, 0, 0, 1];
        solicitation.extend(ASKER);
        solicitation.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 24, 58, 255]);
        solicitation.extend([0; 16]);
        solicitation.extend("ff02::1:ff00:1".parse::<Ipv6Addr>().unwrap().octets());
        solicitation.extend([135, 0, 0, 0, 0, 0, 0, 0]);
        solicitation.extend("2001:db8::1".parse::<Ipv6Addr>().unwrap().octets());
        let question = Question::parse(&solicitation).unwrap();
        let answer = question.answer(OURS);
        assert_eq!(answer[..6], [0x33, 0x33, 0, 0, 0, 1]);
        assert_eq!((answer[54], answer[58]), (136, 0xa0));
        assert_eq!(answer.len(), 86);
    }
}
