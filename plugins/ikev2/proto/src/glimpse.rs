//! As much of an IKE_SA_INIT request as a cookie needs, read where it lies: no list, no copy.

use crate::wire::{HEADER_LEN, NotifyType, PayloadType};

/// Octets of a generic payload header (RFC 7296 §3.2).
const PAYLOAD_HEADER_LEN: usize = 4;
/// Payloads looked at before a request counts as one without a nonce. Requests have the nonce third or fourth.
const PAYLOADS_MAX: usize = 8;
const NEXT_PAYLOAD_AT: usize = 16;

/// Cookie and nonce of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Glimpse<'a> {
    /// Contents of the first notification, if it is a cookie (RFC 7296 §2.6 has it come first).
    pub(crate) cookie: Option<&'a [u8]>,
    pub(crate) nonce_i: &'a [u8],
}

impl<'a> Glimpse<'a> {
    /// `None` if there is no nonce within reach.
    pub(crate) fn of(datagram: &'a [u8]) -> Option<Self> {
        let mut kind = PayloadType(*datagram.get(NEXT_PAYLOAD_AT)?);
        let mut rest = datagram.get(HEADER_LEN..)?;
        let mut cookie = None;
        for at in 0..PAYLOADS_MAX {
            let ([next, _, high, low], _) = rest.split_first_chunk::<PAYLOAD_HEADER_LEN>()?;
            let (payload, behind) = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
            let body = payload.get(PAYLOAD_HEADER_LEN..)?;
            match kind {
                PayloadType::NONCE => return Some(Self { cookie, nonce_i: body }),
                PayloadType::NOTIFY if at == 0 => cookie = cookie_in(body),
                _ => {}
            }
            (kind, rest) = (PayloadType(*next), behind);
        }
        None
    }
}

fn cookie_in(notify: &[u8]) -> Option<&[u8]> {
    let ([_, spi_len, high, low], rest) = notify.split_first_chunk::<4>()?;
    let kind = NotifyType(u16::from_be_bytes([*high, *low]));
    (kind == NotifyType::COOKIE && *spi_len == 0).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(payloads: &[(PayloadType, &[u8])]) -> Vec<u8> {
        let mut octets = vec![0; HEADER_LEN];
        octets[NEXT_PAYLOAD_AT] = payloads.first().map_or(0, |(kind, _)| kind.0);
        for (at, (_, body)) in payloads.iter().enumerate() {
            let next = payloads.get(at + 1).map_or(0, |(kind, _)| kind.0);
            let len = u16::try_from(PAYLOAD_HEADER_LEN + body.len()).unwrap().to_be_bytes();
            octets.extend_from_slice(&[next, 0, len[0], len[1]]);
            octets.extend_from_slice(body);
        }
        octets
    }

    const COOKIE: &[u8] = &[0, 0, 0x40, 0x06, 1, 2, 3];
    const NONCE: &[u8] = &[7; 32];

    #[test]
    fn the_nonce_is_found_behind_other_payloads() {
        let plain =
            request(&[(PayloadType::SA, &[1; 40]), (PayloadType::KE, &[2; 36]), (PayloadType::NONCE, NONCE)]);
        assert_eq!(Glimpse::of(&plain), Some(Glimpse { cookie: None, nonce_i: NONCE }));
    }

    #[test]
    fn a_cookie_counts_in_the_first_place_only() {
        let first = request(&[(PayloadType::NOTIFY, COOKIE), (PayloadType::NONCE, NONCE)]);
        assert_eq!(Glimpse::of(&first), Some(Glimpse { cookie: Some(&[1, 2, 3]), nonce_i: NONCE }));
        let later =
            request(&[(PayloadType::SA, &[]), (PayloadType::NOTIFY, COOKIE), (PayloadType::NONCE, NONCE)]);
        assert_eq!(Glimpse::of(&later), Some(Glimpse { cookie: None, nonce_i: NONCE }));
    }

    #[test]
    fn lengths_that_lie_and_endless_lists_yield_nothing() {
        let mut whole = request(&[(PayloadType::SA, &[1; 40]), (PayloadType::NONCE, NONCE)]);
        for len in 0..whole.len() {
            assert_eq!(Glimpse::of(&whole[..len]), None, "cut to {len}");
        }
        whole[HEADER_LEN + 3] = 3;
        assert_eq!(Glimpse::of(&whole), None, "a payload shorter than its header");
        let many = [(PayloadType::VENDOR, &[][..]); PAYLOADS_MAX];
        let late = request(&[&many[..], &[(PayloadType::NONCE, NONCE)]].concat());
        assert_eq!(Glimpse::of(&late), None);
    }
}
