//! The routers, their inboxes and the link between them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use charon_crypto::{CryptoProvider, Order, ProviderBuilder};
use vrrp_proto::{
    Advert, InterfaceState, Now, Output, Priority, Received, RouterConfig, State, VirtualRouter,
};

use super::Tally;
use super::promise::Promise;
use super::scenario::Scenario;
use crate::chance::Chance;

/// Packets that wait for a paused router; what comes then is lost, as in a socket.
const INBOX_DEPTH: usize = 32;
const LOG_LINES: usize = 200;

/// A packet on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Flight {
    from: usize,
    to: usize,
    advert: Advert,
}

/// A process and its host.
pub(crate) struct Node {
    pub(crate) router: VirtualRouter,
    pub(crate) life: Life,
    /// Whether the virtual addresses are on its interface.
    pub(crate) holds: bool,
    inbox: VecDeque<Advert>,
}

/// What its process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    Running,
    /// Not scheduled, until then.
    Paused(Duration),
    Dead,
}

pub(crate) struct Fleet {
    pub(crate) nodes: Vec<Node>,
    pub(crate) primaries: Vec<IpAddr>,
    /// Which part of the network each is in.
    pub(crate) parts: Vec<u8>,
    /// Percent of packets that are lost, and sent twice.
    pub(crate) loss: u64,
    pub(crate) repeat: u64,
    delay: Duration,
    pub(crate) clock: Duration,
    start: Instant,
    flights: BinaryHeap<Reverse<(Duration, u64)>>,
    cargo: std::collections::BTreeMap<u64, Flight>,
    launched: u64,
    pub(crate) promise: Promise,
    pub(crate) tally: Tally,
    pub(crate) log: VecDeque<String>,
    crypto: CryptoProvider,
    chance: Chance,
}

impl Fleet {
    pub(crate) fn new(scenario: &Scenario, chance: Chance) -> Self {
        let mut builder = ProviderBuilder::new(Order::AsAdded);
        for algorithm in charon_crypto_ring::algorithms() {
            builder.add_untested("crypto-ring", algorithm);
        }
        let crypto = builder.freeze();
        let start = Instant::now();
        let count = scenario.routers.len();
        let mut fleet = Self {
            nodes: Vec::new(),
            primaries: scenario.primaries.clone(),
            parts: vec![0; count],
            loss: 0,
            repeat: 0,
            delay: scenario.delay,
            clock: Duration::ZERO,
            start,
            flights: BinaryHeap::new(),
            cargo: std::collections::BTreeMap::new(),
            launched: 0,
            promise: Promise::new(scenario),
            tally: Tally::default(),
            log: VecDeque::new(),
            crypto,
            chance,
        };
        for config in &scenario.routers {
            let router = fleet.create(config);
            fleet.nodes.push(Node { router, life: Life::Running, holds: false, inbox: VecDeque::new() });
        }
        for node in 0..count {
            fleet.interface(node, InterfaceState::Up { primary: Some(fleet.primaries[node]) });
        }
        fleet
    }

    fn create(&self, config: &RouterConfig) -> VirtualRouter {
        VirtualRouter::new(config.clone(), &self.crypto, self.now())
            .expect("a scenario's configurations are good")
    }

