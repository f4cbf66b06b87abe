//! The anti-replay window (RFC 4303 §3.4.3, appendix A), for any number of threads without a lock.
//!
//! Blocks of sequence numbers share slots, as in RFC 6479. Here a slot holds its block's number beside the bits, so that
//! moving on clears nothing: a newer block takes the slot over by one compare-and-swap, an older one finds itself too old.

use std::sync::atomic::{AtomicU64, Ordering};

/// Largest window in packets; larger ones are clamped. Takes 512 KiB an SA.
pub const REPLAY_WINDOW_MAX: u32 = 1 << 20;

/// Numbers a block holds.
const BLOCK: u64 = 16;
/// Bits of a slot that hold the block's bitmap; the 48 above hold its number.
const BITMAP_BITS: u32 = 16;
/// First sequence number whose block number does not fit a slot. Nobody gets there: 2^52 packets are 1.4 years at 100
/// million a second.
const SEQUENCE_END: u64 = 1 << 52;
/// How far back the high half of an extended number is looked for where no window is kept.
const INFERENCE_WINDOW: u32 = 1 << 16;

/// Why a sequence number is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It was seen before.
    Seen,
    /// It lies before the window.
    TooOld,
}

/// Which sequence numbers were received.
#[derive(Debug)]
pub struct ReplayWindow {
    slots: Box<[AtomicU64]>,
    size: u32,
    top: AtomicU64,
}

impl ReplayWindow {
    /// A window of `size` packets, 0 for none: then every number is accepted any number of times.
    #[must_use]
    pub fn new(size: u32) -> Self {
        let size = size.min(REPLAY_WINDOW_MAX);
        // A window that starts inside a block reaches one block further.
        let blocks = u64::from(size).div_ceil(BLOCK).saturating_add(1).next_power_of_two();
        let slots = (0..blocks).map(|_| AtomicU64::new(0)).collect();
        Self { slots, size, top: AtomicU64::new(0) }
    }

    /// Size in packets.
    #[must_use]
    pub const fn size(&self) -> u32 {
        self.size
    }

    /// The highest number accepted, 0 if none.
    #[must_use]
    pub fn top(&self) -> u64 {
        self.top.load(Ordering::Relaxed)
    }

    /// The 64-bit number that the low half on the wire stands for (RFC 4303 appendix A2.2); `None` if it would not
    /// fit 64 bits.
    #[must_use]
    pub fn infer(&self, low: u32) -> Option<u64> {
        let window = if self.size == 0 { INFERENCE_WINDOW } else { self.size };
        let top = self.top();
        let bottom = top.saturating_sub(u64::from(window).saturating_sub(1));
        let epoch = 1_u64 << 32;
        // The candidate at or above the bottom and less than 2^32 away from it is unique.
        let candidate = (bottom & !(epoch - 1)) | u64::from(low);
        if candidate >= bottom { Some(candidate) } else { candidate.checked_add(epoch) }
    }

    /// Whether the number may be new. Asked before the costly check of the ICV; the answer binds nobody.
    ///
    /// # Errors
    /// [`Refusal`] if it certainly is not.
    pub fn check(&self, sequence: u64) -> Result<(), Refusal> {
        if self.size == 0 {
            return Ok(());
        }
        self.in_reach(sequence)?;
        let (slot, block, bit) = self.place(sequence)?;
        judge(slot.load(Ordering::Acquire), block, bit).map(drop)
    }

