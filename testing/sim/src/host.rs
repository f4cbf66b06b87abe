//! One host: its IKE_SAs and what a shell does for them.

mod books;
mod limits;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use charon_types::connection::{ChildConfig, Connection};
use charon_types::endpoint::Path;
use charon_types::id::{IkeSpi, Role, UniqueId};
use charon_types::kernel_op::{KernelEvent, KernelOp};
use charon_types::snapshot::IkeSaSnapshot;
use ikev2_proto::admission::{AdmissionLimits, HalfOpen, Verdict, admit};
use ikev2_proto::cookie::CookieJar;
use ikev2_proto::env::IdSource;
use ikev2_proto::env::Now;
use ikev2_proto::ike_sa::{Command, Force, IkeSa, Initiate, Respond};
use ikev2_proto::output::{CommandSuccess, CommandToken, JobId, OpId, Output, SourceQuery};
use ikev2_proto::tally::{Tallied, Tally, Way};
use ikev2_proto::wire::{Header, MessageKind, PayloadType};
use ikev2_proto::{Failure, Job, JobResult};

use crate::Side;
use crate::chance::Chance;
use crate::crossing::{Crossing, Duplicate};
use crate::kernel::Kernel;
use crate::network::{Sent, address};
use crate::reauth::Anew;
use crate::world::World;

/// What a host wants done, in order.
pub enum Wish {
    /// Send a datagram.
    Send(Sent),
    /// Let the kernel work for an IKE_SA.
    Kernel(UniqueId, OpId, Vec<KernelOp>),
    /// Run a job for an IKE_SA.
    Job(UniqueId, JobId, Job),
    /// Look up from where packets leave, for an IKE_SA.
    Sources(UniqueId, OpId, Vec<SourceQuery>),
    /// Keep a NAT's memory fresh.
    Keepalive(Path),
}

/// How a host moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relocation {
    /// To another address, the old ones are gone.
    Elsewhere,
    /// One more address.
    Second,
    /// The preferred address is gone, and with the last one the network.
    Lost,
}

/// See the module.
pub struct Host {
    side: Side,
    /// What its IKE_SAs look at.
    pub world: World,
    /// Its kernel.
    pub kernel: Kernel,
    sas: Vec<IkeSa>,
    cookies: CookieJar,
    chance: Chance,
    next_token: u64,
    commands: BTreeMap<CommandToken, Option<Result<CommandSuccess, Failure>>>,
    /// Children as the events tell.
    announced: BTreeSet<UniqueId>,
    /// Where it is, the preferred one first.
    addresses: Vec<IpAddr>,
    moves: u8,
    /// What is being established anew.
    pub(crate) anew: Vec<Anew>,
    /// Duplicates that end then, unless they do by themselves.
    pub(crate) duplicates: Vec<Duplicate>,
    /// IKE_SAs that cross others.
    pub(crate) crossings: Vec<Crossing>,
    /// SAs of the kernel that belong to no child, and since when.
    orphans: BTreeMap<(IpAddr, u32), Instant>,
    /// IKE_SAs that took a request up and did not answer it yet, and since when.
    owing: BTreeMap<UniqueId, Instant>,
    /// See [`Self::heeded`].
    heeded: bool,
    log: Vec<String>,
    violations: Vec<String>,
}

