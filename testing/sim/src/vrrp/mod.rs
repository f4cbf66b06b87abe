//! Virtual routers on a bad network under virtual time.
//!
//! Three to five routers share a link that loses, delays, repeats and reorders, falls into parts and heals; routers are
//! paused, stopped, killed and started again, lose their interface, and change their priority. A seed decides everything.
//! Every so often all troubles end, and the routers must agree within the time that the protocol allows.
//!
//! ```text
//! scenario   what the seed stands for     fleet   the routers, their inboxes and the link
//! trouble    what is done to them         promise what must hold, at every step and when all is quiet
//! ```

mod fleet;
mod promise;
mod scenario;
mod trouble;

use std::time::Duration;

use fleet::Fleet;
use scenario::Scenario;

use crate::chance::Chance;

/// What a history did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Events handled: packets, timers, troubles.
    pub steps: u64,
    /// Times that a router became Active.
    pub takeovers: u64,
    /// Moments at which all was quiet and one router was found Active.
    pub agreements: u64,
    /// Longest time that two routers were Active while nothing was wrong between them.
    pub longest_overlap: Duration,
    /// Virtual time.
    pub elapsed: Duration,
}

impl Tally {
    /// Adds another's.
    pub fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.takeovers += other.takeovers;
        self.agreements += other.agreements;
        self.longest_overlap = self.longest_overlap.max(other.longest_overlap);
        self.elapsed += other.elapsed;
    }
}

/// A promise was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Of which history.
    pub seed: u64,
    /// How.
    pub what: String,
    /// What happened before, the last lines.
    pub log: Vec<String>,
}

/// Plays the history of a seed for that many steps.
///
/// # Errors
/// The first promise that was broken.
pub fn run(seed: u64, steps: u64) -> Result<Tally, Box<Broken>> {
    let mut chance = Chance::new(seed);
    let scenario = Scenario::of(&mut chance);
    let mut fleet = Fleet::new(&scenario, chance.fork());
    let mut trouble = trouble::Troubles::new(chance);
    while fleet.tally.steps < steps {
        let played = match fleet.next_due().filter(|at| *at <= trouble.next) {
            Some(at) => fleet.step(at),
            None => trouble.strike(&mut fleet, &scenario),
        };
        if let Err(what) = played {
            return Err(Box::new(Broken { seed, what, log: fleet.log.into_iter().collect() }));
        }
    }
    fleet.tally.elapsed = fleet.clock;
    Ok(fleet.tally)
}
