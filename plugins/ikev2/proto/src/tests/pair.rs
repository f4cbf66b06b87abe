//! Two hosts in virtual time over a network that loses, delays, reorders and repeats.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use charon_types::connection::ChildConfig;
use charon_types::endpoint::Path;
use charon_types::id::{Role, UniqueId};
use charon_types::kernel_op::KernelError;
use charon_types::snapshot::{IkeSaSnapshot, IkeSaState};

use super::world::{FakeKernel, World, crypto};
use crate::admission::{AdmissionLimits, DropReason, HalfOpen, Verdict, admit};
use crate::cookie::CookieJar;
use crate::env::Now;
use crate::failure::Failure;
use crate::ike_sa::{Command, IkeSa, Initiate, Respond};
use crate::output::{
    AddressOp, CloseReason, CommandSuccess, CommandToken, IkeEvent, InitialContact, Order, Output,
};
use crate::wire::{ExchangeType, Header, MessageKind};

/// Which host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    A,
    B,
}

impl Side {
    pub(super) fn other(self) -> Self {
        if self == Self::A { Self::B } else { Self::A }
    }
}

/// How the network behaves. Percentages are per datagram.
#[derive(Clone, Copy, Debug)]
pub(super) struct Network {
    pub(super) delay: Duration,
    pub(super) jitter: Duration,
    pub(super) loss_percent: u64,
    pub(super) duplicate_percent: u64,
    /// Longer datagrams vanish.
    pub(super) datagram_len_max: usize,
    /// Whether A sits behind a NAT.
    pub(super) nat: bool,
    /// Added to a port by the NAT.
    pub(super) nat_shift: u16,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(10),
            jitter: Duration::ZERO,
            loss_percent: 0,
            duplicate_percent: 0,
            datagram_len_max: 65_000,
            nat: false,
            nat_shift: 30_000,
        }
    }
}

/// One end.
pub(super) struct Host {
    pub(super) world: World,
    pub(super) kernel: FakeKernel,
    pub(super) sas: Vec<IkeSa>,
    pub(super) events: Vec<Seen>,
    pub(super) limits: AdmissionLimits,
    pub(super) half_open: HalfOpen,
    pub(super) keepalives: u32,
    pub(super) dropped: Vec<DropReason>,
    pub(super) initial_contact: Option<InitialContact>,
    pub(super) interface: Interface,
    pub(super) cookies: CookieJar,
    address: SocketAddr,
}

/// An interface that holds virtual addresses.
#[derive(Default)]
pub(super) struct Interface {
    pub(super) vips: Vec<IpAddr>,
    pub(super) name_servers: Vec<IpAddr>,
    /// Fails every installation.
    pub(super) refuses: bool,
}

impl Interface {
    fn change(&mut self, op: AddressOp) -> Result<(), KernelError> {
        match op {
            AddressOp::Install(_) if self.refuses => return Err(KernelError::NotFound),
            AddressOp::Install(vip) => self.vips.push(vip),
            AddressOp::Remove(vip) => {
                let at = self.vips.iter().position(|held| *held == vip).ok_or(KernelError::NotFound)?;
                self.vips.remove(at);
            }
            AddressOp::UseNameServer(server) => self.name_servers.push(server),
            AddressOp::DropNameServer(server) => {
                let at = self.name_servers.iter().position(|held| *held == server);
                self.name_servers.remove(at.ok_or(KernelError::NotFound)?);
            }
        }
        Ok(())
    }
}

/// What a host's shell was told, short.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Seen {
    Established,
    Rekeyed(UniqueId, UniqueId),
    Reauthenticate(Order, usize),
    ChildInstalled,
    ChildRekeyed(UniqueId, UniqueId),
    ChildRemoved(CloseReason),
    Closed(CloseReason, IkeSaState),
    Moved(Path),
    Done(u64, Result<CommandSuccess, Failure>),
}

/// A datagram as it went over the wire.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) at: Duration,
    pub(super) from: Side,
    pub(super) path: Path,
    pub(super) octets: Vec<u8>,
}

impl Sent {
    pub(super) fn header(&self) -> Header {
        Header::parse(&self.octets).unwrap()
    }