    pub(crate) fn now(&self) -> Now {
        Now {
            mono: self.start + self.clock,
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_162_112) + self.clock,
        }
    }

    /// When something is to be done next.
    pub(crate) fn next_due(&self) -> Option<Duration> {
        let landing = self.flights.peek().map(|Reverse((at, _))| *at);
        let of_node = |node: &Node| match node.life {
            Life::Running => node.router.next_timeout().map(|at| at.saturating_duration_since(self.start)),
            Life::Paused(until) => Some(until),
            Life::Dead => None,
        };
        self.nodes.iter().filter_map(of_node).chain(landing).min().map(|at| at.max(self.clock))
    }

    /// Does what is due at that moment.
    pub(crate) fn step(&mut self, at: Duration) -> Result<(), String> {
        self.clock = at;
        self.tally.steps += 1;
        if let Some(Reverse((landing, number))) = self.flights.peek().copied()
            && landing <= at
        {
            self.flights.pop();
            if let Some(flight) = self.cargo.remove(&number) {
                self.land(flight);
            }
        } else if let Some(index) = self.nodes.iter().position(|node| node.is_due(self.start, at)) {
            if let Life::Paused(_) = self.nodes[index].life {
                self.nodes[index].life = Life::Running;
                self.say(format!("{index} goes on"));
                // As a shell must: first what waits in the socket, then the timers.
                while let Some(advert) = self.nodes[index].inbox.pop_front() {
                    self.hear(index, &advert);
                }
            }
            let now = self.now();
            self.nodes[index].router.handle_timeout(now);
            self.drain(index);
        }
        self.check()
    }

    pub(crate) fn check(&mut self) -> Result<(), String> {
        self.promise.check(self.clock, &self.nodes, &self.parts, &mut self.tally)
    }

    fn land(&mut self, flight: Flight) {
        let Flight { from, to, advert } = flight;
        let node = &mut self.nodes[to];
        match node.life {
            Life::Running => self.hear(to, &advert),
            Life::Paused(_) if node.inbox.len() < INBOX_DEPTH => node.inbox.push_back(advert),
            Life::Paused(_) | Life::Dead => self.promise.disturbed(from, to, self.clock),
        }
    }

    fn hear(&mut self, index: usize, advert: &Advert) {
        let now = self.now();
        let node = &mut self.nodes[index];
        let received = Received {
            source: advert.source,
            destination: advert.destination,
            ttl: vrrp_proto::id::TTL,
            payload: &advert.payload,
        };
        // Replays and echoes are refused, as they must be.
        let refused = node.router.handle_advert(&received, now).err();
        if let Some(reason) = refused {
            self.say(format!("{index} refuses what {} sent: {reason}", advert.source));
        }
        self.drain(index);
    }

    /// Carries out what a router wants done.
    pub(crate) fn drain(&mut self, index: usize) {
        while let Some(output) = self.nodes[index].router.poll_output() {
            match output {
                Output::SendAdvert(advert) => self.send(index, &advert),
                Output::AddAddresses(_) => {
                    self.nodes[index].holds = true;
                    self.tally.takeovers += 1;
                }
                Output::RemoveAddresses(_) => self.nodes[index].holds = false,
                Output::Transition(change) => {
                    self.say(format!("{index}: {} to {}, {}", change.from, change.to, change.reason));
                }
                Output::Announce { .. } | Output::Rejected { .. } | Output::Notice(_) => {}
            }
        }
    }

    fn send(&mut self, from: usize, advert: &Advert) {
        for to in 0..self.nodes.len() {
            if self.parts[from] != self.parts[to] || to == from && !self.chance.percent(2) {
                continue;
            }
            if self.chance.percent(self.loss) {
                self.promise.disturbed(from, to, self.clock);
                continue;
            }
            let copies = if self.chance.percent(self.repeat) { 2 } else { 1 };
            for _ in 0..copies {
                let micros = u64::try_from(self.delay.as_micros()).unwrap_or(u64::MAX);
                let landing = self.clock + Duration::from_micros(self.chance.below(micros.max(1)));
                self.launched += 1;
                self.flights.push(Reverse((landing, self.launched)));
                self.cargo.insert(self.launched, Flight { from, to, advert: advert.clone() });
            }
        }
    }

    pub(crate) fn interface(&mut self, index: usize, state: InterfaceState) {
        let now = self.now();
        self.nodes[index].router.handle_interface(state, now);
        self.drain(index);
    }

    /// Ends a process without a word.
    pub(crate) fn kill(&mut self, index: usize) {
        self.nodes[index].life = Life::Dead;
        self.nodes[index].holds = false;
        self.nodes[index].inbox.clear();
    }

    /// Starts it again from nothing.
    pub(crate) fn revive(&mut self, index: usize) {
        let config = self.nodes[index].router.config().clone();
        self.nodes[index].router = self.create(&config);
        self.nodes[index].life = Life::Running;
        self.interface(index, InterfaceState::Up { primary: Some(self.primaries[index]) });
    }

    pub(crate) fn say(&mut self, line: String) {
        if self.log.len() >= LOG_LINES {
            self.log.pop_front();
        }
        self.log.push_back(format!("{:10.4} {line}", self.clock.as_secs_f64()));
    }
}

impl Node {
    fn is_due(&self, start: Instant, at: Duration) -> bool {
        match self.life {
            Life::Running => self.router.next_timeout().is_some_and(|due| due <= start + at),
            Life::Paused(until) => until <= at,
            Life::Dead => false,
        }
    }

    /// Whether it answers for the addresses.
    pub(crate) fn is_active(&self) -> bool {
        self.life != Life::Dead && self.holds
    }

    pub(crate) fn priority(&self) -> Priority {
        self.router.effective_priority()
    }

    /// Whether it takes part at all.
    pub(crate) fn takes_part(&self) -> bool {
        self.life == Life::Running && self.router.state() != State::Initialize
    }
}
