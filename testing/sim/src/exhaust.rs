//! Collisions, every order of them: both sides begin something at once, and then whatever is on its way arrives in each possible
//! order, or is lost, or comes so late that the sender repeats itself first.
//!
//! An order is a list of choices; where only one thing can happen there is none. After `depth` choices the rest arrives one by
//! one, and what must hold at rest is checked.
//!
//! Most orders lead where another has led before: what arrives at one host does not concern what arrives at the other before
//! or after it, and a repetition that is only answered again, or a message that nobody waits for, changes nothing. A host is a
//! function of what it was given and when, its randomness included. So a state is known by what each host was given so far that
//! changed it, by the moment, by what is on its way and by what may still be chosen; from a state seen before, all that can
//! follow was played already, and is only counted.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use charon_types::connection::{Connection, Toggle, Unique};
use charon_types::id::UniqueId;
use charon_types::kernel_op::Mode;
use charon_types::lifetime::ChildLifetime;
use charon_types::proposal::{Proposal, Protocol};
use ikev2_proto::ike_sa::{Command, Force};
use ikev2_proto::output::CommandToken;

use crate::chance::Chance;
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
    /// Establish an IKE_SA where there is none yet.
    Initiate,
}

impl Verb {
    /// All that need an IKE_SA.
    pub const ALL: [Self; 5] =
        [Self::RekeyIke, Self::RekeyChild, Self::CreateChild, Self::DeleteChild, Self::DeleteIke];

    const fn exchanges_keys(self) -> bool {
        matches!(self, Self::RekeyChild | Self::CreateChild)
    }
}

/// How the sides want to exchange keys for children.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Methods {
    /// By the same method.
    Agreed,
    /// Each by one that the other likes less: INVALID_KE_PAYLOAD.
    Crossed,
}

/// Two things begun at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collision {
    /// By A and by B.
    pub verbs: [Verb; 2],
    /// How children are made.
    pub methods: Methods,
    /// Keys and nonces, and with them who wins.
    pub seed: u64,
}

impl Collision {
    fn initiates(self) -> bool {
        self.verbs == [Verb::Initiate; 2]
    }

    /// One side deletes the child, and the other one begins nothing that would make another.
    fn ends_the_child(self) -> bool {
        self.verbs.contains(&Verb::DeleteChild) && !self.verbs.contains(&Verb::CreateChild)
    }

    /// All of them, each with several seeds.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let initiate = |seed| Self { verbs: [Verb::Initiate; 2], methods: Methods::Agreed, seed };
        let mut all: Vec<_> = SEEDS_OF_INITIATION.map(initiate).collect();
        for a in Verb::ALL {
            for b in Verb::ALL {
                for methods in [Methods::Agreed, Methods::Crossed] {
                    if methods == Methods::Crossed && ![a, b].into_iter().any(Verb::exchanges_keys) {
                        continue;
                    }
                    all.extend(SEEDS.map(|seed| Self { verbs: [a, b], methods, seed }));
                }
            }
        }
        all
    }
}

impl fmt::Display for Collision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verbs: [a, b], methods, seed } = self;
        write!(f, "{a:?} against {b:?}, methods {methods:?}, seed {seed}")
    }
}

/// With these each side wins some time.
const SEEDS_OF_INITIATION: std::ops::Range<u64> = 0..4;

/// Seeds played per pair.
const SEEDS: std::ops::Range<u64> = 0..2;

/// How often nothing arrives until somebody sends again, at most, in one order.
const WAITS_MAX: u32 = 2;

/// How many datagrams are lost, at most, in one order.
const LOSSES_MAX: u32 = 1;

/// How much was played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Played {
    /// Orders.
    pub orders: u64,
    /// Different states.
    pub states: u64,
    /// Ends that were looked at.
    pub ends: u64,
}

/// Plays every order of one collision.
///
/// # Errors
/// The first one that ends as none should.
pub fn play(collision: Collision, depth: u32) -> Result<Played, Box<Failed>> {
    let start = Left { choices: depth, waits: WAITS_MAX, losses: LOSSES_MAX, fresh: 2 };
    let mut search = Search {
        collision,
        setting: setting(collision),
        known: HashMap::new(),
        order: Vec::new(),
        played: Played::default(),
    };
    let simulation = search.replay();
    search.played.orders = search.explore(simulation, start)?;
    Ok(search.played)
}

/// What may still be chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Left {
    choices: u32,
    waits: u32,
    losses: u32,
    /// So many of the datagrams on their way were sent in the last step. A datagram that is lost is lost at once: later would be
    /// the same, because nobody notices.
    fresh: usize,
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Deliver(usize),
    Lose(usize),
    Wait,
}

struct Search {
    collision: Collision,
    setting: (Scenario, Chance),
    /// How many orders go on from a state.
    known: HashMap<(u64, Left), u64>,
    /// What was chosen so far.
    order: Vec<Choice>,
    played: Played,
}