    /// Takes the number, whose packet was authentic. Of any number of calls with one number, one at most succeeds.
    ///
    /// # Errors
    /// [`Refusal`] if it was taken before or the window has moved past it.
    pub fn accept(&self, sequence: u64) -> Result<(), Refusal> {
        if self.size != 0 {
            self.in_reach(sequence)?;
            let (slot, block, bit) = self.place(sequence)?;
            let mut seen = slot.load(Ordering::Acquire);
            loop {
                let next = judge(seen, block, bit)?;
                match slot.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Acquire) {
                    Ok(_) => break,
                    Err(now) => seen = now,
                }
            }
        }
        self.top.fetch_max(sequence, Ordering::Relaxed);
        Ok(())
    }

    fn in_reach(&self, sequence: u64) -> Result<(), Refusal> {
        let reach = sequence.saturating_add(u64::from(self.size));
        if reach > self.top() { Ok(()) } else { Err(Refusal::TooOld) }
    }

    fn place(&self, sequence: u64) -> Result<(&AtomicU64, u64, u64), Refusal> {
        if sequence >= SEQUENCE_END {
            return Err(Refusal::TooOld);
        }
        let block = sequence / BLOCK;
        let count = u64::try_from(self.slots.len()).unwrap_or(u64::MAX);
        let slot = usize::try_from(block % count).ok().and_then(|at| self.slots.get(at));
        let slot = slot.expect("a remainder by the number of slots is an index");
        Ok((slot, block, 1 << (sequence % BLOCK)))
    }
}

/// The slot's next content if the block's bit is new.
fn judge(content: u64, block: u64, bit: u64) -> Result<u64, Refusal> {
    let held = content >> BITMAP_BITS;
    match held.cmp(&block) {
        std::cmp::Ordering::Greater => Err(Refusal::TooOld),
        std::cmp::Ordering::Equal if content & bit != 0 => Err(Refusal::Seen),
        std::cmp::Ordering::Equal => Ok(content | bit),
        std::cmp::Ordering::Less => Ok((block << BITMAP_BITS) | bit),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// What the RFC says, without any cleverness.
    #[derive(Default)]
    struct Naive {
        accepted: BTreeSet<u64>,
    }

    impl Naive {
        fn accept(&mut self, sequence: u64, size: u64) -> bool {
            let top = self.accepted.last().copied().unwrap_or(0);
            sequence + size > top && self.accepted.insert(sequence)
        }
    }

    proptest! {
        #[test]
        fn agrees_with_a_model_that_remembers_everything(
            size in prop_oneof![1_u32..70, 1000_u32..1100],
            steps in proptest::collection::vec((-90_i64..60, 0_u8..20), 1..400),
        ) {
            let window = ReplayWindow::new(size);
            let mut model = Naive::default();
            for (offset, leap) in steps {
                let leap = if leap == 0 { 3000 } else { 0 };
                let sequence = window.top().saturating_add_signed(offset).saturating_add(leap).max(1);
                let checked = window.check(sequence);
                let accepted = window.accept(sequence);
                prop_assert_eq!(checked, accepted);
                prop_assert_eq!(accepted.is_ok(), model.accept(sequence, u64::from(size)));
            }
        }

        #[test]
        fn the_inferred_number_is_the_one_sent(top in 1_u64..1 << 40, offset in -63_i64..1 << 30) {
            let window = ReplayWindow::new(64);
            window.accept(top).unwrap();
            let sent = top.saturating_add_signed(offset).max(1);
            let low = u32::try_from(sent & u64::from(u32::MAX)).unwrap();
            prop_assert_eq!(window.infer(low), Some(sent));
        }
    }

    #[test]
    fn each_number_is_accepted_once_whoever_comes_first() {
        let window = ReplayWindow::new(4096);
        let accepted: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (1..=4000).filter(|number| window.accept(*number).is_ok()).count()))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(accepted, 4000);
    }

    #[test]
    fn without_a_window_everything_is_accepted_and_the_top_still_moves() {
        let window = ReplayWindow::new(0);
        assert_eq!((window.accept(7), window.accept(7), window.accept(3)), (Ok(()), Ok(()), Ok(())));
        assert_eq!(window.top(), 7);
    }

    #[test]
    fn refusals_say_which_rule_was_broken() {
        let window = ReplayWindow::new(32);
        window.accept(100).unwrap();
        assert_eq!(window.check(100), Err(Refusal::Seen));
        assert_eq!(window.check(68), Err(Refusal::TooOld));
        assert_eq!(window.check(69), Ok(()));
        assert_eq!(window.accept(1 << 52), Err(Refusal::TooOld));
    }
}
