//! When each IKE_SA wants to be woken: one queue for a shard, one place in it for each.

use std::collections::BTreeSet;
use std::time::Instant;

use charon_types::IkeSpi;

use crate::spi_map::SpiMap;

/// The queue.
#[derive(Debug, Default)]
pub(crate) struct TimerQueue {
    places: BTreeSet<(Instant, IkeSpi)>,
    armed: SpiMap<Armed>,
}

#[derive(Clone, Copy, Debug)]
struct Armed {
    wanted: Instant,
    /// Where it stands in the queue: as wanted, or before that.
    place: Instant,
}

impl TimerQueue {
    /// Wakes `spi` at `at`, or not at all.
    pub(crate) fn arm(&mut self, spi: IkeSpi, at: Option<Instant>) {
        let known = self.armed.get_mut(&spi);
        match (known, at) {
            // A later deadline needs no other place: when its turn comes, it is put back.
            (Some(known), Some(at)) if known.place <= at => known.wanted = at,
            (Some(known), Some(at)) => {
                self.places.remove(&(known.place, spi));
                *known = Armed { wanted: at, place: at };
                self.places.insert((at, spi));
            }
            (None, Some(at)) => {
                self.armed.insert(spi, Armed { wanted: at, place: at });
                self.places.insert((at, spi));
            }
            (Some(known), None) => {
                self.places.remove(&(known.place, spi));
                self.armed.remove(&spi);
            }
            (None, None) => {}
        }
    }

    /// When the next turn comes; it may turn out that nothing is due yet.
    #[must_use]
    pub(crate) fn next(&self) -> Option<Instant> {
        self.places.first().map(|(at, _)| *at)
    }

    /// Takes one that is due, disarmed.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<IkeSpi> {
        while let Some(&(place, spi)) = self.places.first() {
            if place > now {
                return None;
            }
            self.places.remove(&(place, spi));
            let Some(armed) = self.armed.get_mut(&spi) else { continue };
            if armed.wanted <= now {
                self.armed.remove(&spi);
                return Some(spi);
            }
            armed.place = armed.wanted;
            self.places.insert((armed.place, spi));
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

    #[test]
    fn years_of_exchanges_take_one_place() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut queue = TimerQueue::default();
        let (liveness, lingering, rekeying) = (30, 4, 1_000_000);
        queue.arm(spi(1), Some(at(rekeying)));
        let mut woken = 0;
        for now in (0..900_000).step_by(liveness) {
            // A request, and its answer; then something that is due soon.
            queue.arm(spi(1), Some(at(now + lingering)));
            queue.arm(spi(1), Some(at(rekeying)));
            queue.arm(spi(1), Some(at(now + lingering)));
            while queue.take_due(at(now + lingering)).is_some() {
                woken += 1;
                queue.arm(spi(1), Some(at(rekeying)));
            }
            assert_eq!((queue.places.len(), queue.armed.len()), (1, 1));
        }
        assert_eq!(woken, 30_000);
        queue.arm(spi(1), None);
        assert!(queue.places.is_empty() && queue.armed.is_empty());
    }
}
