//! Whom to answer while more strangers ask than can be answered: those who ask again.
//!
//! To send an answer costs many times what it costs to receive a request. A flood has an address and an SPI of its own in every
//! request; a peer repeats its own after some seconds. So a request that is seen for the first time is noted and dropped, and
//! one that was noted is answered. The notes are a table of fixed size, in which the newest take the places of the oldest. Two
//! requests whose notes are equal are taken for one, which answers one more than was meant.

use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

use charon_types::IkeSpi;

/// Rows, 64 octets each: at half a million requests a second a note lasts some sixteen seconds. A peer that asks at 0, 4 and 11
/// seconds is known the third time though one of the two others was lost.
const ROWS: usize = 1 << 18;
/// Notes in a row.
const NOTES: usize = 31;
/// Not a note.
const BLANK: u16 = 0;

/// The notes.
pub(crate) struct Greylist {
    hasher: RandomState,
    len: usize,
    /// Made when it is first needed.
    rows: OnceLock<Box<[Row]>>,
}

/// One line of a cache.
#[repr(align(64))]
struct Row {
    notes: [AtomicU16; NOTES],
    /// How many were written, as far as it can count.
    written: AtomicU16,
}

impl Greylist {
    /// An empty one, which takes no memory yet.
    pub(crate) fn new() -> Self {
        Self::with_rows(ROWS)
    }

    fn with_rows(len: usize) -> Self {
        Self { len, hasher: RandomState::new(), rows: OnceLock::new() }
    }

    /// Whether this request came before, not long ago; notes it.
    pub(crate) fn comes_again(&self, source: SocketAddr, spi: IkeSpi) -> bool {
        let rows = self.rows.get_or_init(|| std::iter::repeat_with(Row::blank).take(self.len).collect());
        let hash = self.hasher.hash_one((source, spi));
        let [high, low, ..] = hash.to_be_bytes();
        let note = u16::from_be_bytes([high, low]).max(BLANK + 1);
        let at = usize::try_from(hash % self.len as u64).expect("a remainder below a length fits");
        let Some(row) = rows.get(at) else { return false };
        let known = row.has(note);
        if !known {
            row.take(note);
        }
        known
    }
}

impl Row {
    fn blank() -> Self {
        Self { notes: [const { AtomicU16::new(BLANK) }; NOTES], written: AtomicU16::new(0) }
    }

    fn has(&self, note: u16) -> bool {
        self.notes.iter().any(|place| place.load(Ordering::Relaxed) == note)
    }

    /// Writes a note over the oldest one.
    fn take(&self, note: u16) {
        let at = usize::from(self.written.fetch_add(1, Ordering::Relaxed)) % NOTES;
        if let Some(place) = self.notes.get(at) {
            place.store(note, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(number: u16) -> SocketAddr {
        SocketAddr::from(([198, 18, number.to_be_bytes()[0], number.to_be_bytes()[1]], 500))
    }

    fn spi(number: u64) -> IkeSpi {
        IkeSpi(std::num::NonZeroU64::new(number).unwrap())
    }

    /// Strangers of whom nobody comes again.
    fn flood(list: &Greylist, spis: std::ops::Range<u64>) -> usize {
        spis.filter(|number| list.comes_again(source(3), spi(*number))).count()
    }

    #[test]
    fn a_request_that_comes_again_is_known() {
        let list = Greylist::with_rows(1 << 10);
        assert!(!list.comes_again(source(1), spi(1)));
        assert!(list.comes_again(source(1), spi(1)));
        assert!(!list.comes_again(source(1), spi(2)));
        assert!(!list.comes_again(source(2), spi(1)));
    }

    #[test]
    fn peers_are_remembered_while_half_of_the_table_fills_with_strangers() {
        let list = Greylist::with_rows(1 << 10);
        let peers = || (0..200).map(source);
        assert!(!peers().any(|peer| list.comes_again(peer, spi(1))));
        flood(&list, 2..16_000);
        let known = peers().filter(|peer| list.comes_again(*peer, spi(1))).count();
        assert!(known >= 195, "{known} of 200");
    }

    #[test]
    fn a_request_is_forgotten_when_many_others_came() {
        let list = Greylist::with_rows(1 << 10);
        assert!(!list.comes_again(source(1), spi(1)));
        flood(&list, 2..100_000);
        assert!(!list.comes_again(source(1), spi(1)));
    }

    #[test]
    fn nearly_all_of_a_flood_is_seen_for_the_first_time() {
        let taken = flood(&Greylist::with_rows(1 << 10), 1..100_000);
        assert!(taken < 200, "{taken}: about one in two thousand");
    }
}
