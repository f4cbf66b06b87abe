//! What an IKE_SA has in every state: identity, keys, windows, children, outputs.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use charon_types::algorithm::HashId;
use charon_types::connection::{ChildConfig, Connection, Fragmentation};
use charon_types::endpoint::Path;
use charon_types::id::{EspSpi, IkeSpi, MessageId, Reqid, Role, UniqueId};
use charon_types::identity::Identity;
use charon_types::kernel_op::{KernelOp, SaKey};
use charon_types::proposal::{IkeSuite, Protocol};
use charon_types::snapshot::{ChildSaState, NatConditions};
use charon_types::tag::{IfIds, Tags};

use crate::assignment::Assignment;
use crate::child_sa::{ChildSa, Voice};
use crate::env::{AuthorityKeyId, Env, Now};
use crate::exchange::rekey_ike::Crossing;
use crate::failure::Failure;
use crate::job::Job;
use crate::keymat::IkeKeys;
use crate::mobility::Mobility;
use crate::output::{CloseReason, CommandSuccess, CommandToken, IkeEvent, JobId, OpId, Output};
use crate::retransmit::Outstanding;
use crate::schedule::Schedule;
use crate::tally::Tally;
use crate::task::Task;
use crate::timer::TimerTable;
use crate::window::{Digest, Inbound};
use crate::wire::fragment::Reassembly;
use crate::wire::{ExchangeType, Message};

/// Tasks that wait, at most: commands beyond that fail at once.
pub(crate) const QUEUE_MAX: usize = 256;

/// Unknown SPIs remembered: one exchange of ours makes one child, and a peer that deletes more is wrong or hostile.
const EARLY_DELETES_MAX: usize = 16;

/// One input's surroundings.
#[derive(Clone, Copy)]
pub(crate) struct Cx<'a> {
    pub(crate) now: Now,
    pub(crate) env: &'a Env<'a>,
}

/// See the module.
pub(crate) struct Sa {
    pub(crate) unique_id: UniqueId,
    pub(crate) role: Role,
    pub(crate) local_spi: IkeSpi,
    pub(crate) remote_spi: Option<IkeSpi>,
    pub(crate) path: Path,
    pub(crate) connection: Option<Arc<Connection>>,
    pub(crate) local_id: Identity,
    pub(crate) remote_id: Identity,
    pub(crate) nat: NatConditions,
    pub(crate) suite: Option<IkeSuite>,
    pub(crate) keys: Option<IkeKeys>,
    pub(crate) peer: PeerAbilities,
    /// XFRM interface ids of children that have none, once the connection is known.
    if_ids: Option<IfIds>,
    /// Virtual addresses.
    pub(crate) assignment: Assignment,
    /// Paths.
    pub(crate) mobility: Mobility,
    pub(crate) children: Vec<ChildSa>,
    pub(crate) clock: SaClock,
    pub(crate) timers: TimerTable,
    pub(crate) inbound: Inbound,
    pub(crate) outstanding: Option<Outstanding>,
    pub(crate) next_request: MessageId,
    /// The peer's request that is being worked on.
    pub(crate) processing: Option<Processing>,
    /// What we will do when the exchange under way is over.
    pub(crate) queue: VecDeque<Task>,
    next_job: u64,
    next_op: u64,
    /// Pieces of the peer's request, and the digest of the first one.
    pub(crate) request_pieces: Reassembly,
    /// See `request_pieces`.
    pub(crate) request_digest: Option<Digest>,
    /// Pieces of the peer's response.
    pub(crate) response_pieces: Reassembly,
    /// A request that waits until the kernel has installed a child of ours.
    pub(crate) deferred: Option<Box<Message>>,
    /// Counters that decide about a liveness check.
    pub(crate) liveness_query: Option<OpId>,
    /// A rekeying of the peer's that crosses ours.
    pub(crate) collision: Option<Collision>,
    /// Inbound SAs of replaced children, and when they go.
    pub(crate) lingering: Vec<Lingering>,
    /// Who waits for the handshake.
    pub(crate) handshake_token: Option<CommandToken>,
    /// SPI reservations whose answers have not come: at which of our addresses, and of which protocols.
    reservations: Vec<Reservation>,
    /// Reservations repeated at another address: nobody waits for their answers.
    repeated: Vec<OpId>,
    /// Where the reservation was made that was answered last.
    reserved_at: Option<IpAddr>,
    /// Replacements on which we begin to send, kernel asked.
    activations: Vec<(OpId, UniqueId)>,
    /// Children on their way to other addresses, kernel asked.
    moves: Vec<(OpId, UniqueId)>,
    /// Reserved SPIs that no child uses yet.
    spare_spis: Vec<SaKey>,
    outputs: VecDeque<Output>,
    /// A DELETE for the IKE_SA was sent or received.
    pub(crate) deleting: bool,
    /// SPIs that the peer deleted and we do not know, since our last CREATE_CHILD_SA request: its answer may be under way.
    early_deletes: VecDeque<EspSpi>,
    pub(crate) closed: bool,
    /// Messages since the shell last asked.
    pub(crate) tally: Tally,
    /// Who began the first IKE_SA of this line: our role in its handshake.
    pub(crate) origin: Role,
    /// When it is rekeyed and so on.
    pub(crate) schedule: Schedule,
    /// The peer rekeys the IKE_SA while we do.
    pub(crate) crossing: Option<Box<Crossing>>,
    /// Another IKE_SA has replaced it, or it was redundant from its birth.
    pub(crate) succeeded: bool,
    /// It is established anew already.
    pub(crate) reauthenticating: bool,
}