impl Search {
    fn explore(&mut self, mut simulation: Simulation, left: Left) -> Result<u64, Box<Failed>> {
        let left = match left {
            // Nothing is chosen any more.
            _ if simulation.in_flight() == 0 => Left::default(),
            Left { choices: 0, .. } => Left::default(),
            Left { losses: 0, .. } => Left { fresh: 0, ..left },
            left => left,
        };
        let state = (simulation.fingerprint(left.fresh), left);
        if let Some(orders) = self.known.get(&state) {
            return Ok(*orders);
        }
        self.played.states += 1;
        let options = options(&simulation, left);
        if options.is_empty() {
            self.played.ends += 1;
            self.finish(&mut simulation)?;
            self.known.insert(state, 1);
            return Ok(1);
        }
        let left = if options.len() == 1 { left } else { Left { choices: left.choices - 1, ..left } };
        let mut orders = 0;
        let mut here = Some(simulation);
        for (at, choice) in options.iter().copied().enumerate() {
            // The last one goes on from here.
            let last = at + 1 == options.len();
            let mut simulation = here.take_if(|_| last).unwrap_or_else(|| self.replay());
            let sent = simulation.sent();
            take(&mut simulation, choice);
            let fresh = simulation.in_flight_since(sent);
            let left = match choice {
                Choice::Deliver(_) => Left { fresh, ..left },
                Choice::Lose(_) => Left { losses: left.losses - 1, fresh, ..left },
                Choice::Wait => Left { waits: left.waits - 1, fresh, ..left },
            };
            self.order.push(choice);
            orders += self.explore(simulation, left)?;
            self.order.pop();
        }
        self.known.insert(state, orders);
        Ok(orders)
    }

    /// Everything up to here once more: machines cannot be copied.
    fn replay(&self) -> Simulation {
        let mut simulation = begin(self.collision, &self.setting);
        self.order.iter().for_each(|choice| take(&mut simulation, *choice));
        simulation
    }

    fn finish(&self, simulation: &mut Simulation) -> Result<(), Box<Failed>> {
        let mut violations = check::settle(simulation);
        if self.collision.initiates() {
            violations.extend(not_one(simulation));
        }
        if self.collision.ends_the_child() {
            violations.extend(living_on(simulation));
        }
        if violations.is_empty() {
            return Ok(());
        }
        let mut again = begin(self.collision, &self.setting);
        again.keep_log();
        self.order.iter().for_each(|choice| take(&mut again, *choice));
        check::settle(&mut again);
        let mut log = again.take_log();
        log.insert(0, format!("{}, {:?}", self.collision, self.order));
        Err(Box::new(Failed { seed: self.collision.seed, violations, log }))
    }
}

fn options(simulation: &Simulation, left: Left) -> Vec<Choice> {
    let flying = simulation.in_flight();
    if left.choices == 0 || flying == 0 {
        // The rest arrives.
        return (flying > 0).then_some(Choice::Deliver(0)).into_iter().collect();
    }
    let mut options: Vec<_> = (0..flying).map(Choice::Deliver).collect();
    if left.losses > 0 {
        options.extend((flying.saturating_sub(left.fresh)..flying).map(Choice::Lose));
    }
    if left.waits > 0 {
        options.push(Choice::Wait);
    }
    options
}

fn take(simulation: &mut Simulation, choice: Choice) {
    match choice {
        Choice::Deliver(place) => simulation.deliver(place),
        Choice::Lose(place) => {
            simulation.lose(place);
            // Only a repetition helps if that was all.
            if simulation.in_flight() == 0 {
                simulation.wait();
            }
        }
        Choice::Wait => simulation.wait(),
    }
}

/// Both have begun.
fn begin(collision: Collision, setting: &(Scenario, Chance)) -> Simulation {
    if collision.initiates() {
        return initiated(setting);
    }
    let mut simulation = established(setting);
    for ((side, peer), verb) in [(Side::A, Side::B), (Side::B, Side::A)].into_iter().zip(collision.verbs) {
        let (sa, child) = the_only_ones(&simulation, side);
        let second = Arc::clone(&simulation.host(side).world.connection(peer).children[1]);
        let command = |token: Option<CommandToken>| match verb {
            Verb::RekeyIke => Command::RekeyIke { token },
            Verb::RekeyChild => Command::RekeyChild { child, token },
            Verb::CreateChild => Command::InitiateChild { child: second, token },
            Verb::DeleteChild => Command::TerminateChild { child, token },
            Verb::DeleteIke => Command::TerminateIke { force: Force::Polite, token },
            Verb::Initiate => unreachable!("needs no IKE_SA, and both do it"),
        };
        simulation.with_host(side, |host, now| host.command(now, sa, command));
    }
    simulation.work();
    simulation
}

