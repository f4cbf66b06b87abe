//! How many IKE_SAs are half open, in all and per source, without a lock on a packet's path.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ikev2_proto::admission::HalfOpen;

/// Buckets that sources are hashed into. Sources that share one share its limits; the hash is keyed, so nobody can choose whose.
const BUCKETS: usize = 4096;

/// The counts.
pub(crate) struct HalfOpenTable {
    hasher: RandomState,
    total: AtomicU32,
    sources: Box<[AtomicU32]>,
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
        Arc::new(Self { hasher: RandomState::new(), total: AtomicU32::new(0), sources })
    }

    /// The counts that matter for a request from `source`.
    #[must_use]
    pub(crate) fn counts(&self, source: IpAddr) -> HalfOpen {
        HalfOpen {
            total: self.total.load(Ordering::Relaxed),
            from_source: self.sources[self.bucket(source)].load(Ordering::Relaxed),
        }
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
