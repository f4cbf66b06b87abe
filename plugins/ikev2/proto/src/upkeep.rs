//! What an IKE_SA does on its own account: paths, signs of life, counters, snapshots.

use std::sync::Arc;
use std::time::{Duration, Instant};

use charon_types::endpoint::{PORT_IKE, PORT_NAT_T, Path};
use charon_types::id::{MessageId, UniqueId};
use charon_types::kernel_op::{Encap, KernelOp, KernelReply, KernelResult};
use charon_types::snapshot::{ChildSaSnapshot, ChildSaState, IkeSaSnapshot, IkeSaState};

use crate::child_sa::{ChildSa, Voice, seconds_until};
use crate::ike_sa::ChildUsage;
use crate::output::CloseReason;
use crate::sa::{Cx, Lingering, Sa};
use crate::task::Task;
use crate::timer::Timer;

impl Sa {
    /// IKE_SA_INIT starts over: no answer is awaited, and no responder SPI known.
    pub(crate) fn restart_init(&mut self) {
        self.answered();
        self.next_request = MessageId(0);
        self.remote_spi = None;
    }

    /// Behind a NAT, or if it may come to be, everything goes on from port 4500 to port 4500 (RFC 7296 §2.23, RFC 4555 §3.3). A peer's port that was configured
    /// stays.
    pub(crate) fn float_to_nat_port(&mut self, cx: Cx<'_>) {
        let mobile = self.peer.nat_detection
            && self.connection.as_ref().is_some_and(|connection| connection.ike.mobike.is_enabled());
        if !self.nat.any() && !mobile {
            return;
        }
        let settings = cx.env.settings;
        if self.path.local.port() == settings.port {
            self.path.local.set_port(settings.port_nat_t);
        }
        if self.path.remote.port() == PORT_IKE {
            self.path.remote.set_port(PORT_NAT_T);
        }
    }

    /// An authenticated message came on `path`. The peer behind a NAT is followed, and during the handshake anybody.
    pub(crate) fn heard(&mut self, cx: Cx<'_>, path: Path) {
        self.clock.heard = cx.now.mono;
        // With MOBIKE only a request to do so moves anything (RFC 4555 §3.8).
        let follows =
            self.clock.established.is_none() || (self.nat.remote && !self.nat.local && !self.mobility.agreed);
        if path != self.path && follows {
            self.move_to(cx, path);
        }
        self.mind_mapping(cx, path);
    }

    /// Goes on at other addresses, children included.
    pub(crate) fn move_to(&mut self, cx: Cx<'_>, path: Path) {
        if path == self.path {
            return;
        }
        if self.clock.established.is_none() {
            self.path = path;
            return;
        }
        tracing::info!(target: "IKE", "remote endpoint changed from {} to {}", self.path.remote, path.remote);
        self.clock.sent = cx.now.mono;
        self.relocate(cx, path, self.nat);
    }

    /// Before the peer is asked, the kernel is: inbound ESP in UDP is a sign of life, too.
    pub(crate) fn query_before_liveness(&mut self, cx: Cx<'_>) {
        let encapsulated = self
            .children
            .iter()
            .filter(|child| child.encap == Encap::Udp && child.state == ChildSaState::Installed);
        let queries: Vec<_> = encapsulated.map(|child| KernelOp::QuerySa(child.key_in())).collect();
        if queries.is_empty() || self.idle_until().is_some_and(|due| due > cx.now.mono) {
            return self.check_liveness(cx);
        }
        self.liveness_query = Some(self.kernel(queries));
    }

    /// Counters came for the children asked about.
    pub(crate) fn note_replies(&mut self, now: Instant, results: &[KernelResult]) {
        for result in results {
            if let Ok(KernelReply::Usage(usage)) = result
                && let Some(at) = usage.idle.and_then(|idle| now.checked_sub(idle))
            {
                self.clock.heard = self.clock.heard.max(at);
            }
        }
    }

    /// Asks the peer if it was silent for too long, else waits on.
    pub(crate) fn check_liveness(&mut self, cx: Cx<'_>) {
        let Some(due) = self.idle_until() else { return };
        if due > cx.now.mono {
            self.timers.set(Timer::Dpd, due);
            return;
        }
        if let Some(connection) = &self.connection {
            self.timers.set(Timer::Dpd, cx.now.mono + connection.ike.dpd_delay);
        }
        // An exchange under way is a liveness check already.
        if self.outstanding.is_none() && !self.queue.iter().any(|task| matches!(task, Task::Liveness(_))) {
            self.queue_task(Task::Liveness(None));
        }
    }

    /// Arms what watches over the peer, and over the mapping of a NAT.
    pub(crate) fn arm_signs_of_life(&mut self, cx: Cx<'_>) {
        let now = cx.now.mono;
        let dpd_delay =
            self.connection.as_ref().map_or(Duration::ZERO, |connection| connection.ike.dpd_delay);
        if !dpd_delay.is_zero() {
            self.timers.set(Timer::Dpd, now + dpd_delay);
        }
        if self.nat.local && !cx.env.settings.keep_alive.is_zero() {
            self.timers.set(Timer::Keepalive, now + cx.env.settings.keep_alive);
        }
    }

    fn idle_until(&self) -> Option<Instant> {
        let delay = self.connection.as_ref()?.ike.dpd_delay;
        if delay.is_zero() { None } else { self.clock.heard.checked_add(delay) }
    }

    /// Arms the timer for what is due to children next.
    pub(crate) fn arm_children(&mut self) {
        let due = |child: &ChildSa| {
            let rekey = child.rekey_due.filter(|_| child.may_be_rekeyed());
            let end = child.dies_at.filter(|_| child.state != ChildSaState::Deleting);
            [rekey, end].into_iter().flatten().min()
        };
        match self.children.iter().filter_map(due).min() {
            Some(at) => self.timers.set(Timer::Children, at),
            None => self.timers.stop(Timer::Children),
        }
    }

