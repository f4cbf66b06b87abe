//! When an IKE_SA is rekeyed, reauthenticated, and over, by strongSwan's formula.

use std::time::{Duration, Instant};

use charon_types::connection::Connection;
use charon_types::lifetime::IkeLifetime;

use crate::output::CloseReason;
use crate::sa::{Cx, Sa};
use crate::task::Task;
use crate::timer::Timer;

/// The moments, as listings show them: they stay when they have passed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Schedule {
    pub(crate) rekey_at: Option<Instant>,
    pub(crate) reauth_at: Option<Instant>,
}

impl Sa {
    /// Decides about the moments. A replacement keeps that of its reauthentication.
    pub(crate) fn schedule(&mut self, cx: Cx<'_>, reauth_at: Option<Instant>) {
        let Some(connection) = self.connection.clone() else { return };
        let lifetime = &connection.ike.lifetime;
        let now = cx.now.mono;
        let earlier = || earlier(lifetime, cx.env.crypto.random().u64());
        let due = |time: Duration| (!time.is_zero()).then(|| now + time.saturating_sub(earlier()));
        let seconds = |at: Instant| at.saturating_duration_since(now).as_secs();
        let schedule = Schedule {
            rekey_at: due(lifetime.rekey_time),
            reauth_at: reauth_at.or_else(|| due(lifetime.reauth_time)),
        };
        if let Some(at) = schedule.rekey_at {
            self.timers.set(Timer::Rekey, at);
            tracing::info!(target: "IKE", "scheduling rekeying in {}s", seconds(at));
        }
        if let Some(at) = schedule.reauth_at {
            self.timers.set(Timer::Reauth, at);
            tracing::info!(target: "IKE", "scheduling reauthentication in {}s", seconds(at));
        }
        self.schedule = schedule;
        self.limit(cx, &connection);
    }

    /// The end, behind whatever was due first.
    pub(crate) fn limit(&mut self, cx: Cx<'_>, connection: &Connection) {
        let Schedule { rekey_at, reauth_at } = self.schedule;
        if let Some(first) = [rekey_at, reauth_at].into_iter().flatten().min() {
            let end = first + connection.ike.lifetime.over_time;
            self.timers.set(Timer::Lifetime, end);
            let seconds = end.saturating_duration_since(cx.now.mono).as_secs();
            tracing::info!(target: "IKE", "maximum IKE_SA lifetime {seconds}s");
        }
    }

    /// Time to rekey.
    pub(crate) fn rekey_ike_soon(&mut self) {
        if !self.queue.iter().any(|task| matches!(task, Task::RekeyIke(_))) {
            self.queue_task(Task::RekeyIke(None));
        }
    }

    /// The hard limit is reached.
    pub(crate) fn expire(&mut self) {
        tracing::info!(target: "IKE", "lifetime of IKE_SA {}[{}] is over, deleting", self.name(), self.unique_id);
        self.queue.push_front(Task::DeleteIke(CloseReason::Expired, None));
    }
}

/// How much earlier than configured: `random` decides.
fn earlier(lifetime: &IkeLifetime, random: u64) -> Duration {
    let bound = u64::try_from(lifetime.rand_time.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(if bound == 0 { 0 } else { random % bound })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rekeying_comes_earlier_by_less_than_the_random_part() {
        let lifetime = IkeLifetime { rand_time: Duration::from_secs(10), ..IkeLifetime::default() };
        assert_eq!(earlier(&lifetime, 0), Duration::ZERO);
        assert_eq!(earlier(&lifetime, 10_000), Duration::ZERO);
        assert_eq!(earlier(&lifetime, u64::MAX), Duration::from_millis(u64::MAX % 10_000));
        assert_eq!(earlier(&IkeLifetime::default(), 7), Duration::ZERO);
    }
}
