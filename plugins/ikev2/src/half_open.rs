//! How many IKE_SAs are half open, in all and per source, without a lock on a packet's path.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use ikev2_proto::admission::{AdmissionLimits, HalfOpen, Vigilance};

/// Buckets that sources are hashed into. Sources that share one share its limits; the hash is keyed, so nobody can choose whose.
const BUCKETS: usize = 4096;
/// Groups of sources that are watched together after one of them was suspicious, so that it does not concern all.
const WATCHES: usize = 32;
/// How long cookies are demanded after the load has fallen: who asks for them by turns must not be let in between.
const VIGILANCE: Duration = Duration::from_secs(10);

/// The counts.
pub(crate) struct HalfOpenTable {
    hasher: RandomState,
    total: AtomicU32,
    sources: Box<[AtomicU32]>,
    begun: Instant,
    /// Until when all, and each group of sources, are watched: milliseconds since `begun`.
    watched: AtomicU64,
    watched_sources: [AtomicU64; WATCHES],
}

/// One half-open IKE_SA; counted until dropped.
pub(crate) struct HalfOpenGuard {
    table: Arc<HalfOpenTable>,
    bucket: usize,
}

impl HalfOpenTable {
    /// An empty table.
    #[must_use]
    pub(crate) fn new() -> Arc<Self> {
        let sources = (0..BUCKETS).map(|_| AtomicU32::new(0)).collect();
        Arc::new(Self {
            hasher: RandomState::new(),
            total: AtomicU32::new(0),
            sources,
            begun: Instant::now(),
            watched: AtomicU64::new(0),
            watched_sources: std::array::from_fn(|_| AtomicU64::new(0)),
        })
    }

    /// The counts that matter for a request from `source`. Whoever is suspicious now stays so for a while.
    #[must_use]
    pub(crate) fn look(&self, now: Instant, limits: &AdmissionLimits, source: IpAddr) -> HalfOpen {
        let bucket = self.bucket(source);
        let total = self.total.load(Ordering::Relaxed);
        let from_source = self.sources[bucket].load(Ordering::Relaxed);
        let at = millis(now.saturating_duration_since(self.begun));
        let watches = [
            (limits.total_is_suspicious(total), &self.watched),
            (limits.source_is_suspicious(from_source), &self.watched_sources[bucket % WATCHES]),
        ];
        let mut vigilance = Vigilance::Ordinary;
        for (suspicious, until) in watches {
            if suspicious {
                until.store(at + millis(VIGILANCE), Ordering::Relaxed);
            }
            if at < until.load(Ordering::Relaxed) {
                vigilance = Vigilance::Lasting;
            }
        }
        HalfOpen { total, from_source, vigilance }
    }

    /// All of them.
    #[must_use]
    pub(crate) fn total(&self) -> u32 {
        self.total.load(Ordering::Relaxed)
    }

    /// Counts one.
    #[must_use]
    pub(crate) fn enter(self: &Arc<Self>, source: IpAddr) -> HalfOpenGuard {
        let bucket = self.bucket(source);
        self.total.fetch_add(1, Ordering::Relaxed);
        self.sources[bucket].fetch_add(1, Ordering::Relaxed);
        HalfOpenGuard { table: Arc::clone(self), bucket }
    }

    fn bucket(&self, source: IpAddr) -> usize {
        let hash = self.hasher.hash_one(source);
        usize::try_from(hash % BUCKETS as u64).expect("a remainder below the number of buckets fits")
    }
}

impl Drop for HalfOpenGuard {
    fn drop(&mut self) {
        self.table.total.fetch_sub(1, Ordering::Relaxed);
        self.table.sources[self.bucket].fetch_sub(1, Ordering::Relaxed);
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn limits() -> AdmissionLimits {
        AdmissionLimits { cookie_threshold: 3, cookie_threshold_ip: 2, ..AdmissionLimits::default() }
    }

    fn source(number: u8) -> IpAddr {
        IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, number))
    }

    #[test]
    fn cookies_are_demanded_for_a_while_after_the_load_has_fallen() {
        let (table, now) = (HalfOpenTable::new(), Instant::now());
        let demands = |at| limits().reached(table.look(at, &limits(), SOURCE));
        assert!(!demands(now));
        let guards: Vec<_> = (0..3).map(|number| table.enter(source(number))).collect();
        assert!(demands(now));
        drop(guards);
        assert!(demands(now + VIGILANCE - Duration::from_millis(1)));
        assert!(!demands(now + VIGILANCE));
    }

    #[test]
    fn one_suspicious_source_does_not_concern_all() {
        let (table, now) = (HalfOpenTable::new(), Instant::now());
        let guards = [table.enter(SOURCE), table.enter(SOURCE)];
        assert!(limits().reached(table.look(now, &limits(), SOURCE)));
        drop(guards);
        assert!(limits().reached(table.look(now, &limits(), SOURCE)), "it stays under suspicion");
        let others = (0..64).filter(|number| limits().reached(table.look(now, &limits(), source(*number))));
        assert!(others.count() < 16, "of 64 sources two share a watch with it, as a rule");
    }

    #[test]
    fn a_limit_of_zero_demands_nothing() {
        let (table, now) = (HalfOpenTable::new(), Instant::now());
        let limits = AdmissionLimits {
            cookie_threshold: 0,
            cookie_threshold_ip: 0,
            block_threshold: 0,
            init_limit_half_open: 0,
        };
        let _guards: Vec<_> = (0..100).map(|_| table.enter(SOURCE)).collect();
        assert!(!limits.reached(table.look(now, &limits, SOURCE)));
    }
}
