//! Collisions, every order of them: both sides begin something at once, and then whatever is on its way arrives in each possible
//! order, or so late that the sender repeats itself first.
//!
//! A path is a list of choices. After `depth` of them the rest arrives as it was sent, and what must hold at rest is checked.

use std::sync::Arc;
use std::time::Duration;

use charon_types::connection::Toggle;
use charon_types::id::UniqueId;
use charon_types::kernel_op::Mode;
use ikev2_proto::ike_sa::{Command, Force};
use ikev2_proto::output::CommandToken;

use crate::ledger::Ledger;
use crate::scenario::{Nat, Scenario, Temper};
use crate::simulation::Simulation;
use crate::{Failed, Side, check, toy};

/// What a side begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Replace the IKE_SA.
    RekeyIke,
    /// Replace the child.
    RekeyChild,
    /// Create a second child.
    CreateChild,
    /// Delete the child.
    DeleteChild,
    /// Delete the IKE_SA.
    DeleteIke,
}

impl Verb {
    /// All.
    pub const ALL: [Self; 5] =
        [Self::RekeyIke, Self::RekeyChild, Self::CreateChild, Self::DeleteChild, Self::DeleteIke];
}

/// Seeds played per pair: keys and nonces differ, and with them who wins.
const SEEDS: std::ops::Range<u64> = 0..2;

/// How often nothing arrives until somebody sends again, at most, in one order.
const WAITS_MAX: usize = 2;

/// Plays every order of one pair. Returns how many there are.
///
/// # Errors
/// The first one that ends as none should.
pub fn pair(verbs: [Verb; 2], depth: usize) -> Result<u64, Box<Failed>> {
    let mut count = 0;
    for seed in SEEDS {
        let mut path = Path { choices: Vec::new(), depth };
        loop {
            count += 1;
            play(seed, verbs, &mut path)?;
            if !path.advance() {
                break;
            }
        }
    }
    Ok(count)
}

/// The choices of one order: which was taken, of how many.
struct Path {
    choices: Vec<(usize, usize)>,
    depth: usize,
}

impl Path {
    /// The next order in which something is different; `false` behind the last one.
    fn advance(&mut self) -> bool {
        while let Some((taken, of)) = self.choices.pop() {
            if taken + 1 < of {
                self.choices.push((taken + 1, of));
                return true;
            }
        }
        false
    }

    /// The choice at that place, made now for the first time or again.
    fn choose(&mut self, at: usize, of: usize) -> usize {
        match self.choices.get(at) {
            Some((taken, _)) => *taken,
            None => {
                self.choices.push((0, of));
                0
            }
        }
    }
}

fn play(seed: u64, verbs: [Verb; 2], path: &mut Path) -> Result<(), Box<Failed>> {
    let mut simulation = established(seed);
    for (side, verb) in Side::BOTH.into_iter().zip(verbs) {
        simulation.note(|| format!("-- {side:?} {verb:?}"));
        let (sa, child) = the_only_ones(&simulation, side);
        let second = Arc::clone(&simulation.host(side).world.connection.children[1]);
        let command = |token: Option<CommandToken>| match verb {
            Verb::RekeyIke => Command::RekeyIke { token },
            Verb::RekeyChild => Command::RekeyChild { child, token },
            Verb::CreateChild => Command::InitiateChild { child: second, token },
            Verb::DeleteChild => Command::TerminateChild { child, token },
            Verb::DeleteIke => Command::TerminateIke { force: Force::Polite, token },
        };
        simulation.with_host(side, |host, now| host.command(now, sa, command));
    }
    simulation.work();
    let mut waits = 0;
    for at in 0..path.depth {
        let flying = simulation.in_flight();
        if flying == 0 {
            break;
        }
        // Behind the last datagram: none arrives before somebody loses patience.
        match path.choose(at, flying + usize::from(waits < WAITS_MAX)) {
            choice if choice < flying => simulation.deliver(choice),
            _ => {
                waits += 1;
                simulation.wait();
            }
        }
    }
    let violations = check::settle(&mut simulation);
    if violations.is_empty() {
        return Ok(());
    }
    let mut log = simulation.take_log();
    log.insert(0, format!("{verbs:?}, choices {:?}", path.choices));
    Err(Box::new(Failed { seed, violations, log }))
}

/// Two hosts with one IKE_SA and one child, on a network that does nothing by itself.
fn established(seed: u64) -> Simulation {
    let mut chance = crate::chance::Chance::new(seed);
    // Some scenario of this kind: the fields that matter are set below.
    let mut scenario = loop {
        let scenario = Scenario::draw(&mut chance);
        let ours = &scenario.connections[0];
        let alike = ours.ike.proposals == scenario.connections[1].ike.proposals;
        if alike && ours.ike.encap == Toggle::Disabled && ours.children[0].mode == Mode::Tunnel {
            break scenario;
        }
    };
    (scenario.loss_percent, scenario.duplicate_percent) = (0, 0);
    (scenario.delay, scenario.jitter, scenario.latency) =
        (Duration::from_millis(1), Duration::ZERO, Duration::ZERO);
    (scenario.nat, scenario.temper, scenario.fragment_size) = (Nat::None, Temper::Calm, 1280);
    let ledger = Arc::new(Ledger::default());
    let providers = [(); 2].map(|()| toy::provider(chance.word(), &ledger));
    let mut simulation = Simulation::new(scenario, providers, &ledger, chance.fork());
    let child = Arc::clone(&simulation.host(Side::A).world.connection.children[0]);
    simulation.with_host(Side::A, |host, now| host.initiate(now, Some(child)));
    simulation.pass(Duration::from_secs(2));
    simulation
}

fn the_only_ones(simulation: &Simulation, side: Side) -> (UniqueId, UniqueId) {
    let sa = simulation.host(side).sas().first().expect("the handshake has succeeded");
    let snapshot = sa.snapshot(simulation.now().mono);
    (snapshot.unique_id, snapshot.children.first().expect("it made a child").unique_id)
}
