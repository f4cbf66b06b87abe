//! A shard: IKE_SAs owned by one task, fed with whatever concerns them.
//!
//! No lock, no checkout: an IKE_SA is touched by its shard alone. Datagrams come through a channel that drops the newest when
//! full (IKE retransmits); everything else through one whose senders wait.

mod outputs;

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Instant;

use charon_core::counters::Counter;
use charon_core::log::ike_sa_span;
use charon_core::service::ike_engine::{ChildFilter, EngineError};
use charon_types::IkeSpi;
use charon_types::connection::{ChildConfig, Connection};
use charon_types::endpoint::Path;
use charon_types::kernel_op::{KernelError, KernelEvent, KernelResult, SaKey};
use charon_types::selector::PacketSelectors;
use charon_types::snapshot::IkeSaSnapshot;
use ikev2_proto::JobResult;
use ikev2_proto::Settings;
use ikev2_proto::admission::{InitRequest, Verdict, admit};
use ikev2_proto::env::{Env, Now};
use ikev2_proto::ike_sa::{ChildUsage, Command, IkeSa, Initiate, Respond};
use ikev2_proto::output::{CommandToken, JobId, OpId};
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, info, warn};

use crate::half_open::HalfOpenGuard;
use crate::order::{Ask, Order};
use crate::route::Destination;
use crate::settings::Options;
use crate::shared::{Shared, Views, now};
use crate::spi_map::SpiMap;
use crate::timer_queue::TimerQueue;

/// Inputs handled before timers and the other channel have a turn.
const BATCH_MAX: usize = 64;

/// An IKE message for a shard.
pub(crate) struct Datagram {
    pub(crate) path: Path,
    pub(crate) destination: Destination,
    pub(crate) message: Vec<u8>,
}

/// Anything else for a shard.
pub(crate) enum Input {
    /// Begin a handshake.
    Initiate {
        connection: Arc<Connection>,
        child: Option<Arc<ChildConfig>>,
        packet: Option<PacketSelectors>,
        path: Path,
        order: Order,
    },
    /// Create a child within the IKE_SA of its connection, which is begun if there is none.
    Join {
        connection: Arc<Connection>,
        child: Arc<ChildConfig>,
        packet: Option<PacketSelectors>,
        path: Path,
        order: Order,
    },
    /// Ask something of an IKE_SA.
    Command { spi: IkeSpi, ask: Ask, order: Order },
    /// A job is done.
    Completion { spi: IkeSpi, id: JobId, result: JobResult },
    /// The kernel has answered.
    Kernel { spi: IkeSpi, op: OpId, results: Vec<KernelResult> },
    /// Virtual addresses were changed.
    Addresses { spi: IkeSpi, op: OpId, results: Vec<Result<(), KernelError>> },
    /// Our addresses, links or routes changed.
    NetworkChange,
    /// From where packets leave.
    Sources { spi: IkeSpi, op: OpId, sources: Vec<Option<IpAddr>> },
    /// What was to take its place could not be established.
    NotEstablishedAnew { spi: IkeSpi },
    /// Counters of its children, read just now.
    Usage { spi: IkeSpi, usage: Vec<ChildUsage> },
    /// The kernel tells something about one of its SAs.
    KernelEvent(SaKey, KernelEvent),
    /// Which IKE_SAs are here?
    Spis { reply: oneshot::Sender<Vec<IkeSpi>> },
    /// How do these look? Those with such a child, if children are meant.
    Snapshots { spis: Vec<IkeSpi>, child: Option<ChildFilter>, reply: oneshot::Sender<Vec<IkeSaSnapshot>> },
    /// Delete all, then end.
    Stop,
}

/// An IKE_SA with what the shell keeps for it.
pub(crate) struct Entry {
    pub(crate) sa: IkeSa,
    pub(crate) half_open: Option<HalfOpenGuard>,
    /// The name by which it can be found.
    name: Option<Arc<str>>,
    init_digest: Option<u64>,
    /// The IKE_SA that replaced it, to which commands go that were given before that was known.
    heir: Option<IkeSpi>,
    orders: Vec<(CommandToken, Order)>,
}

