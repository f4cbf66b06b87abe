//! Which addresses an IKE_SA could use, and where it goes on when one of them fails (RFC 4555). The value moves to a successor.
//!
//! Only the original initiator chooses: it looks up from where each address of the peer is reached, sends whatever request is
//! outstanding on every such path, and stays on the one by which the answer comes. The responder follows. Without MOBIKE the
//! initiator begins anew elsewhere.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use charon_types::endpoint::{PORT_NAT_T, Path};
use charon_types::id::{Role, UniqueId};
use charon_types::kernel_op::{Encap, KernelResult};
use charon_types::snapshot::NatConditions;

use crate::child_sa::ChildSa;
use crate::exchange::mobike::Step;
use crate::failure::LocalFault;
use crate::output::{CloseReason, IkeEvent, OpId, Order, Output, SourceQuery};
use crate::sa::{Cx, Sa};
use crate::task::Task;
use crate::timer::Timer;

/// Most addresses of a peer that are kept.
const PEER_ADDRESSES_MAX: usize = 16;

/// What an IKE_SA knows of addresses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mobility {
    /// Whether both sides have announced MOBIKE.
    pub(crate) agreed: bool,
    /// Further addresses of the peer.
    pub(crate) peer_addresses: Vec<IpAddr>,
    /// Our addresses as the peer was told, or is being told.
    pub(crate) told: Option<Arc<[IpAddr]>>,
    /// Paths on which our request is sent until it is answered; empty: on the current one alone.
    pub(crate) probing: Vec<Path>,
    /// Why they are tried.
    pub(crate) cause: Cause,
    /// The first of them is tried alone for a moment: it is the one least other than before.
    pub(crate) head_start: bool,
    /// No path leads anywhere: nothing is sent until the network changes.
    pub(crate) stranded: bool,
    /// How the peer saw our address when it last told.
    pub(crate) mapping: Option<Vec<u8>>,
    /// The peer is to go on at our path, and has not said yes.
    pub(crate) update_due: bool,
    /// A list of our addresses is on its way to the peer.
    pub(crate) announcing: bool,
    /// The IKE_SA was replaced while a path was looked for.
    interrupted: bool,
    lookup: Option<Lookup>,
}

/// A question to the routing tables.
#[derive(Clone, Debug)]
struct Lookup {
    op: OpId,
    /// Addresses of the peer, after the current path.
    remotes: Vec<IpAddr>,
    cause: Cause,
}

/// Why paths are looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Cause {
    /// Our addresses or routes changed: the current path may still do.
    #[default]
    Network,
    /// Nothing comes back on the current path. The peer gets no more time for that.
    Silence,
    /// The peer is not at its address any more.
    Departure,
}

impl Mobility {
    /// What a successor takes over; what was under way is not.
    pub(crate) fn inherit(&mut self) -> Self {
        let mut inherited = std::mem::take(self);
        inherited.interrupted = !inherited.probing.is_empty() || inherited.lookup.is_some();
        // The hash that it is compared by is over other SPIs from now on.
        (inherited.mapping, inherited.lookup) = (None, None);
        inherited.probing.clear();
        inherited
    }
}

impl Sa {
    /// Whether it is we who choose the path.
    pub(crate) fn chooses_path(&self) -> bool {
        self.mobility.agreed && self.origin == Role::Initiator
    }

    /// Our addresses beside the current one, as a peer would be told.
    pub(crate) fn additional_addresses(&self, cx: Cx<'_>) -> Vec<IpAddr> {
        let current = self.path.local.ip();
        cx.env.host.addresses().iter().copied().filter(|address| *address != current).collect()
    }

    /// Addresses, links or routes of the host changed.
    pub(crate) fn on_network_change(&mut self, cx: Cx<'_>) {
        if self.clock.established.is_none() || self.is_closed() || self.succeeded {
            return;
        }
        if !self.mobility.agreed {
            // Nothing can be moved; a responder cannot even know where to.
            if self.origin == Role::Initiator {
                self.look_for_paths(cx, Cause::Network);
            }
            return;
        }
        self.look_for_paths(cx, Cause::Network);
        let current = cx.env.host.addresses();
        if self.mobility.told.as_deref() != Some(&*current) {
            self.queue_step(Step::Announce);
        }
    }

    /// Asks from where each address of the peer is reached.
    pub(crate) fn look_for_paths(&mut self, _cx: Cx<'_>, cause: Cause) {
        let current = self.path.remote.ip();
        let mut remotes = vec![current];
        if self.chooses_path() {
            remotes.extend(self.mobility.peer_addresses.iter().filter(|other| **other != current));
        }
        let mut queries = vec![SourceQuery { remote: current, source: Some(self.path.local.ip()) }];
        queries.extend(remotes.iter().map(|remote| SourceQuery { remote: *remote, source: None }));
        let op = self.next_op();
        self.mobility.lookup = Some(Lookup { op, remotes, cause });
        self.output(Output::FindSources { op, queries });
    }

