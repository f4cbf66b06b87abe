//! What an IKE_SA does on its own account: paths, signs of life, counters, snapshots.

use std::sync::Arc;
use std::time::Instant;

use charon_types::endpoint::{PORT_IKE, PORT_NAT_T, Path};
use charon_types::id::MessageId;
use charon_types::kernel_op::{Encap, KernelOp, KernelReply, KernelResult};
use charon_types::snapshot::{ChildSaSnapshot, ChildSaState, IkeSaSnapshot, IkeSaState};

use crate::child_sa::seconds_until;
use crate::ike_sa::ChildUsage;
use crate::sa::{Cx, Sa};
use crate::task::Task;
use crate::timer::Timer;

impl Sa {
    /// IKE_SA_INIT starts over: no answer is awaited, and no responder SPI known.
    pub(crate) fn restart_init(&mut self) {
        self.answered();
        self.next_request = MessageId(0);
        self.remote_spi = None;
    }

    /// Behind a NAT everything goes on from port 4500 to port 4500 (RFC 7296 §2.23). A peer's port that was configured
    /// stays.
    pub(crate) fn float_to_nat_port(&mut self, cx: Cx<'_>) {
        if !self.nat.any() {
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
        let follows = self.clock.established.is_none() || (self.nat.remote && !self.nat.local);
        if path != self.path && follows {
            self.move_to(cx, path);
        }
    }

    /// Goes on at other addresses, children included.
    pub(crate) fn move_to(&mut self, cx: Cx<'_>, path: Path) {
        if path == self.path {
            return;
        }
        if self.clock.established.is_some() {
            tracing::info!(target: "IKE", "remote endpoint changed from {} to {}", self.path.remote, path.remote);
        }
        self.path = path;
        let mut ops = Vec::new();
        for child in self.children.iter_mut().filter(|child| child.encap == Encap::Udp) {
            // Which policies lead to the peer depends on its address alone.
            let same_hosts =
                child.path.remote.ip() == path.remote.ip() && child.path.local.ip() == path.local.ip();
            let policies = if same_hosts { Vec::new() } else { child.policies() };
            ops.extend(policies.iter().map(|policy| KernelOp::DeletePolicy(Box::new(policy.clone()))));
            ops.extend(child.update_ops(path));
            child.path = path;
            if !same_hosts {
                ops.extend(child.policies().into_iter().map(|policy| KernelOp::AddPolicy(Box::new(policy))));
            }
        }
        if !ops.is_empty() {
            self.kernel(ops);
        }
        self.clock.sent = cx.now.mono;
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
        if self.outstanding.is_none() && !self.queue.iter().any(|task| matches!(task, Task::Liveness)) {
            self.queue_task(Task::Liveness);
        }
    }

    fn idle_until(&self) -> Option<Instant> {
        let delay = self.connection.as_ref()?.ike.dpd_delay;
        if delay.is_zero() { None } else { self.clock.heard.checked_add(delay) }
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
            rekey_in: self.clock.rekey_at.map(|at| seconds_until(now, at)),
            reauth_in: self.clock.reauth_at.map(|at| seconds_until(now, at)),
            local_vips: Vec::new(),
            remote_vips: Vec::new(),
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
