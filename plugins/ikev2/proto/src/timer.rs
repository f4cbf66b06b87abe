//! Timers of an IKE_SA: an enum and a table.

use std::time::Instant;

/// What a deadline is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// Our request was not answered: send it again.
    Retransmit,
    /// A responder's handshake must be complete by then.
    HalfOpen,
    /// Check whether the peer lives.
    Dpd,
    /// Keep a NAT's mapping alive.
    Keepalive,
    /// A child is to be rekeyed, or its lifetime is over.
    Children,
    /// The inbound SA of a child that was replaced goes.
    Linger,
    /// The IKE_SA is to be rekeyed.
    Rekey,
    /// The IKE_SA is to be reauthenticated.
    Reauth,
    /// The IKE_SA's time is over.
    Lifetime,
}

/// Number of [`Timer`]s.
const TIMERS: usize = 9;

/// The next moment at which `handle_timeout` has something to do, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// When.
    pub at: Instant,
    /// Why.
    pub timer: Timer,
}

/// At most one deadline per timer.
#[derive(Clone, Debug, Default)]
pub struct TimerTable {
    deadlines: [Option<Instant>; TIMERS],
}

impl TimerTable {
    /// Arms a timer, whether it was or not.
    pub fn set(&mut self, timer: Timer, at: Instant) {
        self.deadlines[timer.index()] = Some(at);
    }

    /// Disarms a timer.
    pub fn stop(&mut self, timer: Timer) {
        self.deadlines[timer.index()] = None;
    }

    /// When a timer fires.
    #[must_use]
    pub fn at(&self, timer: Timer) -> Option<Instant> {
        self.deadlines[timer.index()]
    }

    /// The earliest deadline.
    #[must_use]
    pub fn next(&self) -> Option<Deadline> {
        Timer::ALL
            .iter()
            .filter_map(|&timer| Some(Deadline { at: self.at(timer)?, timer }))
            .min_by_key(|next| next.at)
    }

    /// Takes one timer that is due.
    pub fn take_due(&mut self, now: Instant) -> Option<Timer> {
        let due = self.next().filter(|next| next.at <= now)?;
        self.stop(due.timer);
        Some(due.timer)
    }
}

impl Timer {
    const ALL: [Self; TIMERS] = [
        Self::Retransmit,
        Self::HalfOpen,
        Self::Dpd,
        Self::Keepalive,
        Self::Children,
        Self::Linger,
        Self::Rekey,
        Self::Reauth,
        Self::Lifetime,
    ];

    const fn index(self) -> usize {
        match self {
            Self::Retransmit => 0,
            Self::HalfOpen => 1,
            Self::Dpd => 2,
            Self::Keepalive => 3,
            Self::Children => 4,
            Self::Linger => 5,
            Self::Rekey => 6,
            Self::Reauth => 7,
            Self::Lifetime => 8,
        }
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "virtual time starts at some moment")]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_earliest_timer_is_due_first_and_only_once() {
        let start = Instant::now();
        let mut table = TimerTable::default();
        table.set(Timer::Dpd, start + Duration::from_secs(2));
        table.set(Timer::Retransmit, start + Duration::from_secs(1));
        assert_eq!(table.next().map(|next| next.timer), Some(Timer::Retransmit));
        assert_eq!(table.take_due(start), None);
        let late = start + Duration::from_secs(3);
        assert_eq!(table.take_due(late), Some(Timer::Retransmit));
        assert_eq!(table.take_due(late), Some(Timer::Dpd));
        assert_eq!(table.take_due(late), None);
    }
}
