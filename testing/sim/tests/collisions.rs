//! Every order of short collisions. `cargo run --release -p charon-sim -- collisions --depth 10` plays the long ones.

use charon_sim::exhaust::{Collision, play};

/// Enough for both requests and one answer, or a repetition.
const DEPTH: u32 = 3;

#[test]
fn both_ends_agree_after_every_order_of_a_collision() {
    for collision in Collision::all() {
        if let Err(failed) = play(collision, DEPTH) {
            panic!("{collision}:\n{}\n{}", failed.log.join("\n"), failed.violations.join("\n"));
        }
    }
}