/// Two hosts on a network that does nothing by itself.
fn setting(collision: Collision) -> (Scenario, Chance) {
    let mut chance = Chance::new(collision.seed);
    // Some scenario of this kind: the fields that matter are set below.
    let mut scenario = loop {
        let scenario = Scenario::draw(&mut chance);
        let [(_, ours), ..] = &scenario.connections[0][..] else { continue };
        let [(_, theirs)] = &scenario.connections[1][..] else { continue };
        let alike = ours.ike.proposals == theirs.ike.proposals;
        let timeless = [ours, theirs].iter().all(|connection| {
            let time = connection.ike.lifetime;
            time.rekey_time.is_zero()
                && time.reauth_time.is_zero()
                && connection.children[0].lifetime == ChildLifetime::default()
        });
        if alike && timeless && ours.ike.encap == Toggle::Disabled && ours.children[0].mode == Mode::Tunnel {
            break scenario;
        }
    };
    (scenario.loss_percent, scenario.duplicate_percent) = (0, 0);
    (scenario.delay, scenario.jitter, scenario.latency) =
        (Duration::from_millis(1), Duration::ZERO, Duration::ZERO);
    (scenario.nat, scenario.temper, scenario.fragment_size) = (Nat::None, Temper::Calm, 1280);
    for (place, connections) in scenario.connections.iter_mut().enumerate() {
        let proposal = match (collision.methods, place) {
            (Methods::Agreed, _) => "aes256gcm16-x25519",
            (Methods::Crossed, 0) => "aes256gcm16-ecp256-x25519",
            (Methods::Crossed, _) => "aes256gcm16-x25519-ecp256",
        };
        for (_, connection) in connections {
            *connection = Arc::new(with_proposal(connection, proposal));
            if collision.initiates() {
                Arc::make_mut(connection).ike.unique = Unique::Replace;
            }
        }
    }
    (scenario, chance)
}

/// They have one IKE_SA and one child.
fn established(setting: &(Scenario, Chance)) -> Simulation {
    let mut simulation = strangers(setting);
    initiate(&mut simulation, Side::A, Side::B);
    simulation.pass(Duration::from_secs(2));
    simulation
}

/// Both have begun an IKE_SA with the same child.
fn initiated(setting: &(Scenario, Chance)) -> Simulation {
    let mut simulation = strangers(setting);
    initiate(&mut simulation, Side::A, Side::B);
    initiate(&mut simulation, Side::B, Side::A);
    simulation.work();
    simulation
}

fn strangers((scenario, chance): &(Scenario, Chance)) -> Simulation {
    let (scenario, mut chance) = (scenario.clone(), chance.clone());
    let ledger = Arc::new(Ledger::default());
    let providers = (0..2).map(|_| toy::provider(chance.word(), &ledger)).collect();
    Simulation::new(scenario, providers, &ledger, chance.fork())
}

fn initiate(simulation: &mut Simulation, side: Side, peer: Side) {
    let child = Arc::clone(&simulation.host(side).world.connection(peer).children[0]);
    let remote = simulation.host(peer).addresses()[0];
    simulation.with_host(side, |host, now| host.initiate(now, peer, remote, Some(child)));
}

/// Who has not exactly one IKE_SA with one child.
fn not_one(simulation: &Simulation) -> Vec<String> {
    let now = simulation.now().mono;
    let children = |side| {
        let sas = simulation.host(side).sas().iter();
        sas.map(|sa| sa.snapshot(now).children.len()).collect::<Vec<_>>()
    };
    let wrong = Side::BOTH.into_iter().filter(|side| children(*side) != [1]);
    wrong.map(|side| format!("{side:?} has IKE_SAs with {:?} children", children(side))).collect()
}

/// Who has a child although one side wanted it gone.
fn living_on(simulation: &Simulation) -> Vec<String> {
    let now = simulation.now().mono;
    let lives =
        |side: &Side| simulation.host(*side).sas().iter().any(|sa| !sa.snapshot(now).children.is_empty());
    Side::BOTH
        .into_iter()
        .filter(lives)
        .map(|side| format!("{side:?} has a child that was deleted"))
        .collect()
}

fn with_proposal(connection: &Connection, proposal: &str) -> Connection {
    let mut connection = connection.clone();
    for child in &mut connection.children {
        let proposal = Proposal::parse(Protocol::Esp, proposal).expect("a proposal");
        Arc::make_mut(child).proposals = vec![proposal];
    }
    connection
}

fn the_only_ones(simulation: &Simulation, side: Side) -> (UniqueId, UniqueId) {
    let sa = simulation.host(side).sas().first().expect("the handshake has succeeded");
    let snapshot = sa.snapshot(simulation.now().mono);
    (snapshot.unique_id, snapshot.children.first().expect("it made a child").unique_id)
}
