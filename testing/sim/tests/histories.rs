//! A few hundred histories. `cargo run --release -p charon-sim` plays as many as one likes.

use charon_sim::{Crypto, Outcome, run};

fn play(seeds: std::ops::Range<u64>, crypto: Crypto) -> Vec<Outcome> {
    seeds
        .map(|seed| match run(seed, crypto) {
            Ok(outcome) => outcome,
            Err(failed) => {
                panic!("seed {seed}:\n{}\n{}", failed.log.join("\n"), failed.violations.join("\n"))
            }
        })
        .collect()
}

#[test]
fn both_ends_agree_after_any_history() {
    let outcomes = play(0..400, Crypto::Toy);
    let succeeded: usize = outcomes.iter().map(|outcome| outcome.succeeded).sum();
    let commands: usize = outcomes.iter().map(|outcome| outcome.commands).sum();
    assert!(succeeded * 2 > commands, "only {succeeded} of {commands} commands succeeded");
}

#[test]
fn both_ends_agree_with_real_algorithms() {
    play(0..20, Crypto::Real);
}

#[test]
fn a_seed_plays_the_same_history_again() {
    assert_eq!(play(0..20, Crypto::Toy), play(0..20, Crypto::Toy));
}