/// SPIs that the kernel is asked for.
struct Reservation {
    op: OpId,
    at: IpAddr,
    protocols: Vec<Protocol>,
}

/// What the peer said it can do or wants.
#[derive(Clone, Debug, Default)]
pub(crate) struct PeerAbilities {
    /// RFC 7383.
    pub(crate) fragmentation: bool,
    /// RFC 6023.
    pub(crate) childless: bool,
    /// SIGNATURE_HASH_ALGORITHMS; empty: no RFC 7427.
    pub(crate) hashes: Vec<HashId>,
    /// It sent NAT detection payloads.
    pub(crate) nat_detection: bool,
    /// Both sent the vendor id that gives private numbers a meaning.
    pub(crate) private_extensions: bool,
    /// From its CERTREQ payloads; `None`: it sent none.
    pub(crate) authorities: Option<Vec<AuthorityKeyId>>,
}

/// Times of an IKE_SA.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SaClock {
    pub(crate) established: Option<Instant>,
    /// When the peer was last heard: IKE, or ESP in UDP.
    pub(crate) heard: Instant,
    /// When we last sent.
    pub(crate) sent: Instant,
}

/// Both sides rekey one child at once (RFC 7296 §2.8.1): what decides.
#[derive(Clone, Debug)]
pub(crate) struct Collision {
    /// The child.
    pub(crate) old: UniqueId,
    /// The lower nonce of the peer's exchange.
    pub(crate) lowest_nonce: Vec<u8>,
    /// Who won, as far as we know.
    pub(crate) verdict: Verdict,
}

/// See [`Collision`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The peer has not answered us yet.
    Open,
    /// Our exchange has won; the peer's may not be over.
    Ours,
}

/// The inbound half of a child that was replaced.
#[derive(Clone, Debug)]
pub(crate) struct Lingering {
    /// When it goes.
    pub(crate) until: Instant,
    /// What removes it.
    pub(crate) ops: Vec<KernelOp>,
    /// What it uses until then.
    pub(crate) reqid: Reqid,
}

/// A peer's request, from its arrival to its answer.
#[derive(Clone, Debug)]
pub(crate) struct Processing {
    pub(crate) id: MessageId,
    pub(crate) exchange: ExchangeType,
    pub(crate) digest: Digest,
    /// Where it came from, and where its answer goes.
    pub(crate) path: Path,
}

