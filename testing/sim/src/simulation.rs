//! Some hosts, the network between them, and one clock.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use charon_crypto::CryptoProvider;
use charon_types::endpoint::Path;
use charon_types::id::UniqueId;
use charon_types::kernel_op::KernelOp;
use ikev2_proto::Job;
use ikev2_proto::env::{Now, Settings};
use ikev2_proto::output::{JobId, OpId, SourceQuery};
use ikev2_proto::wire::{Header, Title};

use crate::chance::Chance;
use crate::host::{Host, Wish};
use crate::kernel::Kernel;
use crate::ledger::Ledger;
use crate::network::Network;
use crate::scenario::Scenario;
use crate::world::World;
use crate::{Outcome, Side};

/// More happens in no history that ends.
const EVENTS_MAX: usize = 200_000;
/// Lines of log kept.
const LOG_MAX: usize = 20_000;

/// See the module.
pub struct Simulation {
    /// What the seed stands for.
    pub scenario: Scenario,
    /// Between the hosts.
    pub network: Network,
    /// Shared by both.
    pub ledger: Arc<Ledger>,
    hosts: Vec<Host>,
    start: Instant,
    now: Instant,
    due: BTreeMap<(Instant, u64), Due>,
    sequence: u64,
    events: usize,
    /// When each kernel has done what it was asked so far: one queue, in order.
    kernel_free: Vec<Instant>,
    /// What was begun before a reboot is for nobody.
    boots: Vec<u32>,
    chance: Chance,
    /// Only whoever reads about a failure wants it.
    log: Option<Vec<String>>,
    /// What each host was given so far, in a word: a host given the same at the same moments is in the same state.
    past: Vec<u64>,
}

enum Due {
    Datagram(Side, Path, Vec<u8>),
    Kernel(Side, u32, UniqueId, OpId, Vec<KernelOp>),
    Job(Side, u32, UniqueId, JobId, Job),
    Sources(Side, u32, UniqueId, OpId, Vec<SourceQuery>),
}

impl Due {
    fn datagram(&self) -> Option<(Side, Path, &[u8])> {
        match self {
            Self::Datagram(side, path, octets) => Some((*side, *path, octets)),
            Self::Kernel(..) | Self::Job(..) | Self::Sources(..) => None,
        }
    }
}

impl Simulation {
    /// Hosts that have done nothing yet.
    #[must_use]
    pub fn new(
        scenario: Scenario,
        providers: Vec<Arc<CryptoProvider>>,
        ledger: &Arc<Ledger>,
        mut chance: Chance,
    ) -> Self {
        let mut hosts = Vec::new();
        for (side, crypto) in scenario.sides().iter().copied().zip(providers) {
            let settings = Settings {
                fragment_size_v4: scenario.fragment_size,
                make_before_break: scenario.make_before_break[side.place()],
                ..Settings::default()
            };
            let world = World::new(scenario.connections[side.place()].clone(), crypto, settings);
            let kernel = Kernel::new(Arc::clone(ledger), chance.fork());
            hosts.push(Host::new(side, world, kernel, chance.fork()));
        }
        let mut network = Network::new(scenario.clone(), chance.fork());
        for (side, host) in scenario.sides().iter().zip(&hosts) {
            network.settle_at(*side, host.addresses());
        }
        let start = Instant::now();
        Self {
            network,
            ledger: Arc::clone(ledger),
            hosts,
            start,
            now: start,
            due: BTreeMap::new(),
            sequence: 0,
            events: 0,
            kernel_free: vec![start; scenario.sides().len()],
            boots: vec![0; scenario.sides().len()],
            chance,
            log: None,
            past: vec![0; scenario.sides().len()],
            scenario,
        }
    }

    /// A host.
    #[must_use]
    pub fn host(&self, side: Side) -> &Host {
        &self.hosts[side.place()]
    }

    /// Every host looks at itself.
    pub fn examine(&mut self) {
        self.hosts.iter_mut().for_each(|host| host.examine(self.now));
    }

