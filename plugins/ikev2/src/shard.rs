//! A shard: IKE_SAs owned by one task, fed with whatever concerns them.
//!
//! No lock, no checkout: an IKE_SA is touched by its shard alone. Datagrams come through a channel that drops the newest when
//! full (IKE retransmits); everything else through one whose senders wait.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Instant;

use charon_core::counters::Counter;
use charon_core::log::{LogTap, ike_sa_span};
use charon_core::service::ike_engine::EngineError;
use charon_types::connection::{ChildConfig, Connection};
use charon_types::endpoint::Path;
use charon_types::kernel_op::{KernelError, KernelEvent, KernelResult, SaKey};
use charon_types::selector::PacketSelectors;
use charon_types::snapshot::{ChildSaSnapshot, IkeSaSnapshot};
use charon_types::{IkeSpi, UniqueId};
use ikev2_proto::Settings;
use ikev2_proto::admission::{InitRequest, Verdict, admit};
use ikev2_proto::env::{Env, Now};
use ikev2_proto::ike_sa::{Command, IkeSa, Initiate, Respond};
use ikev2_proto::output::{CommandToken, IkeEvent, JobId, OpId, Standing};
use ikev2_proto::{JobResult, Output};
use tokio::sync::{mpsc, oneshot};
use tracing::{Span, debug, info, warn};

use crate::half_open::HalfOpenGuard;
use crate::peers::Peer;
use crate::route::Destination;
use crate::settings::Options;
use crate::shared::{Shared, Views, now};
use crate::timer_queue::TimerQueue;
use crate::virtual_ips::Batch;
use crate::{counting, events, jobs, kernel_queue, roam};

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
    /// The kernel tells something about one of its SAs.
    KernelEvent(SaKey, KernelEvent),
    /// Which IKE_SAs are here?
    Spis { reply: oneshot::Sender<Vec<IkeSpi>> },
    /// How do these look?
    Snapshots { spis: Vec<IkeSpi>, reply: oneshot::Sender<Vec<IkeSaSnapshot>> },
    /// Delete all, then end.
    Stop,
}

/// A command without its token.
pub(crate) enum Ask {
    InitiateChild(Arc<ChildConfig>, Option<PacketSelectors>),
    RekeyChild(UniqueId),
    RekeyIke,
    Reauthenticate,
    TerminateChild(UniqueId),
    TerminateIke(ikev2_proto::ike_sa::Force),
}

/// Who is told how a command ends, and gets the log lines until then.
#[derive(Default)]
pub(crate) struct Order {
    pub(crate) done: Option<oneshot::Sender<Result<(), EngineError>>>,
    pub(crate) tap: Option<LogTap>,
}

/// An IKE_SA with what the shell keeps for it.
pub(crate) struct Entry {
    pub(crate) sa: IkeSa,
    pub(crate) half_open: Option<HalfOpenGuard>,
    init_digest: Option<u64>,
    /// The IKE_SA that replaced it, to which commands go that were given before that was known.
    heir: Option<IkeSpi>,
    orders: Vec<(CommandToken, Order)>,
}