    /// Children that are due are rekeyed; those whose time is over are deleted.
    pub(crate) fn check_children(&mut self, cx: Cx<'_>) {
        let now = cx.now.mono;
        let past = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        let mut tasks = Vec::new();
        for child in &mut self.children {
            if past(child.dies_at) && child.state != ChildSaState::Deleting {
                child.dies_at = None;
                tasks.push(Task::DeleteChild(child.unique_id, CloseReason::Expired, None));
            } else if past(child.rekey_due) && child.may_be_rekeyed() {
                child.rekey_due = None;
                tasks.push(Task::RekeyChild(child.unique_id, None));
            }
        }
        tasks.into_iter().for_each(|task| self.queue_task(task));
        self.arm_children();
    }

    /// The kernel says that a child has carried enough.
    pub(crate) fn rekey_soon(&mut self, unique_id: UniqueId) {
        let waits =
            self.queue.iter().any(|task| matches!(task, Task::RekeyChild(queued, _) if *queued == unique_id));
        let Some(child) = self.child_mut(unique_id).filter(|child| child.may_be_rekeyed()) else {
            return;
        };
        child.rekey_due = None;
        self.arm_children();
        if !waits {
            self.queue_task(Task::RekeyChild(unique_id, None));
        }
    }

    /// Takes a child out of the kernel. One that was replaced may still receive what is on its way.
    pub(crate) fn take_out(&mut self, cx: Cx<'_>, child: &ChildSa) {
        let delay = cx.env.settings.delete_rekeyed_delay;
        if child.voice == Voice::Announced || delay.is_zero() {
            self.kernel(child.remove_ops());
            cx.env.ids.release_reqid(child.reqid);
            return;
        }
        let outbound = child.remove_outbound_ops();
        if !outbound.is_empty() {
            self.kernel(outbound);
        }
        let until = cx.now.mono + delay;
        self.lingering.push(Lingering { until, ops: child.remove_inbound_ops(), reqid: child.reqid });
        self.arm_lingering();
    }

    /// Ends what has lingered long enough.
    pub(crate) fn end_lingering(&mut self, cx: Cx<'_>, now: Instant) {
        let over: Vec<_> = self.lingering.extract_if(.., |lingering| lingering.until <= now).collect();
        for lingering in over {
            self.kernel(lingering.ops);
            cx.env.ids.release_reqid(lingering.reqid);
        }
        self.arm_lingering();
    }

    /// Ends all that lingers.
    pub(crate) fn end_all_lingering(&mut self, cx: Cx<'_>) {
        for lingering in std::mem::take(&mut self.lingering) {
            self.kernel(lingering.ops);
            cx.env.ids.release_reqid(lingering.reqid);
        }
    }

    pub(crate) fn arm_lingering(&mut self) {
        match self.lingering.iter().map(|lingering| lingering.until).min() {
            Some(at) => self.timers.set(Timer::Linger, at),
            None => self.timers.stop(Timer::Linger),
        }
    }

    /// Counters as the shell read them.
    pub(crate) fn note_usage(&mut self, now: Instant, usage: &[ChildUsage]) {
        for usage in usage {
            let Some(child) = self.children.iter_mut().find(|child| child.spi_in == usage.spi_in) else {
                continue;
            };
            child.usage_in = usage.inbound;
            child.usage_out = usage.outbound;
            if child.encap == Encap::Udp
                && let Some(at) = usage.inbound.idle.and_then(|idle| now.checked_sub(idle))
            {
                self.clock.heard = self.clock.heard.max(at);
            }
        }
    }

    /// As it is now; the state and its tasks are the caller's to set.
    pub(crate) fn snapshot(&self, now: Instant) -> IkeSaSnapshot {
        let children: Vec<_> = self.children.iter().map(|child| Arc::new(child.snapshot(now))).collect();
        self.snapshot_of(now, &children)
    }

    /// As [`Sa::snapshot`], with these children only.
    pub(crate) fn snapshot_of(&self, now: Instant, children: &[Arc<ChildSaSnapshot>]) -> IkeSaSnapshot {
        let established = self.clock.established.map(|at| now.saturating_duration_since(at));
        IkeSaSnapshot {
            name: self
                .connection
                .as_ref()
                .map_or_else(|| "".into(), |connection| Arc::clone(&connection.name)),
            unique_id: self.unique_id,
            state: if established.is_some() { IkeSaState::Established } else { IkeSaState::Connecting },
            path: self.path,
            local_id: self.local_id.clone(),
            remote_id: self.remote_id.clone(),
            role: self.role,
            spi_initiator: self.spi_initiator(),
            spi_responder: self.spi_responder(),
            nat: self.nat,
            suite: self.suite,
            established,
            rekey_in: self.schedule.rekey_at.map(|at| seconds_until(now, at)),
            reauth_in: self.schedule.reauth_at.map(|at| seconds_until(now, at)),
            local_vips: self.assignment.local.clone(),
            remote_vips: self.assignment.remote(),
            if_ids: self.if_ids(),
            tasks_queued: Vec::new(),
            tasks_active: Vec::new(),
            tasks_passive: Vec::new(),
            children: children.iter().map(|child| ChildSaSnapshot::clone(child)).collect(),
        }
    }

    /// The end: no timer fires any more.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        self.timers = crate::timer::TimerTable::default();
        self.outstanding = None;
        self.keys = None;
    }

    /// Whether [`Sa::close`] was called.
    pub(crate) const fn is_closed(&self) -> bool {
        self.closed
    }
}