/// A shard.
pub(crate) struct Shard {
    index: usize,
    shared: Arc<Shared>,
    sas: SpiMap<Box<Entry>>,
    inits: HashMap<u64, IkeSpi>,
    /// Whose the kernel's SAs are.
    kernel_sas: HashMap<SaKey, IkeSpi>,
    timers: TimerQueue,
    tokens: u64,
    inputs: mpsc::Sender<Input>,
}

impl Shard {
    pub(crate) fn new(index: usize, shared: Arc<Shared>, inputs: mpsc::Sender<Input>) -> Self {
        Self {
            index,
            shared,
            sas: SpiMap::default(),
            inits: HashMap::new(),
            kernel_sas: HashMap::new(),
            timers: TimerQueue::default(),
            tokens: 0,
            inputs,
        }
    }

    /// Runs until [`Input::Stop`]. Aborting it loses its IKE_SAs without a word to the peers.
    pub(crate) async fn run(
        mut self,
        mut inputs: mpsc::Receiver<Input>,
        mut datagrams: mpsc::Receiver<Datagram>,
    ) {
        let (mut input_batch, mut datagram_batch) = (Vec::new(), Vec::new());
        loop {
            let wake = self.timers.next();
            let timer = async {
                match wake {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                _ = inputs.recv_many(&mut input_batch, BATCH_MAX) => {}
                _ = datagrams.recv_many(&mut datagram_batch, BATCH_MAX) => {}
                () = timer => {}
            }
            let shared = Arc::clone(&self.shared);
            let views = Views::of(&shared);
            let (spi_min, spi_max) = shared.esp_space.range(self.index);
            let settings = Settings { spi_min, spi_max, ..shared.options.current().ike };
            let env = views.env(&settings);
            let mut stopping = false;
            for input in input_batch.drain(..) {
                stopping |= matches!(input, Input::Stop);
                self.handle_input(&env, input);
            }
            if stopping {
                return self.stop(&env);
            }
            for datagram in datagram_batch.drain(..) {
                self.handle_datagram(&env, datagram);
            }
            self.handle_timeouts(&env);
        }
    }

    fn handle_input(&mut self, env: &Env<'_>, input: Input) {
        match input {
            Input::Initiate { connection, child, packet, path, order } => {
                self.initiate(env, connection, child, packet, path, order)
            }
            Input::Join { connection, child, packet, path, order } => {
                self.join(env, connection, child, packet, path, order)
            }
            Input::Command { spi, ask, order } => self.command(env, spi, ask, order),
            Input::Completion { spi, id, result } => {
                self.step(env, spi, |sa, now| sa.handle_completion(now, env, id, result));
            }
            Input::Kernel { spi, op, results } => {
                self.step(env, spi, |sa, now| sa.handle_kernel(now, env, op, results));
            }
            Input::Addresses { spi, op, results } => {
                self.step(env, spi, |sa, now| sa.handle_addresses(now, env, op, &results));
            }
            Input::NetworkChange => {
                let spis: Vec<IkeSpi> = self.sas.keys().copied().collect();
                for spi in spis {
                    self.step(env, spi, |sa, now| sa.handle_network_change(now, env));
                }
            }
            Input::Sources { spi, op, sources } => {
                self.step(env, spi, |sa, now| sa.handle_sources(now, env, op, &sources));
            }
            Input::NotEstablishedAnew { spi } => {
                self.step(env, spi, |sa, now| sa.handle_reauthentication_failure(now, env));
            }
            Input::Usage { spi, usage } => self.step(env, spi, |sa, now| sa.handle_usage(now, &usage)),
            Input::KernelEvent(sa, event) => {
                if let Some(&spi) = self.kernel_sas.get(&sa) {
                    self.step(env, spi, |sa, now| sa.handle_kernel_event(now, env, &event));
                }
            }
            // Whoever asked and has gone needs no answer.
            Input::Spis { reply } => drop(reply.send(self.sas.keys().copied().collect())),
            Input::Snapshots { spis, child, reply } => {
                let now = Instant::now();
                let sas = spis.iter().filter_map(|spi| Some(&self.sas.get(spi)?.sa));
                let meant = sas.filter(|sa| {
                    child.as_ref().is_none_or(|child| sa.has_child(|name, id| child.matches(name, id)))
                });
                let snapshots = meant.map(|sa| sa.snapshot(now)).collect();
                drop(reply.send(snapshots));
            }
            Input::Stop => {}
        }
    }

    fn handle_datagram(&mut self, env: &Env<'_>, Datagram { path, destination, message }: Datagram) {
        let spi = match destination {
            Destination::Sa(spi) => Some(spi),
            Destination::FirstRequest(digest) => self.inits.get(&digest).copied(),
        };
        if let Some(spi) = spi {
            if self.sas.contains_key(&spi) {
                self.step(env, spi, |sa, now| sa.handle_datagram(now, env, path, &message));
            } else {
                self.shared.counters.count_unknown_spi();
                self.shared.counted.add(self.index, Counter::InvalidSpi, None, 1);
                debug!(target: "NET", "no IKE_SA has SPI {spi}, message from {} dropped", path.remote);
            }
            return;
        }
        let Destination::FirstRequest(digest) = destination else { return };
        let options = self.shared.options.current();
        if let Some(reason) = self.closed_to_newcomers(&options) {
            self.shared.counters.count_refused();
            info!(target: "NET", "ignoring IKE_SA setup from {}, {reason}", path.remote.ip());
            return;
        }
        let half_open = self.shared.half_open.look(Instant::now(), &options.limits, path.remote.ip());
        let mut cookies = self.shared.cookies.lock();
        let verdict = admit(now(), env, &options.limits, half_open, &mut cookies, path, &message);
        drop(cookies);
        match verdict {
            Verdict::Accept(request) => self.respond(env, path, digest, *request),
            Verdict::Answer(answer) => self.shared.sockets.send_ike(&path, &answer),
            Verdict::Drop(reason) => {
                self.shared.counters.count_refused();
                debug!(target: "NET", "IKE_SA_INIT request from {} dropped: {reason}", path.remote);
            }
        }
    }

    /// Why nobody is let in, if so.
    fn closed_to_newcomers(&self, options: &Options) -> Option<&'static str> {
        let has_room =
            |max: NonZeroU32| u32::try_from(self.shared.peers.len()).is_ok_and(|count| count < max.get());
        if options.initiator_only.is_enabled() {
            Some("initiator only")
        } else if options.ike_sas_max.is_some_and(|max| !has_room(max)) {
            Some("hit IKE_SA limit")
        } else {
            None
        }
    }

