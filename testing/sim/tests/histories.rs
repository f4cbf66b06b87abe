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

#[test]
fn one_virtual_router_is_active_when_all_is_quiet_and_never_two_for_long() {
    for seed in 0..60 {
        if let Err(broken) = charon_sim::vrrp::run(seed, 2_000) {
            panic!("seed {seed}:\n{}\n{}", broken.log.join("\n"), broken.what);
        }
    }
    assert_eq!(charon_sim::vrrp::run(7, 2_000), charon_sim::vrrp::run(7, 2_000));
}
