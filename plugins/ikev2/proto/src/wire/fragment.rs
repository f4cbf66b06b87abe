//! Reassembly of fragments (RFC 7383 §2.6). Every piece was authenticated before it comes here.

use super::payload::PayloadType;
use super::protect::Plaintext;

/// Most fragments of a message.
pub const FRAGMENTS_MAX: usize = 255;
/// Most octets of a reassembled message.
pub const MESSAGE_LEN_MAX: usize = 128 * 1024;

/// Fragments of one message so far.
#[derive(Clone, Debug, Default)]
pub struct Reassembly {
    pieces: Vec<Option<Vec<u8>>>,
    missing: usize,
    first: Option<PayloadType>,
    len: usize,
}

impl Reassembly {
    /// Adds a piece; returns the whole when it is complete. A larger total starts over (the sender made smaller fragments), a
    /// smaller one is stale, a piece that is there already is ignored.
    pub fn add(&mut self, number: u16, total: u16, piece: Plaintext) -> Option<Plaintext> {
        self.add_within(MESSAGE_LEN_MAX, number, total, piece)
    }

    /// As [`Self::add`], with another limit than [`MESSAGE_LEN_MAX`] for all pieces together. A piece too many is as good as lost.
    pub fn add_within(
        &mut self,
        len_max: usize,
        number: u16,
        total: u16,
        piece: Plaintext,
    ) -> Option<Plaintext> {
        let (index, total) = (usize::from(number).checked_sub(1)?, usize::from(total));
        if index >= total || total > FRAGMENTS_MAX || total < self.pieces.len() {
            return None;
        }
        if total > self.pieces.len() {
            *self = Self { pieces: vec![None; total], missing: total, first: None, len: 0 };
        }
        if self.pieces[index].is_some() || self.len + piece.octets.len() > len_max.min(MESSAGE_LEN_MAX) {
            return None;
        }
        if index == 0 {
            self.first = Some(piece.first);
        }
        self.len += piece.octets.len();
        self.pieces[index] = Some(piece.octets);
        self.missing -= 1;
        if self.missing > 0 {
            return None;
        }
        let whole = std::mem::take(self);
        Some(Plaintext {
            first: whole.first?,
            octets: whole.pieces.into_iter().flatten().flatten().collect(),
        })
    }

    /// Forgets what was collected.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(first: PayloadType, octets: &[u8]) -> Plaintext {
        Plaintext { first, octets: octets.to_vec() }
    }

    #[test]
    fn pieces_in_any_order_make_the_whole() {
        let mut reassembly = Reassembly::default();
        assert_eq!(reassembly.add(2, 2, piece(PayloadType::NONE, b"def")), None);
        assert_eq!(reassembly.add(2, 2, piece(PayloadType::NONE, b"xxx")), None);
        assert_eq!(
            reassembly.add(1, 2, piece(PayloadType::ID_I, b"abc")),
            Some(piece(PayloadType::ID_I, b"abcdef"))
        );
    }

    #[test]
    fn a_larger_total_starts_over_and_a_smaller_one_is_stale() {
        let mut reassembly = Reassembly::default();
        assert_eq!(reassembly.add(1, 2, piece(PayloadType::ID_I, b"old")), None);
        assert_eq!(reassembly.add(1, 3, piece(PayloadType::ID_I, b"a")), None);
        assert_eq!(reassembly.add(2, 2, piece(PayloadType::NONE, b"old")), None);
        assert_eq!(reassembly.add(2, 3, piece(PayloadType::NONE, b"b")), None);
        assert_eq!(
            reassembly.add(3, 3, piece(PayloadType::NONE, b"c")),
            Some(piece(PayloadType::ID_I, b"abc"))
        );
    }

    #[test]
    fn pieces_that_never_become_a_whole_take_a_bounded_place() {
        const LEN_MAX: usize = 10_000;
        let mut reassembly = Reassembly::default();
        for total in 2..=300 {
            for number in 1..total.min(40) {
                let piece = piece(PayloadType::NONE, &[0; 1300]);
                assert_eq!(reassembly.add_within(LEN_MAX, number, total, piece), None);
            }
            let held: usize = reassembly.pieces.iter().flatten().map(Vec::capacity).sum();
            assert!(
                held <= LEN_MAX && reassembly.pieces.capacity() <= FRAGMENTS_MAX,
                "{held} octets of {total}"
            );
        }
    }

    #[test]
    fn a_message_that_grows_too_long_is_never_complete() {
        let mut reassembly = Reassembly::default();
        let long = vec![0; MESSAGE_LEN_MAX];
        assert_eq!(reassembly.add(1, 2, piece(PayloadType::ID_I, &long)), None);
        assert_eq!(reassembly.add(2, 2, piece(PayloadType::NONE, b"x")), None);
    }
}
