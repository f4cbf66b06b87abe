//! The IKE_SA that replaces another one: how it comes to be, and what it takes over (RFC 7296 §2.18).

use std::sync::Arc;
use std::time::Duration;

use charon_types::id::{IkeSpi, Role, UniqueId};
use charon_types::proposal::IkeSuite;
use charon_types::snapshot::IkeSaState;

use crate::ike_sa::IkeSa;
use crate::keymat::IkeKeys;
use crate::output::{CloseReason, CommandSuccess, IkeEvent, Output, Standing};
use crate::sa::{Cx, Sa};
use crate::state::State;
use crate::task::Task;
use crate::timer::{Timer, TimerTable};

/// How long an IKE_SA that is the peer's to delete stays if the peer does not.
const REMAINS: Duration = Duration::from_secs(90);

/// strongSwan's name of the task.
const TASK: &str = "IKE_REKEY";

/// A negotiated IKE_SA that does not live yet.
pub(crate) struct Unborn {
    pub(crate) role: Role,
    pub(crate) unique_id: UniqueId,
    pub(crate) local_spi: IkeSpi,
    pub(crate) remote_spi: IkeSpi,
    pub(crate) suite: IkeSuite,
    pub(crate) keys: IkeKeys,
}

/// Who began the exchange that made the heir.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Began {
    /// We did, and delete the old IKE_SA.
    Here,
    /// The peer did, and deletes it.
    There,
}

/// Who deletes an IKE_SA that nobody needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Redundant {
    /// We, who began its exchange.
    WeDelete,
    /// The peer.
    PeerDeletes,
}

impl Sa {
    /// The heir begins to live: it has the children and whatever was still to be done.
    pub(crate) fn hand_over(&mut self, cx: Cx<'_>, heir: Unborn, began: Began) {
        let now = cx.now.mono;
        let mut old = self.snapshot_of(now, &[]);
        match began {
            Began::Here => (old.state, old.tasks_active) = (IkeSaState::Rekeying, vec![TASK]),
            Began::There => old.tasks_passive = vec![TASK],
        }
        let mut heir = self.descendant(cx, heir);
        heir.children = std::mem::take(&mut self.children);
        heir.lingering = std::mem::take(&mut self.lingering);
        heir.assignment = std::mem::take(&mut self.assignment);
        heir.mobility = self.mobility.inherit();
        for task in std::mem::take(&mut self.queue) {
            match task {
                Task::RekeyIke(token) => self.done(token, Ok(CommandSuccess::IkeRekeyed)),
                Task::Liveness(None) => {}
                task => heir.queue.push_back(task),
            }
        }
        heir.resume_mobility(cx);
        heir.schedule(cx, self.schedule.reauth_at);
        tracing::error!(
            target: "IKE",
            "IKE_SA {}[{}] rekeyed between {}[{}]...{}[{}]",
            heir.name(),
            heir.unique_id,
            heir.path.local.ip(),
            heir.local_id,
            heir.path.remote.ip(),
            heir.remote_id,
        );
        heir.arm_children();
        heir.arm_lingering();
        heir.arm_signs_of_life(cx);
        let new = Arc::new(heir.snapshot_of(now, &[]));
        self.retire();
        if began == Began::There {
            self.timers.set(Timer::Lifetime, now + REMAINS);
        }
        self.bear(cx, heir, Standing::Heir);
        self.output(Output::Event(IkeEvent::Rekeyed { old: Arc::new(old), new }));
    }

    /// An IKE_SA without purpose begins to live, because whoever made it has to delete it.
    pub(crate) fn bear_redundant(&mut self, cx: Cx<'_>, unborn: Unborn, redundant: Redundant) {
        let mut sa = self.descendant(cx, unborn);
        sa.retire();
        match redundant {
            Redundant::WeDelete => sa.queue.push_back(Task::DeleteIke(CloseReason::Rekeyed, None)),
            Redundant::PeerDeletes => sa.timers.set(Timer::Lifetime, cx.now.mono + REMAINS),
        }
        self.bear(cx, sa, Standing::Redundant);
    }

    fn bear(&mut self, cx: Cx<'_>, sa: Self, standing: Standing) {
        let mut born = IkeSa { sa, state: State::established(None) };
        born.start_next_task(cx);
        self.output(Output::Successor { sa: Box::new(born), standing });
    }

    /// What every successor has from the start.
    fn descendant(&self, cx: Cx<'_>, unborn: Unborn) -> Self {
        let Unborn { role, unique_id, local_spi, remote_spi, suite, keys } = unborn;
        let mut sa = Self::new(cx.now, role, unique_id, local_spi, self.path);
        sa.remote_spi = Some(remote_spi);
        sa.connection.clone_from(&self.connection);
        sa.local_id.clone_from(&self.local_id);
        sa.remote_id.clone_from(&self.remote_id);
        sa.nat = self.nat;
        sa.inherit_if_ids(self);
        sa.suite = Some(suite);
        sa.keys = Some(keys);
        sa.peer.clone_from(&self.peer);
        sa.clock.established = Some(cx.now.mono);
        sa.origin = self.origin;
        sa
    }

    /// It is of no use any more: nothing begins here, and the end is near.
    fn retire(&mut self) {
        self.succeeded = true;
        let retransmission = self.timers.at(Timer::Retransmit);
        self.timers = TimerTable::default();
        if let Some(at) = retransmission {
            self.timers.set(Timer::Retransmit, at);
        }
    }
}
