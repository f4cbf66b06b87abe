//! Counters of an SA and the limits on them.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use charon_types::kernel_op::{Expiry, SaLimit, SaLimits, SaUsage};

use crate::clock::Millis;

/// Bits of [`Meter::state`].
const SOFT_TOLD: u8 = 1;
const DEAD: u8 = 2;

/// Counts an SA's traffic and says when a limit is reached.
#[derive(Debug)]
pub(crate) struct Meter {
    bytes: AtomicU64,
    packets: AtomicU64,
    /// Time of the last packet plus one; 0 for none.
    last: AtomicU64,
    state: AtomicU8,
    soft: Volume,
    hard: Volume,
}

#[derive(Clone, Copy, Debug)]
struct Volume {
    bytes: u64,
    packets: u64,
}

impl From<SaLimit> for Volume {
    fn from(limit: SaLimit) -> Self {
        let or_none = |limit| if limit == 0 { u64::MAX } else { limit };
        Self { bytes: or_none(limit.bytes), packets: or_none(limit.packets) }
    }
}

impl Volume {
    fn reached(self, bytes: u64, packets: u64) -> bool {
        bytes >= self.bytes || packets >= self.packets
    }
}

impl Meter {
    pub(crate) fn new(limits: SaLimits) -> Self {
        Self {
            bytes: AtomicU64::new(0),
            packets: AtomicU64::new(0),
            last: AtomicU64::new(0),
            state: AtomicU8::new(0),
            soft: limits.soft.into(),
            hard: limits.hard.into(),
        }
    }

    /// Counts inner octets and packets; says so once when that reached a limit.
    pub(crate) fn count(&self, now: Millis, bytes: u64, packets: u64) -> Option<Expiry> {
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        let packets = self.packets.fetch_add(packets, Ordering::Relaxed).saturating_add(packets);
        self.last.store(now.0.saturating_add(1), Ordering::Relaxed);
        if !self.soft.reached(bytes, packets) && !self.hard.reached(bytes, packets) {
            return None;
        }
        let expiry = if self.hard.reached(bytes, packets) { Expiry::Hard } else { Expiry::Soft };
        self.expire(expiry)
    }

    /// Marks a limit as reached; `Some` the first time.
    pub(crate) fn expire(&self, expiry: Expiry) -> Option<Expiry> {
        let bits = match expiry {
            Expiry::Soft => SOFT_TOLD,
            Expiry::Hard => SOFT_TOLD | DEAD,
        };
        let before = self.state.fetch_or(bits, Ordering::Relaxed);
        (before & bits != bits).then_some(expiry)
    }

    /// Whether a hard limit was reached.
    pub(crate) fn is_dead(&self) -> bool {
        self.state.load(Ordering::Relaxed) & DEAD != 0
    }

    pub(crate) fn usage(&self, now: Millis) -> SaUsage {
        let last = self.last.load(Ordering::Relaxed).checked_sub(1);
        SaUsage {
            bytes: self.bytes.load(Ordering::Relaxed),
            packets: self.packets.load(Ordering::Relaxed),
            idle: last.map(|last| Duration::from_millis(now.0.saturating_sub(last))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(soft: u64, hard: u64) -> SaLimits {
        SaLimits {
            soft: SaLimit { packets: soft, ..SaLimit::default() },
            hard: SaLimit { packets: hard, ..SaLimit::default() },
        }
    }

    #[test]
    fn each_limit_is_told_once() {
        let meter = Meter::new(limits(2, 4));
        let told: Vec<_> = (0..6).map(|_| meter.count(Millis(0), 100, 1)).collect();
        assert_eq!(told, [None, Some(Expiry::Soft), None, Some(Expiry::Hard), None, None]);
        assert!(meter.is_dead());
    }

    #[test]
    fn without_limits_nothing_expires() {
        let meter = Meter::new(SaLimits::default());
        assert_eq!(meter.count(Millis(0), u64::MAX / 2, u64::MAX / 2), None);
        assert!(!meter.is_dead());
    }

    #[test]
    fn idle_time_counts_from_the_last_packet() {
        let meter = Meter::new(SaLimits::default());
        assert_eq!(meter.usage(Millis(5000)).idle, None);
        meter.count(Millis(0), 60, 1);
        let usage = meter.usage(Millis(5000));
        assert_eq!((usage.bytes, usage.packets, usage.idle), (60, 1, Some(Duration::from_secs(5))));
    }
}
