//! Reauthentication (RFC 7296 §2.8.3, RFC 4478): the IKE_SA is established anew with everything that it has. The new one is
//! the shell's to begin; here stands when, and what it is to have.

use std::sync::Arc;
use std::time::Duration;

use charon_types::connection::ChildConfig;
use charon_types::id::Role;

use crate::child_sa::Voice;
use crate::failure::{Failure, Refusal};
use crate::ike_sa::IkeSa;
use crate::output::{CloseReason, CommandSuccess, CommandToken, IkeEvent, Order, Output};
use crate::sa::{Cx, Sa};
use crate::state::State;
use crate::task::Task;
use crate::timer::Timer;
use crate::wire::{Message, NotifyType, Payload};

/// Longest wait before another attempt.
const RETRY: Duration = Duration::from_secs(15);

/// Upper bound of the random part taken off [`RETRY`], seconds.
const RETRY_JITTER_SECONDS: u64 = 10;

impl IkeSa {
    /// Begins, unless that was done already.
    pub(crate) fn reauthenticate(&mut self, cx: Cx<'_>, token: Option<CommandToken>) {
        let sa = &mut self.sa;
        if !matches!(self.state, State::Established { .. }) || sa.deleting || sa.succeeded {
            return sa.done(token, Err(Refusal::Closing.into()));
        }
        if sa.reauthenticating {
            return sa.done(token, Ok(CommandSuccess::IkeRekeyed));
        }
        if sa.origin == Role::Responder && !sa.assignment.leases.is_empty() {
            // The peer alone can ask for its addresses again.
            tracing::info!(target: "IKE", "initiator did not reauthenticate as requested");
            tracing::info!(target: "IKE", "IKE_SA {}[{}] will end at its limit", sa.name(), sa.unique_id);
            return sa.done(token, Err(Refusal::Temporary.into()));
        }
        sa.reauthenticating = true;
        match sa.origin {
            Role::Initiator => {
                tracing::error!(target: "IKE", "reauthenticating IKE_SA {}[{}]", sa.name(), sa.unique_id);
            }
            Role::Responder => {
                tracing::info!(target: "IKE", "initiator did not reauthenticate as requested");
                let (name, id) = (sa.name(), sa.unique_id);
                tracing::error!(target: "IKE", "reauthenticating IKE_SA {name}[{id}] actively");
            }
        }
        if cx.env.settings.make_before_break.is_enabled() {
            sa.establish_anew(Order::MakeBeforeBreak);
            sa.done(token, Ok(CommandSuccess::IkeRekeyed));
        } else {
            sa.queue_task(Task::DeleteIke(CloseReason::Reauthentication, token));
        }
    }
}

impl Sa {
    /// The new IKE_SA did not come to be: another attempt follows, as long as this one lives.
    pub(crate) fn reauthenticate_again(&mut self, cx: Cx<'_>) {
        if !self.reauthenticating || self.deleting || self.succeeded || self.closed {
            return;
        }
        self.reauthenticating = false;
        let less = Duration::from_secs(cx.env.crypto.random().u64() % (RETRY_JITTER_SECONDS + 1));
        let seconds = (RETRY - less).as_secs();
        tracing::info!(target: "IKE", "reauthentication failed, trying again in {seconds} seconds");
        self.timers.set(Timer::Reauth, cx.now.mono + (RETRY - less));
    }

    /// Both ends differ about the IKE_SA: it is deleted, and then established anew, so that the peer hears by INITIAL_CONTACT
    /// that whatever it has instead is of no use. A peer that has addresses of ours has to come again by itself.
    pub(crate) fn start_over(&mut self, failure: Failure) {
        let comes_again = self.origin == Role::Responder && !self.assignment.leases.is_empty();
        let reason = if comes_again { CloseReason::Failed(failure) } else { CloseReason::Reauthentication };
        self.reauthenticating = true;
        self.queue.push_front(Task::DeleteIke(reason, None));
    }

    /// Asks the shell for an IKE_SA with the same children.
    pub(crate) fn establish_anew(&mut self, order: Order) {
        let Some(connection) = self.connection.clone() else { return };
        let carrying = self.children.iter().filter(|child| child.voice == Voice::Announced);
        let children: Vec<Arc<ChildConfig>> = carrying.map(|child| Arc::clone(&child.config)).collect();
        let (old, path) = (self.unique_id, self.path);
        self.output(Output::Event(IkeEvent::Reauthenticate { old, connection, children, path, order }));
    }

    /// What a responder tells of its own reauthentication time: AUTH_LIFETIME, in seconds (RFC 4478 §3).
    pub(crate) fn auth_lifetime(&self, cx: Cx<'_>) -> Option<Payload> {
        let left = self.schedule.reauth_at?.saturating_duration_since(cx.now.mono);
        let seconds = u32::try_from(left.as_secs()).unwrap_or(u32::MAX);
        Some(Payload::notify(NotifyType::AUTH_LIFETIME, seconds.to_be_bytes().to_vec()))
    }

    /// The peer tells how long its authentication of us is good: we begin anew early enough, never later than planned.
    pub(crate) fn note_auth_lifetime(&mut self, cx: Cx<'_>, message: &Message) {
        let Some(notify) = message.notify(NotifyType::AUTH_LIFETIME) else { return };
        let (Ok(octets), Some(connection)) = (<[u8; 4]>::try_from(&*notify.data), self.connection.clone())
        else {
            return;
        };
        let lifetime = Duration::from_secs(u32::from_be_bytes(octets).into());
        let delay = lifetime.saturating_sub(connection.ike.lifetime.over_time);
        let (seconds, delay_s) = (lifetime.as_secs(), delay.as_secs());
        let at = cx.now.mono + delay;
        if let Some(planned) = self.schedule.reauth_at.filter(|planned| *planned <= at) {
            let left = planned.saturating_duration_since(cx.now.mono).as_secs();
            tracing::info!(target: "IKE", "received AUTH_LIFETIME of {seconds}s, reauthentication already scheduled in {left}s");
            return;
        }
        tracing::info!(target: "IKE", "received AUTH_LIFETIME of {seconds}s, scheduling reauthentication in {delay_s}s");
        self.schedule.reauth_at = Some(at);
        self.timers.set(Timer::Reauth, at);
        self.limit(cx, &connection);
    }
}
