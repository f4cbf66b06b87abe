//! IKE machines on a bad network under virtual time.
//!
//! A seed decides everything: configuration, network, what is done and when. [`run`] plays a history on two to five hosts and
//! checks after each step what must always hold; then it heals the network, waits until nothing moves, and checks that all
//! are of one mind ([`check`]). The same seed plays the same history.
//!
//! ```text
//! scenario   what the seed stands for      history   what is done to the hosts
//! network    loses, delays, repeats        simulation   the clock and what is due
//! host, world, kernel   a shell in memory  check   what must hold, always and at the end
//! reauth, crossing   what a shell does about other IKE_SAs of a peer
//! toy, ledger   algorithms that notice a repeated IV
//! ```
//!
//! [`vrrp`] does the same to virtual routers.
#![forbid(unsafe_code)]

pub mod chance;
pub mod check;
pub mod crossing;
pub mod exhaust;
pub mod history;
pub mod host;
pub mod kernel;
pub mod ledger;
pub mod network;
pub mod reauth;
pub mod scenario;
pub mod simulation;
pub mod toy;
pub mod vrrp;
pub mod world;

use std::sync::Arc;

use chance::Chance;
use charon_crypto::{CryptoProvider, Order, ProviderBuilder};
use ledger::Ledger;
use scenario::Scenario;
use simulation::Simulation;

/// Which host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// Sits behind the NAT, if there is one.
    A,
    /// The one in the middle, if the others do not know each other.
    B,
    /// A third one.
    C,
    /// A fourth one.
    D,
    /// A fifth one.
    E,
}

impl Side {
    /// All that there can be.
    pub const ALL: [Self; 5] = [Self::A, Self::B, Self::C, Self::D, Self::E];

    /// Those of the smallest history.
    pub const BOTH: [Self; 2] = [Self::A, Self::B];

    /// Its place in [`Self::ALL`].
    #[must_use]
    pub const fn index(self) -> u8 {
        match self {
            Self::A => 0,
            Self::B => 1,
            Self::C => 2,
            Self::D => 3,
            Self::E => 4,
        }
    }

    /// Its place in a list of all hosts.
    #[must_use]
    pub fn place(self) -> usize {
        usize::from(self.index())
    }
}

/// Whose algorithms are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crypto {
    /// [`toy`]: fast, and checks IVs.
    Toy,
    /// ring's: the real ones, with real randomness for keys and nonces.
    Real,
}

/// What a history was like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Datagrams sent.
    pub datagrams: usize,
    /// Commands given.
    pub commands: usize,
    /// Commands that succeeded.
    pub succeeded: usize,
    /// IKE_SAs that live at the end.
    pub ike_sas: usize,
    /// CHILD_SAs that live at the end.
    pub children: usize,
    /// Virtual seconds until nothing moved.
    pub seconds: u64,
}

/// Plays the history of a seed.
///
/// # Errors
/// What does not hold, and the history up to there.
pub fn run(seed: u64, crypto: Crypto) -> Result<Outcome, Box<Failed>> {
    play(seed, crypto, Log::Off).or_else(|_| play(seed, crypto, Log::On))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Log {
    Off,
    On,
}

fn play(seed: u64, crypto: Crypto, log: Log) -> Result<Outcome, Box<Failed>> {
    let (mut simulation, mut chance) = prepare(seed, crypto);
    if log == Log::On {
        simulation.keep_log();
    }
    let violations = match history::play(&mut simulation, &mut chance) {
        Ok(()) => check::settle(&mut simulation),
        Err(violations) => violations,
    };
    if violations.is_empty() {
        Ok(simulation.outcome())
    } else {
        Err(Box::new(Failed { seed, violations, log: simulation.take_log() }))
    }
}

/// Hosts of which nothing was asked yet, and the chances of their history.
#[must_use]
pub fn prepare(seed: u64, crypto: Crypto) -> (Simulation, Chance) {
    let mut chance = Chance::new(seed);
    let scenario = Scenario::draw(&mut chance);
    let ledger = Arc::new(Ledger::default());
    let mut provider = || match crypto {
        Crypto::Toy => toy::provider(chance.word(), &ledger),
        Crypto::Real => real_provider(),
    };
    let providers = (0..scenario.sides().len()).map(|_| provider()).collect();
    let simulation = Simulation::new(scenario, providers, &ledger, chance.fork());
    (simulation, chance)
}

/// A history that ended as none should.
#[derive(Clone, Debug)]
pub struct Failed {
    /// Its seed.
    pub seed: u64,
    /// What does not hold.
    pub violations: Vec<String>,
    /// What happened.
    pub log: Vec<String>,
}

fn real_provider() -> Arc<CryptoProvider> {
    let mut builder = ProviderBuilder::new(Order::AsAdded);
    for algorithm in charon_crypto_ring::algorithms() {
        builder.add_untested("ring", algorithm);
    }
    Arc::new(builder.freeze())
}
