//! Nonce payload (RFC 7296 §3.9): 16 to 256 octets.

/// Lengths allowed.
const LEN: std::ops::RangeInclusive<usize> = 16..=256;

pub(super) fn parse(body: &[u8]) -> Option<Vec<u8>> {
    LEN.contains(&body.len()).then(|| body.to_vec())
}