impl Sa {
    /// A new IKE_SA.
    pub(crate) fn new(now: Now, role: Role, unique_id: UniqueId, local_spi: IkeSpi, path: Path) -> Self {
        Self {
            unique_id,
            role,
            local_spi,
            remote_spi: None,
            path,
            connection: None,
            local_id: Identity::Any,
            remote_id: Identity::Any,
            nat: NatConditions::default(),
            suite: None,
            keys: None,
            peer: PeerAbilities::default(),
            assignment: Assignment::default(),
            mobility: Mobility::default(),
            children: Vec::new(),
            clock: SaClock { established: None, heard: now.mono, sent: now.mono },
            timers: TimerTable::default(),
            inbound: Inbound::default(),
            outstanding: None,
            next_request: MessageId::default(),
            processing: None,
            queue: VecDeque::new(),
            next_job: 0,
            next_op: 0,
            request_pieces: Reassembly::default(),
            request_digest: None,
            response_pieces: Reassembly::default(),
            deferred: None,
            liveness_query: None,
            deleting: false,
            early_deletes: VecDeque::new(),
            closed: false,
            tally: Tally::default(),
            origin: role,
            schedule: Schedule::default(),
            crossing: None,
            succeeded: false,
            reauthenticating: false,
            collision: None,
            lingering: Vec::new(),
            handshake_token: None,
            if_ids: None,
            reservations: Vec::new(),
            repeated: Vec::new(),
            reserved_at: None,
            activations: Vec::new(),
            moves: Vec::new(),
            spare_spis: Vec::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Name of its connection.
    pub(crate) fn name(&self) -> &str {
        self.connection.as_ref().map_or("(unnamed)", |connection| &connection.name)
    }

    /// The initiator's SPI.
    pub(crate) fn spi_initiator(&self) -> Option<IkeSpi> {
        match self.role {
            Role::Initiator => Some(self.local_spi),
            Role::Responder => self.remote_spi,
        }
    }

    /// The responder's SPI.
    pub(crate) fn spi_responder(&self) -> Option<IkeSpi> {
        match self.role {
            Role::Initiator => self.remote_spi,
            Role::Responder => Some(self.local_spi),
        }
    }

    /// Hands out a job.
    pub(crate) fn job(&mut self, job: Job) -> JobId {
        self.next_job += 1;
        let id = JobId(self.next_job);
        self.outputs.push_back(Output::Job { id, cost: job.cost(), job });
        id
    }

    /// Submits a batch to the kernel.
    pub(crate) fn kernel(&mut self, ops: Vec<KernelOp>) -> OpId {
        let op = self.next_op();
        let mut reservation = None;
        for asked in &ops {
            if let KernelOp::AllocSpi { destination, protocol, .. } = asked {
                let at = *destination;
                let fresh = || Reservation { op, at, protocols: Vec::new() };
                reservation.get_or_insert_with(fresh).protocols.push(*protocol);
            }
        }
        self.reservations.extend(reservation);
        self.outputs.push_back(Output::Kernel { op, ops });
        op
    }

    /// Names a batch.
    pub(crate) const fn next_op(&mut self) -> OpId {
        self.next_op += 1;
        OpId(self.next_op)
    }

    /// A batch was answered. Returns the protocols of the SPIs that it reserves, in its order.
    pub(crate) fn kernel_answered(&mut self, op: OpId) -> Vec<Protocol> {
        let at = self.reservations.iter().position(|reservation| reservation.op == op);
        let answered = at.map(|at| self.reservations.swap_remove(at));
        // For years there is none.
        self.reservations.shrink_to_fit();
        self.reserved_at = answered.as_ref().map(|reservation| reservation.at);
        answered.map(|reservation| reservation.protocols).unwrap_or_default()
    }

    /// Where the kernel reserved the SPI that it tells now: we may have moved since.
    pub(crate) fn reserved_at(&self) -> IpAddr {
        self.reserved_at.unwrap_or_else(|| self.path.local.ip())
    }

    /// Whether that batch only repeated a reservation.
    pub(crate) fn take_repeated(&mut self, op: OpId) -> bool {
        self.repeated.extract_if(.., |repeated| *repeated == op).count() > 0
    }

    /// Reserves the SPIs that are not used yet where we are now.
    pub(crate) fn bring_spare_spis(&mut self) {
        let (here, source) = (self.path.local.ip(), self.path.remote.ip());
        let mut ops = Vec::new();
        for spare in self.spare_spis.iter_mut().filter(|spare| spare.destination != here) {
            ops.push(KernelOp::DeleteSa(*spare));
            spare.destination = here;
            let (protocol, spi) = (spare.protocol, spare.spi.get());
            ops.push(KernelOp::AllocSpi { source, destination: here, protocol, min: spi, max: spi });
        }
        if !ops.is_empty() {
            let op = self.kernel(ops);
            self.repeated.push(op);
        }
    }

    /// We begin to send on a child: the kernel is asked.
    pub(crate) fn activate(&mut self, child: UniqueId, ops: Vec<KernelOp>) {
        let op = self.kernel(ops);
        self.activations.push((op, child));
    }

    /// The child whose activation this batch is.
    pub(crate) fn take_activation(&mut self, op: OpId) -> Option<UniqueId> {
        let at = self.activations.iter().position(|(activation, _)| *activation == op)?;
        Some(self.activations.swap_remove(at).1)
    }

    /// We send on no child any more: the kernel is asked.
    pub(crate) fn mute(&mut self) -> Option<OpId> {
        let ops: Vec<_> = self.children.iter_mut().flat_map(ChildSa::mute_ops).collect();
        (!ops.is_empty()).then(|| self.kernel(ops))
    }

    /// A child goes to other addresses: the kernel is asked.
    pub(crate) fn transfer(&mut self, child: UniqueId, ops: Vec<KernelOp>) {
        let op = self.kernel(ops);
        self.moves.push((op, child));
    }

    /// The child that this batch moves.
    pub(crate) fn take_move(&mut self, op: OpId) -> Option<UniqueId> {
        let at = self.moves.iter().position(|(moving, _)| *moving == op)?;
        Some(self.moves.swap_remove(at).1)
    }

    /// Whether the kernel may yet refuse to let us send on a child, or to move it.
    pub(crate) fn awaits_activation(&self) -> bool {
        !self.activations.is_empty() || !self.moves.is_empty()
    }

    /// Whether an SPI may yet arrive that has to be given back.
    pub(crate) fn awaits_reservation(&self) -> bool {
        !self.reservations.is_empty()
    }

    /// The kernel reserved an SPI for us.
    pub(crate) fn keep_spi(&mut self, protocol: Protocol, spi: EspSpi) {
        self.spare_spis.push(SaKey { destination: self.reserved_at(), protocol, spi });
        self.bring_spare_spis();
    }

    /// A child uses a reserved SPI.
    pub(crate) fn use_spi(&mut self, protocol: Protocol, spi: EspSpi) {
        self.spare_spis.retain(|spare| (spare.protocol, spare.spi) != (protocol, spi));
        if self.spare_spis.is_empty() {
            self.spare_spis = Vec::new();
        }
    }

    /// Gives a reserved SPI back.
    pub(crate) fn release_spi(&mut self, protocol: Protocol, spi: EspSpi) {
        let is_it = |spare: &mut SaKey| (spare.protocol, spare.spi) == (protocol, spi);
        let released: Vec<_> = self.spare_spis.extract_if(.., is_it).collect();
        if !released.is_empty() {
            self.kernel(released.into_iter().map(KernelOp::DeleteSa).collect());
        }
    }

    /// Gives all reserved SPIs back.
    pub(crate) fn release_spis(&mut self) {
        let released = std::mem::take(&mut self.spare_spis);
        if !released.is_empty() {
            self.kernel(released.into_iter().map(KernelOp::DeleteSa).collect());
        }
    }

    /// A CREATE_CHILD_SA request goes out: what the peer deleted before does not concern it.
    pub(crate) fn forget_early_deletes(&mut self) {
        self.early_deletes.clear();
    }

    /// The peer deleted a child that we do not know, or not yet.
    pub(crate) fn note_early_delete(&mut self, spi: EspSpi) {
        if self.early_deletes.len() == EARLY_DELETES_MAX {
            self.early_deletes.pop_front();
        }
        self.early_deletes.push_back(spi);
    }

    /// Whether the peer has deleted that child before we knew it.
    pub(crate) fn is_deleted_early(&self, spi: EspSpi) -> bool {
        self.early_deletes.contains(&spi)
    }

    /// Queues an output.
    pub(crate) fn output(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// Takes an output.
    pub(crate) fn take_output(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front();
        if output.is_none() {
            // An SA at rest keeps no buffer.
            self.outputs = VecDeque::new();
        }
        output
    }

    /// Elements for which there is room that nothing takes.
    #[cfg(test)]
    pub(crate) fn spare_room(&self) -> usize {
        let children = self.children.capacity() - self.children.len();
        children + self.outputs.capacity() + self.queue.capacity() + self.spare_spis.capacity()
    }

    /// Room in every table, taken or not.
    #[cfg(test)]
    pub(crate) fn room(&self) -> [usize; 11] {
        [
            self.children.capacity(),
            self.queue.capacity(),
            self.lingering.capacity(),
            self.reservations.capacity(),
            self.repeated.capacity(),
            self.activations.capacity(),
            self.moves.capacity(),
            self.spare_spis.capacity(),
            self.outputs.capacity(),
            self.early_deletes.capacity(),
            self.mobility.peer_addresses.capacity() + self.mobility.probing.capacity(),
        ]
    }

    /// Tells whoever gave a command how it ended.
    pub(crate) fn done(&mut self, token: Option<CommandToken>, outcome: Result<CommandSuccess, Failure>) {
        if let Some(token) = token {
            self.output(Output::Event(IkeEvent::CommandDone { token, outcome }));
        }
    }

    /// Queues a task behind the others. A full queue fails it at once.
    pub(crate) fn queue_task(&mut self, task: Task) {
        if self.queue.len() < QUEUE_MAX {
            self.queue.push_back(task);
        } else {
            self.done(task.token(), Err(crate::failure::Refusal::Temporary.into()));
        }
    }

    /// XFRM interface ids of children that have none.
    pub(crate) fn if_ids(&self) -> IfIds {
        self.if_ids.unwrap_or_default()
    }

    /// An heir has the interface ids of the IKE_SA that it replaces.
    pub(crate) fn inherit_if_ids(&mut self, old: &Self) {
        self.if_ids = old.if_ids;
    }

    /// Marks and interface ids of a new child.
    pub(crate) fn tags(&mut self, cx: Cx<'_>, child: &ChildConfig) -> Tags {
        let Some(connection) = self.connection.clone() else { return Tags::default() };
        let if_ids = *self.if_ids.get_or_insert_with(|| cx.env.ids.if_ids(&connection.ike));
        cx.env.ids.tags(&connection, child, if_ids)
    }

    /// The child with that number.
    pub(crate) fn child_mut(&mut self, unique_id: UniqueId) -> Option<&mut ChildSa> {
        self.children.iter_mut().find(|child| child.unique_id == unique_id)
    }

    /// The child that we receive on `spi`.
    pub(crate) fn child_by_spi_in(&self, spi: EspSpi) -> Option<&ChildSa> {
        self.children.iter().find(|child| child.spi_in == spi)
    }

    /// The child that the peer receives on `spi`.
    pub(crate) fn child_by_spi_out(&self, spi: EspSpi) -> Option<&ChildSa> {
        self.children.iter().find(|child| child.spi_out == spi)
    }

    /// An installed child becomes one of ours, and is announced unless it is silent yet.
    pub(crate) fn add_child(&mut self, cx: Cx<'_>, child: ChildSa) {
        let announced = child.voice == Voice::Announced;
        let snapshot = Arc::new(child.snapshot(cx.now.mono));
        // Most have one: the first growth of a vector would make room for four.
        self.children.reserve_exact(1);
        self.children.push(child);
        self.arm_children();
        if announced {
            let sa = Arc::new(self.snapshot_of(cx.now.mono, std::slice::from_ref(&snapshot)));
            self.output(Output::Event(IkeEvent::ChildInstalled { sa, child: snapshot }));
        }
    }

    /// Takes a child out of the kernel and out of the list, and tells it.
    pub(crate) fn remove_child(
        &mut self,
        cx: Cx<'_>,
        unique_id: UniqueId,
        reason: &CloseReason,
    ) -> Option<ChildSa> {
        let at = self.children.iter().position(|child| child.unique_id == unique_id)?;
        let child = self.children.remove(at);
        for other in self.children.iter_mut().filter(|other| other.replaced_by == Some(unique_id)) {
            // It was to be replaced by the one that goes: it stays in charge.
            other.replaced_by = None;
            self.collision.take_if(|collision| collision.old == other.unique_id);
            if other.state == ChildSaState::Rekeyed {
                other.state = ChildSaState::Installed;
            }
        }
        self.arm_children();
        self.take_out(cx, &child);
        if child.voice == Voice::Announced {
            let snapshot = Arc::new(child.snapshot(cx.now.mono));
            let sa = Arc::new(self.snapshot_of(cx.now.mono, std::slice::from_ref(&snapshot)));
            let config = Arc::clone(&child.config);
            let reason = reason.clone();
            self.output(Output::Event(IkeEvent::ChildRemoved { sa, child: snapshot, config, reason }));
        }
        Some(child)
    }

    /// Longest datagram that we send, if messages are to be fragmented (RFC 7383).
    pub(crate) fn fragment_len_max(&self, cx: Cx<'_>) -> Option<usize> {
        const UDP_LEN: usize = 8;
        const NON_ESP_MARKER_LEN: usize = 4;
        let wanted = self.connection.as_ref().is_some_and(|connection| {
            matches!(connection.ike.fragmentation, Fragmentation::Yes | Fragmentation::Force)
        });
        if !wanted || !self.peer.fragmentation {
            return None;
        }
        let settings = cx.env.settings;
        let (packet, ip_len) = match self.path.remote.ip() {
            IpAddr::V4(_) => (settings.fragment_size_v4, 20),
            IpAddr::V6(_) => (settings.fragment_size_v6, 40),
        };
        let marker = if self.path.local.port() == settings.port { 0 } else { NON_ESP_MARKER_LEN };
        Some(usize::from(packet).saturating_sub(ip_len + UDP_LEN + marker))
    }
}