impl Host {
    /// Without IKE_SAs.
    #[must_use]
    pub fn new(side: Side, world: World, kernel: Kernel, chance: Chance) -> Self {
        let addresses = vec![address(side, 0)];
        world.settle_at(&addresses);
        Self {
            side,
            addresses,
            moves: 0,
            anew: Vec::new(),
            duplicates: Vec::new(),
            crossings: Vec::new(),
            orphans: BTreeMap::new(),
            owing: BTreeMap::new(),
            world,
            kernel,
            sas: Vec::new(),
            cookies: CookieJar::default(),
            chance,
            next_token: 0,
            commands: BTreeMap::new(),
            announced: BTreeSet::new(),
            heeded: true,
            log: Vec::new(),
            violations: Vec::new(),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// It moves: its IKE_SAs hear of it, as from a kernel.
    pub fn relocate(&mut self, now: Now, how: Relocation) -> Vec<Wish> {
        let mut fresh = || {
            self.moves += 1;
            address(self.side, self.moves)
        };
        match how {
            Relocation::Elsewhere => self.addresses = vec![fresh()],
            Relocation::Second => {
                let second = fresh();
                self.addresses.insert(self.addresses.len().min(1), second);
            }
            Relocation::Lost => {
                if !self.addresses.is_empty() {
                    self.addresses.remove(0);
                }
            }
        }
        self.world.settle_at(&self.addresses);
        for sa in &mut self.sas {
            sa.handle_network_change(now, &self.world.env());
        }
        self.drain(now)
    }

    /// From where packets leave.
    pub fn complete_sources(
        &mut self,
        now: Now,
        sa: UniqueId,
        op: OpId,
        queries: &[SourceQuery],
    ) -> Vec<Wish> {
        let find = |query: &SourceQuery| match query.source {
            Some(source) => Some(source).filter(|source| self.addresses.contains(source)),
            None => self.addresses.first().copied(),
        };
        let sources: Vec<_> = queries.iter().map(find).collect();
        let Some(at) = self.position(sa) else { return Vec::new() };
        self.sas[at].handle_sources(now, &self.world.env(), op, &sources);
        self.drain(now)
    }

    /// Its IKE_SAs.
    #[must_use]
    pub fn sas(&self) -> &[IkeSa] {
        &self.sas
    }

    /// Commands given and how they ended.
    pub fn commands(
        &self,
    ) -> impl Iterator<Item = (&CommandToken, &Option<Result<CommandSuccess, Failure>>)> {
        self.commands.iter()
    }

    /// Children that live, by the events alone.
    #[must_use]
    pub const fn announced(&self) -> &BTreeSet<UniqueId> {
        &self.announced
    }

    /// Misuse seen so far.
    #[must_use]
    pub fn violations(&self) -> &[String] {
        &self.violations
    }

    /// What happened since the last call.
    pub fn take_log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    /// The earliest timer.
    #[must_use]
    pub fn next_timer(&self) -> Option<Instant> {
        let timers = self.sas.iter().filter_map(|sa| sa.poll_timeout().map(|next| next.at));
        let duplicates = self.duplicates.iter().map(|duplicate| duplicate.at);
        timers.chain(duplicates).chain(self.crossings.iter().filter_map(Crossing::next_timer)).min()
    }

    /// Everything in memory and in the kernel is gone; the peer hears nothing.
    pub fn reboot(&mut self) {
        self.sas.clear();
        self.announced.clear();
        self.commands.retain(|_, outcome| outcome.is_some());
        self.anew.clear();
        self.duplicates.clear();
        self.crossings.clear();
        self.orphans.clear();
        self.owing.clear();
        self.world.clear();
        self.kernel.clear();
        self.cookies = CookieJar::default();
    }

    /// Begins a handshake with a peer that is at that address.
    pub fn initiate(
        &mut self,
        now: Now,
        peer: Side,
        remote: IpAddr,
        child: Option<Arc<ChildConfig>>,
    ) -> Vec<Wish> {
        let Some(local) = self.addresses.first().copied() else { return Vec::new() };
        let path = Path { local: SocketAddr::new(local, 500), remote: SocketAddr::new(remote, 500) };
        let connection = self.world.connection(peer);
        self.begin(now, connection, child, path);
        self.drain(now)
    }

    /// Begins a handshake; its outputs are not drained.
    pub(crate) fn begin(
        &mut self,
        now: Now,
        connection: Arc<Connection>,
        child: Option<Arc<ChildConfig>>,
        path: Path,
    ) -> (UniqueId, CommandToken) {
        let (unique_id, token) = (self.world.ike_unique_id(), self.fresh_token());
        let spi = self.fresh_spi();
        let initiate = Initiate { unique_id, spi, connection, child, packet: None, path, token: Some(token) };
        self.sas.push(IkeSa::initiate(now, &self.world.env(), initiate));
        (unique_id, token)
    }

    /// Gives a command to an IKE_SA.
    pub fn command(
        &mut self,
        now: Now,
        sa: UniqueId,
        make: impl FnOnce(Option<CommandToken>) -> Command,
    ) -> Vec<Wish> {
        match self.order(now, sa, make) {
            Some(_) => self.drain(now),
            None => Vec::new(),
        }
    }

    /// Gives a command to an IKE_SA, if it lives; its outputs are not drained.
    pub(crate) fn order(
        &mut self,
        now: Now,
        sa: UniqueId,
        make: impl FnOnce(Option<CommandToken>) -> Command,
    ) -> Option<CommandToken> {
        let at = self.position(sa)?;
        let token = self.fresh_token();
        self.sas[at].handle_command(now, &self.world.env(), make(Some(token)));
        Some(token)
    }

    /// What was to take the place of an IKE_SA could not be established.
    pub(crate) fn not_established_anew(&mut self, now: Now, old: UniqueId) {
        if let Some(at) = self.position(old) {
            self.sas[at].handle_reauthentication_failure(now, &self.world.env());
        }
    }

    /// How a command has ended, if it has.
    pub(crate) fn outcome(&self, token: CommandToken) -> Option<&Result<CommandSuccess, Failure>> {
        self.commands.get(&token)?.as_ref()
    }

    /// Whether a command has not ended yet.
    pub(crate) fn awaits(&self, token: CommandToken) -> bool {
        self.commands.get(&token).is_some_and(Option::is_none)
    }

    /// Whether an IKE_SA is established and lives.
    pub(crate) fn is_established(&self, unique_id: UniqueId) -> bool {
        self.world.established.borrow().iter().any(|known| known.unique_id == unique_id)
    }

    /// A datagram arrives.
    pub fn receive(&mut self, now: Now, path: Path, octets: &[u8]) -> Vec<Wish> {
        let found = Header::parse(octets).ok().and_then(|header| {
            let ours = match header.sender {
                Role::Initiator => header.spi_responder,
                Role::Responder => Some(header.spi_initiator),
            };
            self.sas.iter().position(|sa| match ours {
                Some(spi) => sa.local_spi() == spi,
                None => sa.role() == Role::Responder && sa.remote_spi() == Some(header.spi_initiator),
            })
        });
        let Some(at) = found else { return self.admit(now, path, octets) };
        let sa = &mut self.sas[at];
        let before = sa.snapshot(now.mono);
        // Before it is established, what is not of the handshake is for later.
        let obliged = before.established.is_some() || before.role == Role::Responder;
        sa.handle_datagram(now, &self.world.env(), path, octets);
        let (id, tally) = (sa.unique_id(), sa.take_tally());
        let header = Header::parse(octets);
        let whole = header.as_ref().is_ok_and(|header| header.next_payload != PayloadType::SKF);
        self.heeded = !(tally.is_empty() && whole);
        let shown = |snapshot: &IkeSaSnapshot| format!("{snapshot:?}");
        if !self.heeded && shown(&self.sas[at].snapshot(now.mono)) != shown(&before) {
            self.violations.push(format!("IKE_SA {id} is changed by what it ignores or answered before"));
        }
        if answers(tally) {
            self.owing.remove(&id);
        } else if obliged && header.is_ok_and(|header| header.kind == MessageKind::Request) {
            self.expect_answer(now, at, tally);
        }
        self.drain(now)
    }

    /// Whether the last datagram changed anything: what was answered before is only answered again, in the same words.
    #[must_use]
    pub const fn heeded(&self) -> bool {
        self.heeded
    }

    /// Whoever takes a request up answers it, at once or when it is ready; only then may it end by what it heard.
    fn expect_answer(&mut self, now: Now, at: usize, tally: Tally) {
        let sa = &self.sas[at];
        let id = sa.unique_id();
        let taken_up = |fact| match fact {
            Tallied::Message { kind, way, .. } => kind == MessageKind::Request && way == Way::In,
            Tallied::Invalid => true,
        };
        if !tally.iter().any(taken_up) {
            return;
        }
        if sa.is_finished() {
            self.violations.push(format!("IKE_SA {id} ended by a request that it did not answer"));
        }
        self.owing.insert(id, now.mono);
    }

    fn admit(&mut self, now: Now, path: Path, octets: &[u8]) -> Vec<Wish> {
        let open = || self.sas.iter().filter(|sa| sa.is_half_open());
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let source = path.remote.ip();
        let half_open = HalfOpen {
            total: count(open().count()),
            from_source: count(open().filter(|sa| sa.path().remote.ip() == source).count()),
            ..HalfOpen::default()
        };
        let limits = AdmissionLimits::default();
        let env = self.world.env();
        let verdict = admit(now, &env, &limits, half_open, &mut self.cookies, path, octets);
        self.heeded = !matches!(verdict, Verdict::Drop(_));
        match verdict {
            Verdict::Accept(request) => {
                let respond = Respond { unique_id: self.world.ike_unique_id(), spi: self.fresh_spi(), path };
                let sa = IkeSa::respond(now, &self.world.env(), respond, *request);
                self.sas.push(sa);
                self.drain(now)
            }
            Verdict::Answer(octets) => vec![Wish::Send(Sent { from: self.side, path, octets })],
            Verdict::Drop(_) => Vec::new(),
        }
    }

    /// The kernel has done its work.
    pub fn complete_kernel(&mut self, now: Now, sa: UniqueId, op: OpId, ops: Vec<KernelOp>) -> Vec<Wish> {
        let results = ops.into_iter().map(|op| self.kernel.perform(op)).collect();
        let Some(at) = self.position(sa) else { return Vec::new() };
        self.sas[at].handle_kernel(now, &self.world.env(), op, results);
        self.drain(now)
    }

    /// A job is done.
    pub fn complete_job(&mut self, now: Now, sa: UniqueId, id: JobId, result: JobResult) -> Vec<Wish> {
        let Some(at) = self.position(sa) else { return Vec::new() };
        self.sas[at].handle_completion(now, &self.world.env(), id, result);
        self.drain(now)
    }

    /// The kernel reports something about an IKE_SA's child.
    pub fn kernel_event(&mut self, now: Now, sa: UniqueId, event: &KernelEvent) -> Vec<Wish> {
        let Some(at) = self.position(sa) else { return Vec::new() };
        self.sas[at].handle_kernel_event(now, &self.world.env(), event);
        self.drain(now)
    }

    /// Fires what is due.
    pub fn fire(&mut self, now: Now) -> Vec<Wish> {
        for sa in &mut self.sas {
            if sa.poll_timeout().is_some_and(|next| next.at <= now.mono) {
                sa.handle_timeout(now, &self.world.env());
            }
        }
        self.end_duplicates(now);
        self.drain(now)
    }

    fn drain(&mut self, now: Now) -> Vec<Wish> {
        let mut wishes = Vec::new();
        let mut replaced = Vec::new();
        loop {
            let mut next = 0;
            while next < self.sas.len() {
                let at = next;
                next += 1;
                let unique_id = self.sas[at].unique_id();
                if answers(self.sas[at].take_tally()) {
                    self.owing.remove(&unique_id);
                }
                while let Some(output) = self.sas[at].poll_output() {
                    match output {
                        Output::Transmit { path, datagrams } => {
                            let from = self.side;
                            let sent = |octets| Wish::Send(Sent { from, path, octets });
                            wishes.extend(datagrams.into_iter().map(sent));
                        }
                        Output::Keepalive { path } => wishes.push(Wish::Keepalive(path)),
                        // No connection asks for virtual addresses.
                        Output::Addresses { .. } => {}
                        Output::FindSources { op, queries } => {
                            wishes.push(Wish::Sources(unique_id, op, queries));
                        }
                        Output::Successor { sa, .. } => self.sas.push(*sa),
                        Output::Kernel { op, ops } => wishes.push(Wish::Kernel(unique_id, op, ops)),
                        Output::Job { id, job, .. } => wishes.push(Wish::Job(unique_id, id, job)),
                        Output::Event(event) => replaced.extend(self.on_event(now, unique_id, event)),
                    }
                }
            }
            self.sas.retain(|sa| !sa.is_finished());
            self.owing.retain(|id, _| self.sas.iter().any(|sa| sa.unique_id() == *id));
            if let Some(older) = replaced.pop() {
                self.order(now, older, |token| Command::TerminateIke { force: Force::Immediate, token });
            } else if !self.go_on_anew(now) && !self.go_on_crossing(now) {
                return wishes;
            }
        }
    }

    pub(crate) fn position(&self, unique_id: UniqueId) -> Option<usize> {
        self.sas.iter().position(|sa| sa.unique_id() == unique_id)
    }

    fn fresh_token(&mut self) -> CommandToken {
        self.next_token += 1;
        let token = CommandToken(self.next_token);
        self.commands.insert(token, None);
        token
    }

    fn fresh_spi(&mut self) -> IkeSpi {
        loop {
            if let Some(spi) = IkeSpi::from_be_bytes(self.chance.word().to_be_bytes()) {
                return spi;
            }
        }
    }
}

fn answers(tally: Tally) -> bool {
    let answer = |fact| matches!(fact, Tallied::Message { kind: MessageKind::Response, way: Way::Out, .. });
    tally.iter().any(answer)
}
