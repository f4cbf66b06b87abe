//! Absorbs octets, squeezes octets; where the octets were cut makes no difference.

use crate::chance::mix;

/// 128 bits of state.
#[derive(Clone)]
pub(super) struct Sponge {
    lanes: [u64; 2],
    pending: [u8; 8],
    pending_len: usize,
    len: u64,
}

impl Sponge {
    /// A function of its own for each domain.
    pub(super) const fn new(domain: u64) -> Self {
        Self { lanes: [mix(domain), mix(!domain)], pending: [0; 8], pending_len: 0, len: 0 }
    }

    pub(super) fn absorb(&mut self, mut octets: &[u8]) -> &mut Self {
        self.len += u64::try_from(octets.len()).unwrap_or(u64::MAX);
        if self.pending_len > 0 {
            let taken = octets.len().min(8 - self.pending_len);
            let (head, rest) = octets.split_at(taken);
            self.pending[self.pending_len..self.pending_len + taken].copy_from_slice(head);
            self.pending_len += taken;
            octets = rest;
            if self.pending_len < 8 {
                return self;
            }
            self.word(u64::from_le_bytes(self.pending));
            self.pending_len = 0;
        }
        let (words, rest) = octets.as_chunks::<8>();
        for word in words {
            self.word(u64::from_le_bytes(*word));
        }
        self.pending[..rest.len()].copy_from_slice(rest);
        self.pending_len = rest.len();
        self
    }

    pub(super) fn squeeze(&self, out: &mut [u8]) {
        let mut keys = self.finish();
        for chunk in out.chunks_mut(8) {
            let word = mix(keys[0]) ^ keys[1];
            keys[0] = keys[0].wrapping_add(1);
            chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
        }
    }

    /// As [`Self::squeeze`], xored into `data`.
    pub(super) fn mask(&self, data: &mut [u8]) {
        let mut stream = vec![0; data.len()];
        self.squeeze(&mut stream);
        data.iter_mut().zip(stream).for_each(|(octet, mask)| *octet ^= mask);
    }

    pub(super) fn number(&self) -> u64 {
        let [one, other] = self.finish();
        mix(one) ^ other
    }

    fn finish(&self) -> [u64; 2] {
        let mut last = self.clone();
        last.pending[last.pending_len..].fill(0);
        last.word(u64::from_le_bytes(last.pending));
        last.word(last.len);
        last.word(0);
        last.lanes
    }

    const fn word(&mut self, word: u64) {
        let [one, other] = self.lanes;
        let one = (one ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        let other = (other.wrapping_add(word) ^ one).wrapping_mul(0xd6e8_feb8_6659_fd93).rotate_left(31);
        self.lanes = [one ^ other, other];
    }
}