    /// The moment.
    #[must_use]
    pub fn now(&self) -> Now {
        let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000) + (self.now - self.start);
        Now { mono: self.now, wall }
    }

    /// Whether more happened than can be.
    #[must_use]
    pub const fn is_runaway(&self) -> bool {
        self.events >= EVENTS_MAX
    }

    /// Whether nothing is on its way: no datagram, job or kernel operation.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.due.is_empty()
    }

    /// Notes something for whoever reads about a failure.
    pub fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(log) = self.log.as_mut().filter(|log| log.len() < LOG_MAX) {
            let at = (self.now - self.start).as_secs_f64();
            log.push(format!("{at:9.3} {}", line()));
        }
    }

    /// Begins to note what happens.
    pub fn keep_log(&mut self) {
        self.log = Some(Vec::new());
    }

    /// What happened.
    pub fn take_log(&mut self) -> Vec<String> {
        self.log.take().unwrap_or_default()
    }

    /// Numbers of the history.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let commands = || self.hosts.iter().flat_map(Host::commands);
        let sas = || self.hosts.iter().flat_map(Host::sas);
        Outcome {
            datagrams: self.network.count(),
            commands: commands().count(),
            succeeded: commands().filter(|(_, outcome)| matches!(outcome, Some(Ok(_)))).count(),
            ike_sas: sas().count(),
            children: sas().map(|sa| sa.child_spis().count()).sum(),
            seconds: (self.now - self.start).as_secs(),
        }
    }

    /// Does something with a host, then what it wishes.
    pub fn with_host(&mut self, side: Side, act: impl FnOnce(&mut Host, Now) -> Vec<Wish>) {
        let now = self.now();
        let host = &mut self.hosts[side.place()];
        let wishes = act(host, now);
        self.network.settle_at(side, host.addresses());
        let lines = host.take_log();
        lines.into_iter().for_each(|line| self.note(|| line));
        for wish in wishes {
            self.grant(side, wish);
        }
    }

    /// A reboot: what its kernel and jobs were at is for nobody.
    pub fn reboot(&mut self, side: Side) {
        self.note(|| format!("{side:?} reboots"));
        self.boots[side.place()] += 1;
        self.kernel_free[side.place()] = self.now;
        self.hosts[side.place()].reboot();
    }

    /// Puts a datagram on the network that no host sent (just now).
    pub fn inject(&mut self, sent: &crate::network::Sent) {
        if let Some(flight) = self.network.carry(self.now, sent) {
            self.put(flight.at, Due::Datagram(flight.to, flight.path, flight.octets));
        }
    }

    /// All that what comes next depends on: what the hosts were given and heeded, the moment, and what is on its way; of
    /// that, the last `fresh` datagrams are not as the others.
    #[must_use]
    pub fn fingerprint(&self, fresh: usize) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.past, self.now - self.start).hash(&mut hasher);
        let places = self.flying();
        let old = places.len().saturating_sub(fresh);
        let fresh = places.get(old..).unwrap_or_default();
        let datagrams = self.due.iter().filter_map(|(key, due)| {
            let (side, path, octets) = due.datagram()?;
            Some((side, path.local, path.remote, octets, fresh.contains(key)))
        });
        let mut flying: Vec<_> = datagrams.collect();
        flying.sort_unstable();
        flying.hash(&mut hasher);
        hasher.finish()
    }

    /// Datagrams on their way, copies of one counted once.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.flying().len()
    }

    /// How many datagrams were sent so far.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.sequence
    }

    /// How many of the datagrams on their way were sent since [`Self::sent`] was that; they are the last ones.
    #[must_use]
    pub fn in_flight_since(&self, sent: u64) -> usize {
        self.flying().iter().filter(|(_, sequence)| *sequence > sent).count()
    }

    /// One of the datagrams on their way arrives now, by its place in the order of sending.
    pub fn deliver(&mut self, place: usize) {
        let Some(key) = self.flying().get(place).copied() else { return };
        if let Some(due) = self.due.remove(&key) {
            let given = due.datagram().map(|(side, path, octets)| (side, (path, octets.to_vec())));
            self.on_due(due);
            if let Some((side, given)) = given.filter(|(side, _)| self.host(*side).heeded()) {
                self.remember(side, &given);
            }
        }
        self.work();
    }

    /// One of the datagrams on their way is lost, with all its copies.
    pub fn lose(&mut self, place: usize) {
        let Some(key) = self.flying().get(place).copied() else { return };
        if let Some(lost) = self.due.remove(&key) {
            self.note(|| "        lost: what would have arrived".to_owned());
            self.due.retain(|_, due| due.datagram() != lost.datagram());
        }
    }

    fn remember(&mut self, side: Side, input: &impl Hash) {
        let mut hasher = DefaultHasher::new();
        (self.past[side.place()], self.now - self.start, input).hash(&mut hasher);
        self.past[side.place()] = hasher.finish();
    }

    fn flying(&self) -> Vec<(Instant, u64)> {
        let mut seen: Vec<(Side, Path, &[u8])> = Vec::new();
        let mut keys = Vec::new();
        for (key, due) in &self.due {
            if let Some(datagram) = due.datagram()
                && !seen.contains(&datagram)
            {
                seen.push(datagram);
                keys.push(*key);
            }
        }
        keys
    }

    /// Nothing arrives until the next timer fires.
    pub fn wait(&mut self) {
        let next = self.hosts.iter().filter_map(Host::next_timer).min();
        self.now = next.map_or(self.now, |next| next.max(self.now));
        for side in self.scenario.sides().iter().copied() {
            if self.host(side).next_timer().is_some_and(|next| next <= self.now) {
                self.remember(side, &"timers");
            }
            self.with_host(side, Host::fire);
        }
        self.work();
    }

    /// Kernels and jobs do what they were asked.
    pub fn work(&mut self) {
        loop {
            let mut asked = self.due.iter().filter(|(_, due)| !matches!(due, Due::Datagram(..)));
            let Some(key) = asked.next().map(|(key, _)| *key) else { return };
            if let Some(due) = self.due.remove(&key) {
                self.on_due(due);
            }
        }
    }

    /// Lets that much time pass.
    pub fn pass(&mut self, span: Duration) {
        let end = self.now + span;
        while self.events < EVENTS_MAX {
            let due = self.due.keys().next().map(|(at, _)| *at);
            let timers = self.hosts.iter().filter_map(Host::next_timer);
            match timers.chain(due).min() {
                Some(at) if at <= end => self.now = self.now.max(at),
                _ => break,
            }
            self.events += 1;
            self.happen();
        }
        self.now = end;
    }

    fn happen(&mut self) {
        if let Some(entry) = self.due.first_entry()
            && entry.key().0 <= self.now
        {
            let due = entry.remove();
            return self.on_due(due);
        }
        for side in self.scenario.sides().iter().copied() {
            self.with_host(side, Host::fire);
        }
    }

    fn on_due(&mut self, due: Due) {
        match due {
            // It may have moved since.
            Due::Datagram(side, path, _) if !self.network.is_at(side, path.local.ip()) => {}
            Due::Datagram(side, path, octets) => {
                self.note(|| format!("        {} reaches {side:?}", title(&octets)));
                self.with_host(side, |host, now| host.receive(now, path, &octets));
            }
            Due::Kernel(side, boot, sa, op, ops) if boot == self.boots[side.place()] => {
                self.note(|| format!("        kernel of {side:?} for {sa}: {}", errands(&ops)));
                self.with_host(side, |host, now| host.complete_kernel(now, sa, op, ops));
            }
            Due::Job(side, boot, sa, id, job) if boot == self.boots[side.place()] => {
                self.with_host(side, |host, now| host.complete_job(now, sa, id, job.run()));
            }
            Due::Sources(side, boot, sa, op, queries) if boot == self.boots[side.place()] => {
                self.with_host(side, |host, now| host.complete_sources(now, sa, op, &queries));
            }
            Due::Kernel(..) | Due::Job(..) | Due::Sources(..) => {}
        }
    }

    fn grant(&mut self, side: Side, wish: Wish) {
        let boot = self.boots[side.place()];
        let latency = self.chance.duration(self.scenario.latency);
        match wish {
            Wish::Send(sent) => {
                self.note(|| format!("{side:?} sends {} to {}", title(&sent.octets), sent.path.remote));
                for flight in self.network.send(self.now, sent) {
                    self.put(flight.at, Due::Datagram(flight.to, flight.path, flight.octets));
                }
            }
            Wish::Kernel(sa, op, ops) => {
                let free = &mut self.kernel_free[side.place()];
                *free = (*free).max(self.now) + latency;
                let at = *free;
                self.put(at, Due::Kernel(side, boot, sa, op, ops));
            }
            Wish::Sources(sa, op, queries) => {
                self.put(self.now + latency, Due::Sources(side, boot, sa, op, queries));
            }
            Wish::Keepalive(path) => self.network.keep_alive(side, path),
            Wish::Job(sa, id, job) => self.put(self.now + latency, Due::Job(side, boot, sa, id, job)),
        }
    }

    fn put(&mut self, at: Instant, due: Due) {
        self.sequence += 1;
        self.due.insert((at, self.sequence), due);
    }
}

fn title(octets: &[u8]) -> String {
    match Header::parse(octets) {
        Ok(header) => {
            let title = Title(header.exchange, header.kind, header.message_id);
            format!("{title} of {} ({} octets)", header.spi_initiator, octets.len())
        }
        Err(error) => error.to_string(),
    }
}

fn errands(ops: &[KernelOp]) -> String {
    let errand = |op: &KernelOp| match op {
        KernelOp::AllocSpi { .. } => "AllocSpi".to_owned(),
        KernelOp::AddSa(sa) => format!("AddSa {} {:?}", sa.spi, sa.direction),
        KernelOp::UpdateSa { sa, .. } => format!("UpdateSa {}", sa.spi),
        KernelOp::DeleteSa(sa) => format!("DeleteSa {}", sa.spi),
        KernelOp::QuerySa(sa) => format!("QuerySa {}", sa.spi),
        KernelOp::AddPolicy(_) => "AddPolicy".to_owned(),
        KernelOp::DeletePolicy(_) => "DeletePolicy".to_owned(),
    };
    ops.iter().map(errand).collect::<Vec<_>>().join(", ")
}
