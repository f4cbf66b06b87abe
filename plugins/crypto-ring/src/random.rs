//! Randomness.

use std::sync::Arc;

use charon_crypto::Algorithm;
use charon_crypto::random::Random;
use ring::rand::{SecureRandom, SystemRandom};

struct System(SystemRandom);

impl Random for System {
    fn fill(&self, out: &mut [u8]) {
        if self.0.fill(out).is_err() {
            std::process::abort();
        }
    }
}

pub(crate) fn algorithms() -> Vec<Algorithm> {
    vec![Algorithm::Random(Arc::new(System(SystemRandom::new())))]
}