    fn handle_timeouts(&mut self, env: &Env<'_>) {
        while let Some(spi) = self.timers.take_due(Instant::now()) {
            self.step(env, spi, |sa, now| sa.handle_timeout(now, env));
        }
    }

    fn initiate(
        &mut self,
        env: &Env<'_>,
        connection: Arc<Connection>,
        child: Option<Arc<ChildConfig>>,
        packet: Option<PacketSelectors>,
        path: Path,
        order: Order,
    ) {
        let unique_id = self.shared.ids.ike_unique_id();
        let spi = self.free_spi();
        let span = ike_sa_span(&connection.name, unique_id);
        if let Some(tap) = &order.tap {
            tap.attach(unique_id);
        }
        let token = self.token();
        self.shared.announce(unique_id, spi, Some(&connection.name), Some(&connection), path);
        let request = Initiate { unique_id, spi, connection, child, packet, path, token: Some(token) };
        let sa = span.in_scope(|| IkeSa::initiate(now(), env, request));
        let orders = vec![(token, order)];
        let name = sa.connection().map(|connection| Arc::clone(&connection.name));
        let entry = Entry { sa, half_open: None, name, init_digest: None, heir: None, orders };
        self.sas.insert(spi, Box::new(entry));
        self.settle(env, spi, &span);
    }

    /// Of several children that are asked for at once the first begins the IKE_SA.
    fn join(
        &mut self,
        env: &Env<'_>,
        connection: Arc<Connection>,
        child: Arc<ChildConfig>,
        packet: Option<PacketSelectors>,
        path: Path,
        order: Order,
    ) {
        match self.shared.peers.oldest_of_connection(&connection) {
            None => self.initiate(env, connection, Some(child), packet, path, order),
            Some(peer) => {
                let input = Input::Command { spi: peer.spi, ask: Ask::InitiateChild(child, packet), order };
                self.shared.post(peer.spi, input);
            }
        }
    }

