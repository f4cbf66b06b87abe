//! Randomness.

use std::sync::Arc;

use charon_crypto::Algorithm;
use charon_crypto::random::Random;

struct System;

impl Random for System {
    fn fill(&self, out: &mut [u8]) {
        if aws_lc_rs::rand::fill(out).is_err() {
            std::process::abort();
        }
    }
}

pub(crate) fn algorithms() -> Vec<Algorithm> {
    vec![Algorithm::Random(Arc::new(System))]
}
