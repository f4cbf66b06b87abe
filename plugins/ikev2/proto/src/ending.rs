//! How an IKE_SA ends: by failure, by command, by DELETE; what is told to whom.

use std::sync::Arc;

use charon_types::id::Role;
use charon_types::snapshot::IkeSaState;

use crate::exchange::create_child::initiator::Active;
use crate::exchange::informational;
use crate::exchange::rekey_ike;
use crate::failure::{Failure, Refusal, notify_for};
use crate::ike_sa::{Force, IkeSa};
use crate::output::{CloseReason, CommandSuccess, CommandToken, IkeEvent, Order, Output};
use crate::sa::Cx;
use crate::state::State;
use crate::task::Task;
use crate::wire::{ExchangeType, NotifyType, Payload};

impl IkeSa {
    /// Tells the peer, if it waits for an answer or must know, and closes.
    pub(crate) fn fail(&mut self, cx: Cx<'_>, failure: &Failure) {
        tracing::info!(target: "IKE", "{failure}");
        if self.sa.processing.is_some() {
            // The answer may itself fail to be sealed; the IKE_SA ends either way.
            if let Err(error) = self.sa.send_error(cx, notify_for(failure)) {
                tracing::info!(target: "IKE", "no answer sent: {error}");
            }
        } else if self.sa.role == Role::Initiator && self.sa.keys.is_some() && self.sa.outstanding.is_none() {
            let told = match failure {
                failure if distrusts(failure) => {
                    let notify = vec![Payload::status(NotifyType::AUTHENTICATION_FAILED)];
                    self.sa.send_request(cx, ExchangeType::INFORMATIONAL, notify)
                }
                Failure::PeerMisbehaved(_) => informational::delete_ike(&mut self.sa, cx),
                _ => Ok(()),
            };
            if let Err(error) = told {
                tracing::info!(target: "IKE", "peer not told: {error}");
            }
        }
        self.close(cx, &CloseReason::Failed(failure.clone()));
    }

    /// The end: children and reservations leave the kernel, waiting commands hear of it, nothing is awaited any more.
    pub(crate) fn close(&mut self, cx: Cx<'_>, reason: &CloseReason) {
        let reason = if self.sa.succeeded { &CloseReason::Rekeyed } else { reason };
        let was = match self.sa.clock.established {
            None => IkeSaState::Connecting,
            Some(_) if self.sa.deleting => IkeSaState::Deleting,
            Some(_) => IkeSaState::Established,
        };
        let state = std::mem::replace(&mut self.state, State::Finished);
        if matches!(state, State::Finished) && self.sa.is_closed() {
            return;
        }
        let mut waiting: Vec<_> = state.abandon(&mut self.sa, cx).into_iter().collect();
        waiting.extend(self.sa.handshake_token.take());
        let failure = match reason {
            CloseReason::Failed(failure) => failure.clone(),
            CloseReason::PeerDead => Failure::Unreachable,
            CloseReason::Command
            | CloseReason::Peer
            | CloseReason::Rekeyed
            | CloseReason::Reauthentication
            | CloseReason::Expired
            | CloseReason::Inactive
            | CloseReason::HalfOpen => Refusal::Closing.into(),
        };
        let queue = std::mem::take(&mut self.sa.queue);
        for task in queue {
            match task {
                Task::DeleteChild(_, _, token) | Task::DeleteIke(_, token) => {
                    self.sa.done(token, Ok(CommandSuccess::Terminated));
                }
                Task::CreateChild(..)
                | Task::RekeyIke(_)
                | Task::RekeyChild(..)
                | Task::DisownChild(..)
                | Task::Mobike(_)
                | Task::Liveness(_)
                | Task::Mute(_) => waiting.extend(task.token()),
            }
        }
        for token in waiting {
            self.sa.done(Some(token), Err(failure.clone()));
        }
        if *reason == CloseReason::Reauthentication {
            self.sa.establish_anew(Order::BreakBeforeMake);
        }
        let children: Vec<_> = self.sa.children.iter().map(|child| child.unique_id).collect();
        for unique_id in children {
            self.sa.remove_child(cx, unique_id, reason);
        }
        self.sa.end_all_lingering(cx);
        self.sa.release_spis();
        self.sa.close();
        let mut snapshot = self.sa.snapshot(cx.now.mono);
        self.sa.release_assignment(cx);
        snapshot.state = was;
        let connection = self.sa.connection.clone();
        let (sa, reason) = (Arc::new(snapshot), reason.clone());
        self.sa.output(Output::Event(IkeEvent::Closed { sa, reason, connection }));
    }

    pub(crate) fn terminate(&mut self, cx: Cx<'_>, force: Force, token: Option<CommandToken>) {
        let established = matches!(self.state, State::Established { .. });
        if established && force == Force::Polite {
            self.sa.queue.push_front(Task::DeleteIke(CloseReason::Command, token));
            return;
        }
        if established {
            self.close_telling(cx, &CloseReason::Command);
        } else {
            tracing::info!(target: "IKE", "destroying IKE_SA in state CONNECTING without notification");
            self.close(cx, &CloseReason::Command);
        }
        self.sa.done(token, Ok(CommandSuccess::Terminated));
    }

    /// Sends DELETE, and closes without waiting for the answer.
    fn close_telling(&mut self, cx: Cx<'_>, reason: &CloseReason) {
        self.sa.answered();
        rekey_ike::renounce(&mut self.sa, cx);
        if let Err(failure) = informational::delete_ike(&mut self.sa, cx) {
            tracing::info!(target: "IKE", "DELETE not sent: {failure}");
        }
        self.close(cx, reason);
    }

    /// The peer's answer makes no sense, or demands what we do not know: both ends can only part.
    pub(crate) fn reject_answer(&mut self, cx: Cx<'_>, failure: &Failure) {
        tracing::info!(target: "IKE", "{failure}");
        self.close_telling(cx, &CloseReason::Failed(failure.clone()));
    }

    /// The IKE_SA ends by DELETE; if we were deleting it as well, our command succeeded.
    pub(crate) fn finish_deletion(&mut self, cx: Cx<'_>, reason: &CloseReason) {
        self.sa.deleting = true;
        tracing::error!(target: "IKE", "IKE_SA deleted");
        if let State::Established { active, .. } = &mut self.state
            && let Some(Active::DeleteIke(ours, token)) =
                active.take_if(|active| matches!(active, Active::DeleteIke(..)))
        {
            self.close(cx, &ours);
            self.sa.done(token, Ok(CommandSuccess::Terminated));
            return;
        }
        self.close(cx, reason);
    }
}

/// Failures after which the peer, who believes the IKE_SA established, must be told (RFC 7296 §2.21.2).
fn distrusts(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::Refused(
            Refusal::AuthenticationFailed
                | Refusal::Untrusted(_)
                | Refusal::IdentityMismatch
                | Refusal::AuthMethod
        )
    )
}
