//! Which addresses an IKE_SA could use, and where it goes on when one of them fails (RFC 4555). The value moves to a successor.
//!
//! Only the original initiator chooses: it looks up from where each address of the peer is reached, sends whatever request is
//! outstanding on every such path, and stays on the one by which the answer comes. The responder follows.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use charon_types::endpoint::{PORT_NAT_T, Path};
use charon_types::id::Role;
use charon_types::kernel_op::Encap;
use charon_types::snapshot::NatConditions;

use crate::exchange::mobike::Step;
use crate::output::{IkeEvent, OpId, Output, SourceQuery};
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
        if self.clock.established.is_none() || self.is_closed() || self.succeeded || !self.mobility.agreed {
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
            // The initiator learns of our address from the packet, and decides.
            (false, Some(path)) => {
                self.path.local = path.local;
                self.queue_step(Step::Announce);
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

    /// Queues a step of MOBIKE unless it waits already; before everything else, because what else there is needs a path.
    pub(crate) fn queue_step(&mut self, step: Step) {
        let waits = |task: &Task| matches!(task, Task::Mobike(queued) if *queued == step);
        if !self.queue.iter().any(waits) {
            self.queue.push_front(Task::Mobike(step));
        }
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
            self.queue_step(Step::Update);
        }
    }

    /// Goes on at `path`: children, timers, whoever wants to know.
    pub(crate) fn relocate(&mut self, cx: Cx<'_>, path: Path, nat: NatConditions) {
        let mut before = self.snapshot(cx.now.mono);
        if let Some(child) = self.children.first() {
            before.path = child.path;
        }
        let encap = if nat.any() { Encap::Udp } else { Encap::None };
        (self.path, self.nat) = (path, nat);
        let mut ops = Vec::new();
        for child in &mut self.children {
            if child.path != path || child.encap != encap {
                child.encap = encap;
                ops.extend(child.move_ops(path));
            }
        }
        if !ops.is_empty() {
            self.kernel(ops);
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