    pub(super) fn is(&self, from: Side, exchange: ExchangeType, kind: MessageKind) -> bool {
        let header = self.header();
        self.from == from && header.exchange == exchange && header.kind == kind
    }
}

/// Two hosts.
pub(super) struct Pair {
    pub(super) a: Host,
    pub(super) b: Host,
    pub(super) network: Network,
    /// Everything sent, lost or not.
    pub(super) sent: Vec<Sent>,
    /// Decides about datagrams before chance does: `false` drops.
    pub(super) filter: Box<dyn FnMut(&Sent) -> bool>,
    start: Instant,
    now: Instant,
    flying: BTreeMap<(Instant, u64), (Side, Path, Vec<u8>)>,
    sequence: u64,
    random: u64,
}

impl Pair {
    pub(super) fn new(a: World, b: World) -> Self {
        let host = |world, address: &str| Host {
            world,
            kernel: FakeKernel::default(),
            sas: Vec::new(),
            events: Vec::new(),
            limits: AdmissionLimits::default(),
            half_open: HalfOpen::default(),
            keepalives: 0,
            dropped: Vec::new(),
            initial_contact: None,
            interface: Interface::default(),
            cookies: CookieJar::default(),
            address: address.parse().unwrap(),
        };
        let mut b = host(b, "192.0.2.2:500");
        b.kernel.next_spi = 0x10_0000;
        let seed = crypto().random().u64() | 1;
        note_seed(seed);
        #[expect(clippy::disallowed_methods, reason = "virtual time starts at some moment")]
        let start = Instant::now();
        Self {
            a: host(a, "192.0.2.1:500"),
            b,
            network: Network::default(),
            sent: Vec::new(),
            filter: Box::new(|_| true),
            start,
            now: start,
            flying: BTreeMap::new(),
            sequence: 0,
            random: seed,
        }
    }

    pub(super) fn seed(&mut self, seed: u64) {
        note_seed(seed);
        self.random = seed;
    }

    pub(super) fn now(&self) -> Now {
        Now { mono: self.now, wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000) }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    pub(super) fn host(&mut self, side: Side) -> &mut Host {
        match side {
            Side::A => &mut self.a,
            Side::B => &mut self.b,
        }
    }

    /// The one IKE_SA of a host.
    pub(super) fn sa(&mut self, side: Side) -> &mut IkeSa {
        let host = self.host(side);
        assert_eq!(host.sas.len(), 1, "one IKE_SA");
        &mut host.sas[0]
    }

    pub(super) fn snapshot(&mut self, side: Side) -> IkeSaSnapshot {
        let now = self.now;
        self.sa(side).snapshot(now)
    }

    /// A initiates its first connection with its first child.
    pub(super) fn initiate(&mut self) {
        let child = self.a.world.connections[0].children.first().cloned();
        self.initiate_with(child);
    }

    pub(super) fn initiate_with(&mut self, child: Option<Arc<ChildConfig>>) {
        let now = self.now();
        let path = Path { local: self.a.address, remote: self.b.address };
        let host = &mut self.a;
        let initiate = Initiate {
            unique_id: UniqueId(1),
            spi: host.world.fresh_spi(),
            connection: Arc::clone(&host.world.connections[0]),
            child,
            packet: None,
            path,
            token: Some(CommandToken(1)),
        };
        let sa = IkeSa::initiate(now, &host.world.env(), initiate);
        host.sas.push(sa);
        self.drain(Side::A);
    }

    pub(super) fn command(&mut self, side: Side, command: Command) {
        let now = self.now();
        let host = self.host(side);
        let sa = host.sas.first_mut().expect("an IKE_SA");
        sa.handle_command(now, &host.world.env(), command);
        self.drain(side);
    }

    /// As [`Pair::command`], to the IKE_SA that came last.
    pub(super) fn command_last(&mut self, side: Side, command: Command) {
        let now = self.now();
        let host = self.host(side);
        let sa = host.sas.last_mut().expect("an IKE_SA");
        sa.handle_command(now, &host.world.env(), command);
        self.drain(side);
    }

    /// What was to take the place of its IKE_SA did not come to be.
    pub(super) fn fail_reauthentication(&mut self, side: Side) {
        let now = self.now();
        let host = self.host(side);
        host.sas[0].handle_reauthentication_failure(now, &host.world.env());
        self.drain(side);
    }

