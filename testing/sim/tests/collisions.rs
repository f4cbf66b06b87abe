//! Every order of short collisions. `cargo run --release -p charon-sim -- collisions --depth 10` plays the long ones.

use charon_sim::exhaust::{Verb, pair};

/// Enough for both requests and one answer, or a repetition.
const DEPTH: usize = 3;

#[test]
fn both_ends_agree_after_every_order_of_a_collision() {
    for a in Verb::ALL {
        for b in Verb::ALL {
            if let Err(failed) = pair([a, b], DEPTH) {
                panic!("seed {}:\n{}\n{}", failed.seed, failed.log.join("\n"), failed.violations.join("\n"));
            }
        }
    }
}
