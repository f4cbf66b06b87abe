//! When each IKE_SA wants to be woken: one heap for a shard, stale entries skipped when they come up.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Instant;

use charon_types::IkeSpi;

/// The queue.
#[derive(Debug, Default)]
pub(crate) struct TimerQueue {
    heap: BinaryHeap<Reverse<(Instant, IkeSpi)>>,
    armed: HashMap<IkeSpi, Instant>,
}

impl TimerQueue {
    /// Wakes `spi` at `at`, or not at all.
    pub(crate) fn arm(&mut self, spi: IkeSpi, at: Option<Instant>) {
        let Some(at) = at else {
            self.armed.remove(&spi);
            return;
        };
        // A later deadline needs no entry of its own: the earlier one, when it comes up, is put back.
        let earlier = self.armed.insert(spi, at).is_some_and(|before| before <= at);
        if !earlier {
            self.heap.push(Reverse((at, spi)));
        }
    }

    /// When the next entry comes up; it may turn out to be stale.
    #[must_use]
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes one that is due, disarmed.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<IkeSpi> {
        while let Some(&Reverse((at, spi))) = self.heap.peek() {
            if at > now {
                return None;
            }
            self.heap.pop();
            match self.armed.get(&spi) {
                Some(&wanted) if wanted <= now => {
                    self.armed.remove(&spi);
                    return Some(spi);
                }
                // Moved to a later time meanwhile, and this was the only entry for it.
                Some(&wanted) => self.heap.push(Reverse((wanted, spi))),
                None => {}
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;
    use std::time::Duration;

    use super::*;

    fn spi(number: u64) -> IkeSpi {
        IkeSpi(NonZeroU64::new(number).unwrap())
    }

    #[test]
    fn deadlines_come_up_in_order_and_follow_the_last_word() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut queue = TimerQueue::default();
        queue.arm(spi(1), Some(at(1)));
        queue.arm(spi(2), Some(at(2)));
        queue.arm(spi(3), Some(at(3)));
        queue.arm(spi(1), Some(at(4)));
        queue.arm(spi(2), None);
        queue.arm(spi(3), Some(at(2)));
        assert_eq!(queue.take_due(at(1)), None);
        assert_eq!(queue.take_due(at(2)), Some(spi(3)));
        assert_eq!(queue.take_due(at(3)), None);
        assert_eq!(queue.next(), Some(at(4)));
        assert_eq!(queue.take_due(at(5)), Some(spi(1)));
        assert_eq!(queue.take_due(at(9)), None);
    }
}
