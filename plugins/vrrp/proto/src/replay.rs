//! Which sequence number was heard last of whom.

use std::net::IpAddr;

use crate::receive::Rejection;

/// Seconds, 1/65536 seconds and a counter as one number that only grows (serial number arithmetic).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sequence(u64);

impl Sequence {
    pub(crate) const fn from_octets(octets: [u8; 8]) -> Self {
        Self(u64::from_be_bytes(octets))
    }

    pub(crate) const fn octets(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    pub(crate) fn seconds(self) -> u32 {
        u32::try_from(self.0 >> 32).expect("32 bits are left")
    }

    /// `next` if that is newer, else the number after this one.
    pub(crate) const fn after(self, next: Self) -> Self {
        if next.is_newer_than(self) { next } else { Self(self.0.wrapping_add(1)) }
    }

    pub(crate) const fn is_newer_than(self, other: Self) -> bool {
        let ahead = self.0.wrapping_sub(other.0);
        ahead != 0 && ahead < 1 << 63
    }
}

/// The last number of each of a few senders; whoever was silent longest is forgotten.
#[derive(Debug)]
pub(crate) struct ReplayTable {
    /// Most recent last.
    heard: Vec<(IpAddr, Sequence)>,
    slots: usize,
}

impl ReplayTable {
    pub(crate) const fn new(slots: usize) -> Self {
        Self { heard: Vec::new(), slots }
    }

    /// Takes note of an authentic number.
    pub(crate) fn accept(&mut self, sender: IpAddr, sequence: Sequence) -> Result<(), Rejection> {
        if let Some(at) = self.heard.iter().position(|(known, _)| *known == sender) {
            if !sequence.is_newer_than(self.heard[at].1) {
                return Err(Rejection::Replay);
            }
            self.heard.remove(at);
        } else if self.heard.len() >= self.slots {
            self.heard.remove(0);
        }
        self.heard.push((sender, sequence));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_taken_once_and_never_an_older_one() {
        let mut table = ReplayTable::new(4);
        let sender = IpAddr::from([192, 0, 2, 12]);
        assert_eq!(table.accept(sender, Sequence(7)), Ok(()));
        assert_eq!(table.accept(sender, Sequence(7)), Err(Rejection::Replay));
        assert_eq!(table.accept(sender, Sequence(6)), Err(Rejection::Replay));
        assert_eq!(table.accept(sender, Sequence(8)), Ok(()));
        assert_eq!(table.accept(IpAddr::from([192, 0, 2, 13]), Sequence(7)), Ok(()));
    }

    #[test]
    fn numbers_wrap_around() {
        assert!(Sequence(3).is_newer_than(Sequence(u64::MAX - 3)));
        assert_eq!(Sequence(u64::MAX).after(Sequence(5)), Sequence(5));
        assert_eq!(Sequence(9).after(Sequence(5)), Sequence(10));
    }

    #[test]
    fn the_table_never_grows_beyond_its_slots() {
        let mut table = ReplayTable::new(4);
        for host in 0..=255 {
            table.accept(IpAddr::from([192, 0, 2, host]), Sequence(1)).unwrap();
        }
        assert_eq!(table.heard.len(), 4);
    }
}
