//! When adverts of Active routers go: at steps that all routers of the daemon share, so that a thousand of them do not wake it a thousand
//! times in each interval. The interval stays what it is; only the first one after a change is shorter, by less than a step.

use std::time::{Duration, Instant};

/// The longest of these that the interval is a multiple of. Each is a multiple of the next, so that long and short ones coincide; intervals are
/// multiples of the last.
const STEPS: [Duration; 3] =
    [Duration::from_millis(40), Duration::from_millis(20), Duration::from_millis(10)];
/// And at most this part of the interval.
const STEPS_MIN: u32 = 16;

/// The last step that is not after `due`. Steps are counted from `begin`, which must lie before.
pub(crate) fn step_before(begin: Instant, due: Instant, interval: Duration) -> Instant {
    let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let fits = |step: &Duration| nanos(interval).is_multiple_of(nanos(*step));
    let step = STEPS.into_iter().find(fits).unwrap_or(Duration::MAX).min(interval / STEPS_MIN);
    let step = nanos(step);
    let over = nanos(due.saturating_duration_since(begin)).checked_rem(step).unwrap_or(0);
    due.checked_sub(Duration::from_nanos(over)).unwrap_or(due)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn routers_that_began_at_different_times_advertise_together_and_keep_their_interval() {
        let begin = Instant::now();
        for (interval, step) in [
            (1000 * MS, 40 * MS),
            (990 * MS, 10 * MS),
            (340 * MS, 20 * MS),
            (100 * MS, 6250 * MS / 1000),
            (10 * MS, 625 * MS / 1000),
        ] {
            for offset in 0..50 {
                let due = begin + interval + offset * 777 * MS / 1000;
                let first = step_before(begin, due, interval);
                assert!(first <= due && due - first < step, "{interval:?} {:?}", due - first);
                let since = first - begin;
                assert_eq!(since.as_nanos() % step.as_nanos(), 0);
                // It is on a step from then on.
                assert_eq!(step_before(begin, first + 7 * interval, interval), first + 7 * interval);
            }
        }
    }

    #[test]
    fn an_interval_of_nothing_changes_nothing() {
        let begin = Instant::now();
        assert_eq!(step_before(begin, begin + MS, Duration::ZERO), begin + MS);
    }
}