    /// The host has these addresses from now on.
    pub(super) fn roam(&mut self, side: Side, addresses: &[&str]) {
        let now = self.now();
        let host = self.host(side);
        *host.world.addresses.borrow_mut() = addresses.iter().map(|text| text.parse().unwrap()).collect();
        if let Some(first) = addresses.first() {
            host.address.set_ip(first.parse().unwrap());
        }
        for sa in &mut host.sas {
            sa.handle_network_change(now, &host.world.env());
        }
        self.drain(side);
    }

    /// The time of a child is over.
    pub(super) fn expire(&mut self, side: Side, child: UniqueId) {
        let now = self.now();
        let host = self.host(side);
        let [sa] = &mut host.sas[..] else { panic!("one IKE_SA") };
        sa.sa.child_mut(child).expect("it lives").dies_at = Some(now.mono);
        sa.sa.arm_children();
        sa.handle_timeout(now, &host.world.env());
        self.drain(side);
    }

    /// Lets things happen until nothing is left to happen, or that much time has passed.
    pub(super) fn run(&mut self, limit: Duration) {
        let end = self.now + limit;
        loop {
            let flight = self.flying.keys().next().map(|(at, _)| *at);
            let timer =
                |host: &Host| host.sas.iter().filter_map(|sa| sa.poll_timeout().map(|next| next.at)).min();
            let next = [flight, timer(&self.a), timer(&self.b)].into_iter().flatten().min();
            match next {
                Some(at) if at <= end => self.now = self.now.max(at),
                _ => break,
            }
            self.deliver_due();
            for side in [Side::A, Side::B] {
                self.fire_due(side);
            }
        }
        self.now = end;
    }

    fn deliver_due(&mut self) {
        while let Some(entry) = self.flying.first_entry() {
            if entry.key().0 > self.now {
                return;
            }
            let (side, path, octets) = entry.remove();
            self.deliver(side, path, &octets);
        }
    }

    /// Hands a datagram to a host, as its shell would.
    pub(super) fn deliver(&mut self, side: Side, path: Path, octets: &[u8]) {
        let now = self.now();
        let host = self.host(side);
        let Ok(header) = Header::parse(octets) else {
            return self.admit(side, path, octets);
        };
        let ours = match header.sender {
            Role::Initiator => header.spi_responder,
            Role::Responder => Some(header.spi_initiator),
        };
        let found = host.sas.iter().position(|sa| match ours {
            Some(spi) => sa.local_spi() == spi,
            None => sa.remote_spi() == Some(header.spi_initiator),
        });
        match found {
            Some(at) => host.sas[at].handle_datagram(now, &host.world.env(), path, octets),
            None => return self.admit(side, path, octets),
        }
        self.drain(side);
    }

    fn admit(&mut self, side: Side, path: Path, octets: &[u8]) {
        let now = self.now();
        let host = self.host(side);
        let env = host.world.env();
        match admit(now, &env, &host.limits, host.half_open, &mut host.cookies, path, octets) {
            Verdict::Accept(request) => {
                let unique_id = UniqueId(u32::try_from(host.sas.len()).unwrap() + 1);
                let respond = Respond { unique_id, spi: host.world.fresh_spi(), path };
                let sa = IkeSa::respond(now, &env, respond, *request);
                host.sas.push(sa);
                self.drain(side);
            }
            Verdict::Answer(octets) => self.send(side, path, octets),
            Verdict::Drop(reason) => self.host(side).dropped.push(reason),
        }
    }

    fn fire_due(&mut self, side: Side) {
        let now = self.now();
        let host = self.host(side);
        for sa in &mut host.sas {
            if sa.poll_timeout().is_some_and(|next| next.at <= now.mono) {
                sa.handle_timeout(now, &host.world.env());
            }
        }
        self.drain(side);
    }