    /// The answers.
    pub(crate) fn on_sources(&mut self, cx: Cx<'_>, op: OpId, sources: &[Option<IpAddr>]) {
        let Some(lookup) = self.mobility.lookup.take_if(|lookup| lookup.op == op) else { return };
        if self.is_closed() || self.succeeded {
            return;
        }
        let ours = cx.env.host.addresses();
        let [current, others @ ..] = sources else { return };
        let current_works = current.is_some() && ours.contains(&self.path.local.ip());
        if current_works && lookup.cause == Cause::Network {
            if self.mobility.stranded {
                self.mobility.stranded = false;
                self.resume(cx);
            }
            return;
        }
        let mut paths: Vec<Path> = if current_works { vec![self.path] } else { Vec::new() };
        for (remote, source) in lookup.remotes.iter().zip(others) {
            let Some(source) = source.filter(|source| ours.contains(source)) else { continue };
            let port = if *remote == self.path.remote.ip() { self.path.remote.port() } else { PORT_NAT_T };
            let path = Path {
                local: SocketAddr::new(source, self.path.local.port()),
                remote: SocketAddr::new(*remote, port),
            };
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        match (self.chooses_path(), paths.first().copied()) {
            (_, None) => self.strand(),
            (false, Some(path)) if !self.mobility.agreed => self.begin_elsewhere(cx, path),
            // The initiator learns of our address from the packet, and decides. Children are of no use where we are no more.
            (false, Some(path)) => {
                self.relocate(cx, Path { local: path.local, ..self.path }, self.nat);
                self.queue_step(Step::Announce);
                if self.mobility.stranded {
                    self.mobility.stranded = false;
                    self.resume(cx);
                }
            }
            (true, Some(_)) => self.probe(cx, paths, lookup.cause),
        }
    }

    fn strand(&mut self) {
        if !self.mobility.stranded {
            tracing::info!(target: "IKE", "no route found to reach {}, MOBIKE update deferred", self.path.remote.ip());
        }
        self.mobility.stranded = true;
        self.mobility.probing.clear();
        self.timers.stop(Timer::Retransmit);
        self.timers.stop(Timer::Dpd);
    }

    /// There is a path again, the same as before.
    fn resume(&mut self, cx: Cx<'_>) {
        self.arm_signs_of_life(cx);
        self.repeat_request(cx);
    }

    /// Without MOBIKE: our address has gone, and the peer is told of another one by an IKE_SA that begins there.
    fn begin_elsewhere(&mut self, cx: Cx<'_>, path: Path) {
        if self.mobility.stranded {
            self.mobility.stranded = false;
            self.arm_signs_of_life(cx);
        }
        // From now on everything leaves from there, DELETE above all: the peer answers whence it comes.
        self.relocate(cx, Path { local: path.local, ..self.path }, self.nat);
        if !self.reauthenticating {
            tracing::info!(target: "IKE", "reauthenticating IKE_SA due to address change");
            self.reauthenticating = true;
            if cx.env.settings.make_before_break.is_enabled() {
                self.establish_anew(Order::MakeBeforeBreak);
            } else {
                self.queue_task(Task::DeleteIke(CloseReason::Reauthentication, None));
            }
        }
        self.repeat_request(cx);
    }

    fn probe(&mut self, cx: Cx<'_>, paths: Vec<Path>, cause: Cause) {
        for path in &paths {
            tracing::info!(target: "IKE", "checking path {} - {}", path.local, path.remote);
        }
        if self.mobility.stranded {
            self.mobility.stranded = false;
            self.arm_signs_of_life(cx);
        }
        self.mobility.head_start = paths.len() > 1 && cause != Cause::Silence;
        self.mobility.probing = paths;
        self.mobility.cause = cause;
        match &self.outstanding {
            None => self.queue_step(Step::Probe),
            Some(outstanding) if cause == Cause::Silence => {
                let datagrams = outstanding.datagrams.clone();
                self.transmit_request(cx, datagrams);
            }
            Some(_) => self.repeat_request(cx),
        }
    }

    /// A message of the peer's came on `path`. The NAT of a responder may map it otherwise now, and nobody but us can act on that.
    pub(crate) fn mind_mapping(&mut self, cx: Cx<'_>, path: Path) {
        let behind_nat = self.clock.established.is_some() && self.nat.remote && !self.nat.local;
        let elsewhere = path.remote != self.path.remote && path.local == self.path.local;
        if !(self.chooses_path() && behind_nat && elsewhere) {
            return;
        }
        let probing = &mut self.mobility.probing;
        if probing.is_empty() {
            self.probe(cx, vec![path, self.path], Cause::Departure);
        } else if !probing.contains(&path) && probing.len() < PEER_ADDRESSES_MAX {
            // A search that goes on takes it along when the request is repeated.
            probing.push(path);
        }
    }

    /// Queues a step of MOBIKE unless it waits already; before everything else, because what else there is needs a path.
    pub(crate) fn queue_step(&mut self, step: Step) {
        self.mobility.update_due |= step == Step::Update;
        if !self.waits_to(step) {
            self.queue.push_front(Task::Mobike(step));
        }
    }

    /// Whether a step of MOBIKE is queued.
    pub(crate) fn waits_to(&self, step: Step) -> bool {
        self.queue.iter().any(|task| matches!(task, Task::Mobike(queued) if *queued == step))
    }

    /// Our request was answered on `path`: that one works.
    pub(crate) fn path_answered(&mut self, path: Path) {
        if self.mobility.probing.is_empty() {
            return;
        }
        if !self.mobility.probing.contains(&path) {
            // It was sent before the search began.
            return self.queue_step(Step::Probe);
        }
        self.mobility.probing.clear();
        self.queue.retain(|task| !matches!(task, Task::Mobike(Step::Probe)));
        if path != self.path {
            self.path = path;
            self.bring_spare_spis();
            self.queue_step(Step::Update);
        }
    }

    /// What a successor has to tell the peer once more: what was under way on the old IKE_SA counts there alone.
    pub(crate) fn resume_mobility(&mut self, cx: Cx<'_>) {
        if std::mem::take(&mut self.mobility.interrupted) {
            self.look_for_paths(cx, self.mobility.cause);
        }
        // Our NAT may map us otherwise since the last look, and under other SPIs nobody can compare.
        if self.chooses_path() && (self.nat.local || self.mobility.update_due) {
            self.queue_step(Step::Update);
        }
        if std::mem::take(&mut self.mobility.announcing) {
            self.queue_step(Step::Announce);
        }
    }

    /// Goes on at `path`: children, timers, whoever wants to know.
    pub(crate) fn relocate(&mut self, cx: Cx<'_>, path: Path, nat: NatConditions) {
        let mut before = self.snapshot(cx.now.mono);
        if let Some(child) = self.children.first() {
            before.path = child.path;
        }
        (self.path, self.nat) = (path, nat);
        self.bring_spare_spis();
        let children: Vec<_> = self.children.iter().map(|child| child.unique_id).collect();
        for child in children {
            self.bring_along(child);
        }
        self.timers.stop(Timer::Keepalive);
        self.arm_signs_of_life(cx);
        if before.path != path {
            tracing::info!(
                target: "IKE",
                "IKE_SA {}[{}] moved from {} - {} to {} - {}",
                self.name(),
                self.unique_id,
                before.path.local,
                before.path.remote,
                path.local,
                path.remote,
            );
            self.output(Output::Event(IkeEvent::Moved { sa: Arc::new(before), path }));
        }
    }

    /// A child follows to where we are.
    pub(crate) fn bring_along(&mut self, unique_id: UniqueId) {
        let encap = if self.nat.any() { Encap::Udp } else { Encap::None };
        let path = self.path;
        let left_behind = |child: &&mut ChildSa| child.path != path || child.encap != encap;
        if let Some(child) = self.child_mut(unique_id).filter(left_behind) {
            child.encap = encap;
            let ops = child.move_ops(path);
            self.transfer(unique_id, ops);
        }
    }

    /// The kernel has moved a child, or parts of it: what is left of one is of no use.
    pub(crate) fn moved(&mut self, child: UniqueId, results: &[KernelResult]) {
        let Some(error) = results.iter().find_map(|result| result.as_ref().err()).cloned() else { return };
        tracing::info!(target: "IKE", "unable to move CHILD_SA in kernel: {error}");
        let reason = CloseReason::Failed(LocalFault::Kernel(error).into());
        self.queue_task(Task::DeleteChild(child, reason, None));
    }

    /// The peer lists its addresses; the packet came from `from`.
    pub(crate) fn note_peer_addresses(&mut self, cx: Cx<'_>, from: IpAddr, mut listed: Vec<IpAddr>) {
        listed.truncate(PEER_ADDRESSES_MAX);
        if !listed.contains(&from) && from != self.path.remote.ip() {
            listed.push(from);
        }
        let current = self.path.remote.ip();
        let lost = self.clock.established.is_some() && from != current && !listed.contains(&current);
        self.mobility.peer_addresses = listed;
        if lost && self.chooses_path() {
            self.look_for_paths(cx, Cause::Departure);
        }
    }
}
