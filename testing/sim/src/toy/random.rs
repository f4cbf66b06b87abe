//! Randomness that is none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use charon_crypto::random::Random;

use crate::chance::mix;

/// The same octets for the same seed.
pub(super) struct Seeded {
    seed: u64,
    counter: AtomicU64,
}

impl Seeded {
    pub(super) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self { seed: mix(seed), counter: AtomicU64::new(0) })
    }
}

impl Random for Seeded {
    fn fill(&self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            let word = mix(self.seed ^ mix(self.counter.fetch_add(1, Ordering::Relaxed)));
            chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
        }
    }
}
