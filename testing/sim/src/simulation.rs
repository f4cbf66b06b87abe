//! Two hosts, the network between them, and one clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use charon_crypto::CryptoProvider;
use charon_types::endpoint::Path;
use charon_types::id::UniqueId;
use charon_types::kernel_op::KernelOp;
use ikev2_proto::Job;
use ikev2_proto::env::{Now, Settings};
use ikev2_proto::output::{JobId, OpId};
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
    hosts: [Host; 2],
    start: Instant,
    now: Instant,
    due: BTreeMap<(Instant, u64), Due>,
    sequence: u64,
    events: usize,
    /// When each kernel has done what it was asked so far: one queue, in order.
    kernel_free: [Instant; 2],
    /// What was begun before a reboot is for nobody.
    boots: [u32; 2],
    chance: Chance,
    log: Vec<String>,
    /// Nobody reads what comes later.
    log_until: Option<Instant>,
}

enum Due {
    Datagram(Side, Path, Vec<u8>),
    Kernel(Side, u32, UniqueId, OpId, Vec<KernelOp>),
    Job(Side, u32, UniqueId, JobId, Job),
}

impl Simulation {
    /// Two hosts that have done nothing yet.
    #[must_use]
    pub fn new(
        scenario: Scenario,
        providers: [Arc<CryptoProvider>; 2],
        ledger: &Arc<Ledger>,
        mut chance: Chance,
    ) -> Self {
        let settings = Settings { fragment_size_v4: scenario.fragment_size, ..Settings::default() };
        let mut host = |side: Side, crypto| {
            let connection = Arc::clone(&scenario.connections[index(side)]);
            let world = World::new(connection, crypto, settings);
            let kernel = Kernel::new(Arc::clone(ledger), chance.fork());
            Host::new(side, world, kernel, chance.fork())
        };
        let [crypto_a, crypto_b] = providers;
        let hosts = [host(Side::A, crypto_a), host(Side::B, crypto_b)];
        let start = Instant::now();
        let network = Network::new(scenario.clone(), chance.fork());
        Self {
            scenario,
            network,
            ledger: Arc::clone(ledger),
            hosts,
            start,
            now: start,
            due: BTreeMap::new(),
            sequence: 0,
            events: 0,
            kernel_free: [start; 2],
            boots: [0; 2],
            chance,
            log: Vec::new(),
            log_until: None,
        }
    }

    /// A host.
    #[must_use]
    pub const fn host(&self, side: Side) -> &Host {
        &self.hosts[index(side)]
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
        if self.log.len() < LOG_MAX && self.log_until.is_none_or(|until| self.now <= until) {
            let at = (self.now - self.start).as_secs_f64();
            self.log.push(format!("{at:9.3} {}", line()));
        }
    }

    /// Keeps the log for that long only.
    pub fn log_for(&mut self, span: Duration) {
        self.log_until = Some(self.now + span);
    }

    /// What happened.
    pub fn take_log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
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
        let host = &mut self.hosts[index(side)];
        let wishes = act(host, now);
        for line in host.take_log() {
            self.note(|| line);
        }
        for wish in wishes {
            self.grant(side, wish);
        }
    }

    /// A reboot: what its kernel and jobs were at is for nobody.
    pub fn reboot(&mut self, side: Side) {
        self.note(|| format!("{side:?} reboots"));
        self.boots[index(side)] += 1;
        self.kernel_free[index(side)] = self.now;
        self.hosts[index(side)].reboot();
    }

    /// Puts a datagram on the network that no host sent (just now).
    pub fn inject(&mut self, sent: &crate::network::Sent) {
        if let Some(flight) = self.network.carry(self.now, sent) {
            self.put(flight.at, Due::Datagram(flight.to, flight.path, flight.octets));
        }
    }

    /// Datagrams on their way, copies of one counted once.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.flying().len()
    }

    /// One of the datagrams on their way arrives now, by its place in the order of sending.
    pub fn deliver(&mut self, place: usize) {
        let Some(key) = self.flying().get(place).copied() else { return };
        if let Some(due) = self.due.remove(&key) {
            self.on_due(due);
        }
        self.work();
    }

    fn flying(&self) -> Vec<(Instant, u64)> {
        let mut seen: Vec<&[u8]> = Vec::new();
        let mut keys = Vec::new();
        for (key, due) in &self.due {
            if let Due::Datagram(_, _, octets) = due
                && !seen.contains(&&**octets)
            {
                seen.push(octets);
                keys.push(*key);
            }
        }
        keys
    }

    /// Nothing arrives until the next timer fires.
    pub fn wait(&mut self) {
        let next = self.hosts.iter().filter_map(Host::next_timer).min();
        self.now = next.map_or(self.now, |next| next.max(self.now));
        for side in Side::BOTH {
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
        for side in Side::BOTH {
            self.with_host(side, Host::fire);
        }
    }

    fn on_due(&mut self, due: Due) {
        match due {
            Due::Datagram(side, path, octets) => {
                self.note(|| format!("        {} reaches {side:?}", title(&octets)));
                self.with_host(side, |host, now| host.receive(now, path, &octets));
            }
            Due::Kernel(side, boot, sa, op, ops) if boot == self.boots[index(side)] => {
                self.note(|| format!("        kernel of {side:?} for {sa}: {}", errands(&ops)));
                self.with_host(side, |host, now| host.complete_kernel(now, sa, op, ops));
            }
            Due::Job(side, boot, sa, id, job) if boot == self.boots[index(side)] => {
                self.with_host(side, |host, now| host.complete_job(now, sa, id, job.run()));
            }
            Due::Kernel(..) | Due::Job(..) => {}
        }
    }

    fn grant(&mut self, side: Side, wish: Wish) {
        let boot = self.boots[index(side)];
        let latency = self.chance.duration(self.scenario.latency);
        match wish {
            Wish::Send(sent) => {
                self.note(|| format!("{side:?} sends {} to {}", title(&sent.octets), sent.path.remote));
                for flight in self.network.send(self.now, sent) {
                    self.put(flight.at, Due::Datagram(flight.to, flight.path, flight.octets));
                }
            }
            Wish::Kernel(sa, op, ops) => {
                let free = &mut self.kernel_free[index(side)];
                *free = (*free).max(self.now) + latency;
                let at = *free;
                self.put(at, Due::Kernel(side, boot, sa, op, ops));
            }
            Wish::Job(sa, id, job) => self.put(self.now + latency, Due::Job(side, boot, sa, id, job)),
        }
    }

    fn put(&mut self, at: Instant, due: Due) {
        self.sequence += 1;
        self.due.insert((at, self.sequence), due);
    }
}

const fn index(side: Side) -> usize {
    match side {
        Side::A => 0,
        Side::B => 1,
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
