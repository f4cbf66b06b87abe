//! Intervals that follow from priority and advertisement interval (RFC 9568 §6.1, RFC 3768 §6.1), and the timers.

use std::time::{Duration, Instant};

use crate::id::{Priority, Version};
use crate::interval::Interval;

/// Skew_Time: the lower the priority, the longer. VRRPv2 has parts of a second whatever the interval.
pub(crate) fn skew_time(version: Version, priority: Priority, active_interval: Interval) -> Duration {
    let unit = match version {
        Version::V2 => Duration::from_secs(1),
        Version::V3 => active_interval.duration(),
    };
    unit * (256 - u32::from(priority.0)) / 256
}

/// Active_Down_Interval: `adverts` (3) missed advertisements and the skew.
pub(crate) fn down_interval(
    version: Version,
    priority: Priority,
    active_interval: Interval,
    adverts: u8,
) -> Duration {
    active_interval.duration() * u32::from(adverts) + skew_time(version, priority, active_interval)
}

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// Active_Down_Timer: the Active router is silent.
    Down,
    /// Adver_Timer: advertise.
    Advert,
    /// Announce the addresses again, once.
    Announce,
    /// Announce the addresses again after a contention.
    Contention,
    /// Announce the addresses from time to time.
    Refresh,
}

/// At most one deadline per timer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TimerTable([Option<Instant>; Timer::ALL.len()]);

impl Timer {
    const ALL: [Self; 5] = [Self::Down, Self::Advert, Self::Announce, Self::Contention, Self::Refresh];

    const fn index(self) -> usize {
        match self {
            Self::Down => 0,
            Self::Advert => 1,
            Self::Announce => 2,
            Self::Contention => 3,
            Self::Refresh => 4,
        }
    }
}

impl TimerTable {
    pub(crate) const fn set(&mut self, timer: Timer, at: Instant) {
        self.0[timer.index()] = Some(at);
    }

    pub(crate) const fn stop(&mut self, timer: Timer) {
        self.0[timer.index()] = None;
    }

    pub(crate) const fn clear(&mut self) {
        self.0 = [None; Timer::ALL.len()];
    }

    pub(crate) const fn at(&self, timer: Timer) -> Option<Instant> {
        self.0[timer.index()]
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.iter().flatten().min().copied()
    }

    /// Takes the earliest timer that is due, and when it was.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<(Timer, Instant)> {
        let due = Timer::ALL
            .into_iter()
            .filter(|timer| self.at(*timer).is_some_and(|at| at <= now))
            .min_by_key(|timer| self.at(*timer))?;
        let at = self.at(due)?;
        self.stop(due);
        Some((due, at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cs(centiseconds: u16) -> Interval {
        Interval::from_centiseconds(centiseconds).unwrap()
    }

    #[test]
    fn intervals_are_those_of_the_rfcs_examples() {
        let micros = Duration::from_micros;
        assert_eq!(skew_time(Version::V2, Priority(100), cs(100)), micros(609_375));
        assert_eq!(down_interval(Version::V2, Priority(100), cs(100), 3), micros(3_609_375));
        assert_eq!(skew_time(Version::V2, Priority(100), cs(500)), micros(609_375));
        assert_eq!(skew_time(Version::V3, Priority(200), cs(100)), micros(218_750));
        assert_eq!(down_interval(Version::V3, Priority(100), cs(100), 3), micros(3_609_375));
        assert_eq!(down_interval(Version::V3, Priority(254), cs(1), 3), Duration::from_nanos(30_078_125));
        assert!(down_interval(Version::V3, Priority(1), cs(4095), 3) <= Duration::from_millis(163_810));
    }
}