    fn respond(&mut self, env: &Env<'_>, path: Path, digest: u64, request: InitRequest) {
        let unique_id = self.shared.ids.ike_unique_id();
        let spi = self.free_spi();
        let span = ike_sa_span("", unique_id);
        let sa = span.in_scope(|| IkeSa::respond(now(), env, Respond { unique_id, spi, path }, request));
        let name = sa.connection().map(|connection| Arc::clone(&connection.name));
        self.shared.announce(unique_id, spi, name.as_ref(), None, path);
        let half_open = Some(self.shared.half_open.enter(path.remote.ip()));
        self.inits.insert(digest, spi);
        let entry = Entry { sa, half_open, name, init_digest: Some(digest), heir: None, orders: Vec::new() };
        self.sas.insert(spi, Box::new(entry));
        self.settle(env, spi, &span);
    }

    fn command(&mut self, env: &Env<'_>, spi: IkeSpi, ask: Ask, order: Order) {
        let spi = self.heir_of(spi);
        self.command_exactly(env, spi, ask, order);
    }

    fn command_exactly(&mut self, env: &Env<'_>, spi: IkeSpi, ask: Ask, order: Order) {
        let token = self.token();
        let Some(entry) = self.sas.get_mut(&spi) else {
            if let Some(done) = order.done {
                let _ = done.send(Err(EngineError::NotFound));
            }
            return;
        };
        if let Some(tap) = &order.tap {
            tap.attach(entry.sa.unique_id());
        }
        entry.orders.push((token, order));
        let token = Some(token);
        let command = match ask {
            Ask::InitiateChild(child, None) => Command::InitiateChild { child, token },
            Ask::InitiateChild(child, Some(packet)) => Command::AcquireChild { child, packet, token },
            Ask::RekeyChild(child) => Command::RekeyChild { child, token },
            Ask::RekeyIke => Command::RekeyIke { token },
            Ask::Reauthenticate => Command::Reauthenticate { token },
            Ask::TerminateChild(child) => Command::TerminateChild { child, token },
            Ask::TerminateIke(force) => Command::TerminateIke { force, token },
            Ask::CheckLiveness => Command::CheckLiveness { token },
            Ask::Mute => Command::Mute { token },
        };
        self.step(env, spi, |sa, now| sa.handle_command(now, env, command));
    }

    /// Feeds one IKE_SA, then does what it wants done.
    fn step(&mut self, env: &Env<'_>, spi: IkeSpi, feed: impl FnOnce(&mut IkeSa, Now)) {
        if let Some(entry) = self.sas.get_mut(&spi) {
            // Made for the turn: one that lived as long as its SA would cost half a kilobyte.
            let name = entry.sa.connection().map_or("", |connection| &connection.name);
            let span = ike_sa_span(name, entry.sa.unique_id());
            span.in_scope(|| feed(&mut entry.sa, now()));
            self.settle(env, spi, &span);
        }
    }

    /// Says goodbye to every peer and does not wait for answers.
    fn stop(mut self, env: &Env<'_>) {
        let spis: Vec<IkeSpi> = self.sas.keys().copied().collect();
        for spi in spis {
            let force = ikev2_proto::ike_sa::Force::Immediate;
            self.command_exactly(env, spi, Ask::TerminateIke(force), Order::default());
        }
        if !self.sas.is_empty() {
            warn!(target: "IKE", "{} IKE_SAs of shard {} did not end at once", self.sas.len(), self.index);
        }
    }

    fn token(&mut self) -> CommandToken {
        self.tokens += 1;
        CommandToken(self.tokens)
    }

    fn free_spi(&self) -> IkeSpi {
        loop {
            let spi = self.shared.space.spi(self.index, self.shared.crypto.random().u64());
            if !self.sas.contains_key(&spi) {
                return spi;
            }
        }
    }
}