    fn drain(&mut self, side: Side) {
        let now = self.now();
        let mut datagrams = Vec::new();
        let host = self.host(side);
        let mut at = 0;
        while at < host.sas.len() {
            let env = host.world.env();
            while let Some(output) = host.sas[at].poll_output() {
                let sa = &mut host.sas[at];
                match output {
                    Output::Transmit { path, datagrams: out } => {
                        datagrams.extend(out.into_iter().map(|octets| (path, octets)));
                    }
                    Output::Keepalive { .. } => host.keepalives += 1,
                    Output::Successor { sa, .. } => host.sas.push(*sa),
                    Output::Kernel { op, ops } => {
                        let results = ops.into_iter().map(|op| host.kernel.perform(op)).collect();
                        sa.handle_kernel(now, &env, op, results);
                    }
                    Output::Addresses { op, ops, .. } => {
                        let results: Vec<_> = ops.into_iter().map(|op| host.interface.change(op)).collect();
                        sa.handle_addresses(now, &env, op, &results);
                    }
                    Output::FindSources { op, queries } => {
                        let sources: Vec<_> = queries.iter().map(|query| host.world.source(query)).collect();
                        sa.handle_sources(now, &env, op, &sources);
                    }
                    Output::Job { id, job, .. } => sa.handle_completion(now, &env, id, job.run()),
                    Output::Event(event) => {
                        if let IkeEvent::Established { initial_contact, .. } = &event {
                            host.initial_contact = Some(*initial_contact);
                        }
                        host.events.push(seen(event));
                    }
                }
            }
            at += 1;
        }
        host.sas.retain(|sa| !sa.is_finished());
        for (path, octets) in datagrams {
            self.send(side, path, octets);
        }
    }

    fn send(&mut self, from: Side, path: Path, octets: Vec<u8>) {
        let sent = Sent { at: self.elapsed(), from, path, octets };
        let passes = (self.filter)(&sent);
        self.sent.push(sent.clone());
        let lost = self.chance(self.network.loss_percent);
        if !passes || lost || sent.octets.len() > self.network.datagram_len_max {
            return;
        }
        let copies = if self.chance(self.network.duplicate_percent) { 2 } else { 1 };
        let (to, path) = (from.other(), self.translate(from, path));
        for _ in 0..copies {
            let jitter = self.network.jitter.mul_f64(self.fraction());
            self.sequence += 1;
            let at = (self.now + self.network.delay + jitter, self.sequence);
            self.flying.insert(at, (to, path, sent.octets.clone()));
        }
    }

    /// The path as the receiver sees it.
    fn translate(&self, from: Side, path: Path) -> Path {
        const OUTSIDE: &str = "198.51.100.1";
        let mut seen = Path { local: path.remote, remote: path.local };
        if self.network.nat {
            match from {
                Side::A => {
                    seen.remote =
                        SocketAddr::new(OUTSIDE.parse().unwrap(), path.local.port() + self.network.nat_shift)
                }
                Side::B => {
                    seen.local = SocketAddr::new(
                        self.a.address.ip(),
                        path.remote.port().saturating_sub(self.network.nat_shift),
                    )
                }
            }
        }
        seen
    }

    fn chance(&mut self, percent: u64) -> bool {
        percent > 0 && self.next_random() % 100 < percent
    }

    fn fraction(&mut self) -> f64 {
        f64::from(u32::try_from(self.next_random() >> 32).unwrap()) / f64::from(u32::MAX)
    }

    fn next_random(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

fn seen(event: IkeEvent) -> Seen {
    match event {
        IkeEvent::Established { .. } => Seen::Established,
        IkeEvent::Reauthenticate { order, children, .. } => Seen::Reauthenticate(order, children.len()),
        IkeEvent::Rekeyed { old, new } => Seen::Rekeyed(old.unique_id, new.unique_id),
        IkeEvent::ChildInstalled { .. } => Seen::ChildInstalled,
        IkeEvent::ChildRekeyed { old, new, .. } => Seen::ChildRekeyed(old.unique_id, new.unique_id),
        IkeEvent::ChildRemoved { reason, .. } => Seen::ChildRemoved(reason),
        IkeEvent::Closed { reason, sa, .. } => Seen::Closed(reason, sa.state),
        IkeEvent::Moved { path, .. } => Seen::Moved(path),
        IkeEvent::CommandDone { token, outcome } => Seen::Done(token.0, outcome),
    }
}

/// A failing test must be repeatable.
#[expect(clippy::print_stdout, reason = "shown for failing tests only")]
fn note_seed(seed: u64) {
    println!("network seed {seed:#x}");
}