/// A shard.
pub(crate) struct Shard {
    index: usize,
    shared: Arc<Shared>,
    sas: HashMap<IkeSpi, Box<Entry>>,
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
            sas: HashMap::new(),
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
            Input::KernelEvent(sa, event) => {
                if let Some(&spi) = self.kernel_sas.get(&sa) {
                    self.step(env, spi, |sa, now| sa.handle_kernel_event(now, env, &event));
                }
            }
            // Whoever asked and has gone needs no answer.
            Input::Spis { reply } => drop(reply.send(self.sas.keys().copied().collect())),
            Input::Snapshots { spis, reply } => {
                let now = Instant::now();
                let snapshots =
                    spis.iter().filter_map(|spi| Some(self.sas.get(spi)?.sa.snapshot(now))).collect();
                drop(reply.send(snapshots));
            }
            Input::Stop => {}
        }
    }

    fn handle_datagram(&mut self, env: &Env<'_>, Datagram { path, destination, message }: Datagram) {
        let spi = match destination {
            Destination::Sa(spi) => Some(spi),
            Destination::Init { digest, .. } => self.inits.get(&digest).copied(),
            Destination::Nowhere => return,
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
        let Destination::Init { digest, .. } = destination else { return };
        let options = self.shared.options.current();
        if let Some(reason) = self.closed_to_newcomers(&options) {
            self.shared.counters.count_refused();
            info!(target: "NET", "ignoring IKE_SA setup from {}, {reason}", path.remote.ip());
            return;
        }
        let half_open = self.shared.half_open.counts(path.remote.ip());
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
        self.shared.announce(unique_id, spi, Some(&connection), path);
        let request = Initiate { unique_id, spi, connection, child, packet, path, token: Some(token) };
        let sa = span.in_scope(|| IkeSa::initiate(now(), env, request));
        let orders = vec![(token, order)];
        let entry = Entry { sa, half_open: None, init_digest: None, heir: None, orders };
        self.sas.insert(spi, Box::new(entry));
        self.settle(env, spi, &span);
    }

    fn respond(&mut self, env: &Env<'_>, path: Path, digest: u64, request: InitRequest) {
        let unique_id = self.shared.ids.ike_unique_id();
        let spi = self.free_spi();
        let span = ike_sa_span("", unique_id);
        self.shared.announce(unique_id, spi, None, path);
        let sa = span.in_scope(|| IkeSa::respond(now(), env, Respond { unique_id, spi, path }, request));
        let half_open = Some(self.shared.half_open.enter(path.remote.ip()));
        self.inits.insert(digest, spi);
        let entry = Entry { sa, half_open, init_digest: Some(digest), heir: None, orders: Vec::new() };
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

    /// Drains an IKE_SA's outputs, then re-arms its timer or lets it go.
    fn settle(&mut self, env: &Env<'_>, spi: IkeSpi, span: &Span) {
        let Some(mut entry) = self.sas.remove(&spi) else { return };
        span.in_scope(|| self.drain(env, spi, &mut entry));
        self.count(&mut entry);
        if entry.sa.is_finished() {
            self.timers.arm(spi, None);
            if let Some(digest) = entry.init_digest {
                self.inits.remove(&digest);
            }
            self.shared.peers.remove(entry.sa.unique_id());
            for (_, order) in entry.orders.drain(..) {
                order.finish(Err(EngineError::Failed));
            }
        } else {
            self.timers.arm(spi, entry.sa.poll_timeout().map(|deadline| deadline.at));
            self.sas.insert(spi, entry);
        }
    }

    fn count(&self, entry: &mut Entry) {
        let tally = entry.sa.take_tally();
        if tally.is_empty() {
            return;
        }
        let connection = entry.sa.connection().map(|connection| &connection.name);
        for tallied in tally.iter() {
            if let Some(counter) = counting::counter_of(tallied) {
                self.shared.counted.add(self.index, counter, connection, 1);
            }
        }
    }

    fn drain(&mut self, env: &Env<'_>, spi: IkeSpi, entry: &mut Entry) {
        while let Some(output) = entry.sa.poll_output() {
            match output {
                Output::Transmit { path, datagrams } => {
                    datagrams.iter().for_each(|message| self.shared.sockets.send_ike(&path, message));
                }
                Output::Keepalive { path } => self.shared.sockets.send_keepalive(&path),
                Output::Kernel { op, ops } => {
                    if let Some(results) = kernel_queue::submit(&self.shared, ops, spi, op, &self.inputs) {
                        entry.sa.handle_kernel(now(), env, op, results);
                    }
                }
                Output::Addresses { op, beside, ops } => {
                    let (answer, options) = (self.inputs.clone(), self.shared.options.current());
                    self.shared.virtual_ips.submit(Batch { spi, op, beside, ops, answer, options });
                }
                Output::FindSources { op, queries } => {
                    roam::find_sources(&self.shared, self.inputs.clone(), spi, op, queries);
                }
                Output::Job { id, cost, job } => {
                    if let Some(result) = jobs::run(&self.shared, cost, job, spi, id, &self.inputs) {
                        entry.sa.handle_completion(now(), env, id, result);
                    }
                }
                Output::Successor { sa, standing } => self.adopt(env, entry, *sa, standing),
                Output::Event(IkeEvent::CommandDone { token, outcome }) => {
                    if let Some(at) = entry.orders.iter().position(|(known, _)| *known == token) {
                        let (_, order) = entry.orders.swap_remove(at);
                        order.finish(outcome.map(drop).map_err(|_| EngineError::Failed));
                    }
                }
                Output::Event(event) => {
                    if matches!(event, IkeEvent::Established { .. })
                        && let Some(digest) = entry.init_digest.take()
                    {
                        self.inits.remove(&digest);
                    }
                    match &event {
                        IkeEvent::ChildInstalled { sa, child } => {
                            self.kernel_sas.extend(sa_keys(sa, child).map(|key| (key, spi)));
                        }
                        IkeEvent::Rekeyed { new, .. } => {
                            let counter = counting::of_rekeying(new.role);
                            self.shared.counted.add(self.index, counter, Some(&new.name), 1);
                        }
                        IkeEvent::ChildRekeyed { sa, old, new } => {
                            self.shared.counted.add(self.index, Counter::ChildRekey, Some(&sa.name), 1);
                            for key in sa_keys(sa, old) {
                                self.kernel_sas.remove(&key);
                            }
                            self.kernel_sas.extend(sa_keys(sa, new).map(|key| (key, spi)));
                        }
                        IkeEvent::Moved { sa, path } => {
                            let after = IkeSaSnapshot { path: *path, ..IkeSaSnapshot::clone(sa) };
                            for child in &sa.children {
                                for key in sa_keys(sa, child) {
                                    self.kernel_sas.remove(&key);
                                }
                                self.kernel_sas.extend(sa_keys(&after, child).map(|key| (key, spi)));
                            }
                        }
                        IkeEvent::ChildRemoved { sa, child, .. } => {
                            for key in sa_keys(sa, child) {
                                self.kernel_sas.remove(&key);
                            }
                        }
                        _ => {}
                    }
                    events::on_event(&self.shared, entry, event);
                }
            }
        }
    }

    /// Takes up an IKE_SA that comes from another one, here in the same shard.
    fn adopt(&mut self, env: &Env<'_>, parent: &mut Entry, sa: IkeSa, standing: Standing) {
        let (spi, unique_id) = (sa.local_spi(), sa.unique_id());
        let snapshot = sa.snapshot(Instant::now());
        let span = ike_sa_span(&snapshot.name, unique_id);
        let known = |unique_id, spi, name, identities| Peer {
            unique_id,
            spi,
            connection: name,
            identities,
            path: snapshot.path,
        };
        let mut orders = Vec::new();
        match standing {
            Standing::Heir => {
                let (name, identities) =
                    (Arc::clone(&snapshot.name), (snapshot.local_id.clone(), snapshot.remote_id.clone()));
                self.shared.peers.insert(known(unique_id, spi, Some(name), Some(identities)));
                // Nobody finds the old one by name or identity any more.
                self.shared.peers.insert(known(parent.sa.unique_id(), parent.sa.local_spi(), None, None));
                for child in &snapshot.children {
                    self.kernel_sas.extend(sa_keys(&snapshot, child).map(|key| (key, spi)));
                }
                orders = std::mem::take(&mut parent.orders);
                for tap in orders.iter().filter_map(|(_, order)| order.tap.as_ref()) {
                    tap.attach(unique_id);
                }
                parent.heir = Some(spi);
            }
            Standing::Redundant => self.shared.peers.insert(known(unique_id, spi, None, None)),
        }
        let entry = Entry { sa, half_open: None, init_digest: None, heir: None, orders };
        self.sas.insert(spi, Box::new(entry));
        self.settle(env, spi, &span);
    }

    /// The IKE_SA that replaced it, if one did; and so on.
    fn heir_of(&self, spi: IkeSpi) -> IkeSpi {
        let mut spi = spi;
        while let Some(heir) = self.sas.get(&spi).and_then(|entry| entry.heir) {
            spi = heir;
        }
        spi
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

/// The kernel's two SAs of an installed child.
fn sa_keys(sa: &IkeSaSnapshot, child: &ChildSaSnapshot) -> impl Iterator<Item = SaKey> + use<> {
    let keys = kernel_queue::usage_keys(&sa.path, std::slice::from_ref(child));
    keys.into_iter().flat_map(|(inbound, outbound)| [inbound, outbound])
}

impl Order {
    /// Tells that it could not even begin.
    pub(crate) fn fail(self, error: EngineError) {
        self.finish(Err(error));
    }

    /// Tells the outcome. The tap goes first, so that the stream of lines has ended when the outcome is known.
    fn finish(self, outcome: Result<(), EngineError>) {
        drop(self.tap);
        if let Some(done) = self.done {
            // Whoever asked and has gone needs no answer.
            let _ = done.send(outcome);
        }
    }
}
