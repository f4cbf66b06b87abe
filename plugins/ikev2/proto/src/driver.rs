//! Which input goes to which state, and what follows from what the state returns.

use charon_types::endpoint::Path;
use charon_types::kernel_op::{Expiry, KernelError, KernelEvent, KernelOp, KernelReply, KernelResult, SaKey};
use charon_types::proposal::Protocol;
use charon_types::snapshot::ChildSaState;

use crate::exchange::create_child::initiator::{self, Active};
use crate::exchange::create_child::offer::ChildWish;
use crate::exchange::create_child::rekey_child;
use crate::exchange::create_child::responder::{self, Passive};
use crate::exchange::informational::{self, Informed};
use crate::exchange::mobike::{self, Answered, Step};
use crate::exchange::rekey_ike;
use crate::failure::{Failure, Misbehaviour, Refusal, notify_for};
use crate::ike_sa::{Command, IkeSa};
use crate::job::JobResult;
use crate::output::{CloseReason, CommandSuccess, JobId, OpId};
use crate::sa::Cx;
use crate::state::State;
use crate::task::Task;
use crate::timer::Timer;
use crate::wire::{ExchangeType, Message};

impl IkeSa {
    /// A state's step is over: the next state, or the end.
    pub(crate) fn settle(&mut self, cx: Cx<'_>, next: Result<State, Failure>) {
        match next {
            Ok(state) => self.state = state,
            Err(failure) => self.fail(cx, &failure),
        }
    }

    /// See [`IkeSa::handle_completion`].
    pub(crate) fn on_completion(&mut self, cx: Cx<'_>, id: JobId, result: JobResult) {
        if let State::Established { active, passive } = &mut self.state {
            if active.as_ref().and_then(Active::awaits_job) == Some(id) {
                *active = active.take().and_then(|active| active.handle_job(&mut self.sa, cx, result));
            } else if passive.as_ref().and_then(Passive::awaits_job) == Some(id)
                && let Some(taken) = passive.take()
            {
                let next = taken.handle_job(&mut self.sa, cx, result);
                self.settle_passive(cx, next);
            }
            return;
        }
        if self.state.awaits_job() != Some(id) {
            return;
        }
        let sa = &mut self.sa;
        let next = match (std::mem::replace(&mut self.state, State::Finished), result) {
            (State::InitAwaitKeyPair(state), JobResult::KeGenerate(key)) => state.handle(sa, cx, key),
            (State::InitAwaitSecret(state), JobResult::KeFinish(secret)) => state.handle(sa, cx, secret),
            (State::InitAwaitResponse(state), JobResult::KeRespond(response)) => {
                state.handle(sa, cx, response)
            }
            (State::AuthAwaitSignature(state), JobResult::Sign(signature)) => state.handle(sa, cx, signature),
            (State::AuthAwaitOwnSignature(state), JobResult::Sign(signature)) => {
                state.handle(sa, cx, signature)
            }
            (State::AuthAwaitTrust(state), JobResult::Verify(verdict)) => state.handle(sa, cx, verdict),
            (State::AuthAwaitPeerTrust(state), JobResult::Verify(verdict)) => state.handle(sa, cx, verdict),
            (state, _) => Ok(state),
        };
        self.settle(cx, next);
    }

    /// See [`IkeSa::handle_kernel`].
    pub(crate) fn on_kernel(&mut self, cx: Cx<'_>, op: OpId, results: &[KernelResult]) {
        let reserved = self.sa.kernel_answered(op);
        if self.sa.liveness_query == Some(op) {
            self.sa.liveness_query = None;
            self.sa.note_replies(cx.now.mono, results);
            self.sa.check_liveness(cx);
            return;
        }
        if let State::Established { active, passive } = &mut self.state {
            if active.as_ref().and_then(Active::awaits_op) == Some(op) {
                *active = active.take().and_then(|active| active.handle_kernel(&mut self.sa, cx, results));
                self.take_deferred(cx);
                return;
            }
            if passive.as_ref().and_then(Passive::awaits_op) == Some(op) {
                if let Some(taken) = passive.take() {
                    let next = taken.handle_kernel(&mut self.sa, cx, results);
                    self.settle_passive(cx, next);
                }
                return;
            }
        }
        if self.state.awaits_op() == Some(op) {
            let sa = &mut self.sa;
            let next = match std::mem::replace(&mut self.state, State::Finished) {
                State::AuthAwaitSpi(state) => state.handle(sa, cx, results),
                State::AuthAwaitChildSpi(state) => state.handle(sa, cx, results),
                State::AuthAwaitInstall(state) => state.handle(sa, cx, results),
                state => Ok(state),
            };
            self.settle(cx, next);
            return;
        }
        if let Some(child) = self.sa.take_activation(op) {
            rekey_child::activated(&mut self.sa, child, results);
            return self.take_deferred(cx);
        }
        if let Some(child) = self.sa.take_move(op) {
            self.sa.moved(child, results);
            return self.take_deferred(cx);
        }
        self.give_back(op, &reserved, results);
    }

    /// See [`IkeSa::handle_addresses`].
    pub(crate) fn on_addresses(&mut self, cx: Cx<'_>, op: OpId, results: &[Result<(), KernelError>]) {
        if self.state.awaits_op() != Some(op) {
            return;
        }
        let next = match std::mem::replace(&mut self.state, State::Finished) {
            State::AuthAwaitAddress(state) => state.handle(&mut self.sa, cx, results),
            state => Ok(state),
        };
        self.settle(cx, next);
    }

    /// Nobody waits for this any more: an SPI that arrives too late goes back.
    fn give_back(&mut self, op: OpId, reserved: &[Protocol], results: &[KernelResult]) {
        if self.sa.take_repeated(op) {
            return;
        }
        let destination = self.sa.reserved_at();
        for (protocol, result) in reserved.iter().zip(results) {
            if let Ok(KernelReply::Spi(spi)) = result {
                let key = SaKey { destination, protocol: *protocol, spi: *spi };
                self.sa.kernel(vec![KernelOp::DeleteSa(key)]);
            }
        }
    }

    fn settle_passive(&mut self, cx: Cx<'_>, next: Result<Option<Passive>, Failure>) {
        match next {
            Ok(next) => {
                if let State::Established { passive, .. } = &mut self.state {
                    *passive = next;
                }
            }
            Err(failure) => self.refuse(cx, &failure),
        }
    }

    /// Answers the peer's request with an error; the IKE_SA stays.
    pub(crate) fn refuse(&mut self, cx: Cx<'_>, failure: &Failure) {
        tracing::info!(target: "IKE", "{failure}");
        if self.sa.processing.is_some()
            && let Err(error) = self.sa.send_error(cx, notify_for(failure))
        {
            self.fail(cx, &error);
        }
    }

    /// See [`IkeSa::handle_command`].
    pub(crate) fn on_command(&mut self, cx: Cx<'_>, command: Command) {
        if self.sa.is_closed() {
            let (Command::InitiateChild { token, .. }
            | Command::AcquireChild { token, .. }
            | Command::RekeyIke { token }
            | Command::Reauthenticate { token }
            | Command::RekeyChild { token, .. }
            | Command::TerminateChild { token, .. }
            | Command::CheckLiveness { token }
            | Command::Mute { token }
            | Command::TerminateIke { token, .. }) = command;
            self.sa.done(token, Err(Refusal::Closing.into()));
            return;
        }
        match command {
            Command::InitiateChild { child, token } => {
                self.sa.queue_task(Task::CreateChild(child.into(), token));
            }
            Command::AcquireChild { child, packet, token } => {
                let wish = ChildWish { config: child, packet: Some(packet) };
                self.sa.queue_task(Task::CreateChild(wish, token));
            }
            Command::Reauthenticate { token } => self.reauthenticate(cx, token),
            Command::RekeyIke { token } => self.sa.queue_task(Task::RekeyIke(token)),
            Command::RekeyChild { child, token } => self.sa.queue_task(Task::RekeyChild(child, token)),
            Command::TerminateChild { child, token } => {
                if self.sa.child_mut(child).is_some() {
                    self.sa.queue_task(Task::DeleteChild(child, CloseReason::Command, token));
                } else {
                    self.sa.done(token, Err(Refusal::ChildNotFound.into()));
                }
            }
            Command::CheckLiveness { token } => self.sa.queue_task(Task::Liveness(token)),
            Command::Mute { token } => self.sa.queue_task(Task::Mute(token)),
            Command::TerminateIke { force, token } => self.terminate(cx, force, token),
        }
    }

    /// See [`IkeSa::handle_kernel_event`].
    pub(crate) fn on_kernel_event(&mut self, cx: Cx<'_>, event: &KernelEvent) {
        match event {
            KernelEvent::Expire { sa, expiry: Expiry::Hard } => {
                let child = self.sa.child_by_spi_in(sa.spi).or_else(|| self.sa.child_by_spi_out(sa.spi));
                let Some(child) = child.filter(|child| child.state == ChildSaState::Installed) else {
                    return;
                };
                let task = Task::DeleteChild(child.unique_id, CloseReason::Expired, None);
                self.sa.queue_task(task);
            }
            KernelEvent::Mapping { sa, remote } if self.sa.child_by_spi_in(sa.spi).is_some() => {
                let path = Path { remote: *remote, ..self.sa.path };
                self.sa.move_to(cx, path);
            }
            KernelEvent::Expire { sa, expiry: Expiry::Soft } => {
                let child = self.sa.child_by_spi_in(sa.spi).or_else(|| self.sa.child_by_spi_out(sa.spi));
                if let Some(unique_id) = child.map(|child| child.unique_id) {
                    self.sa.rekey_soon(unique_id);
                }
            }
            KernelEvent::Mapping { .. } | KernelEvent::Acquire { .. } => {}
        }
    }

    /// A timer fired.
    pub(crate) fn on_timer(&mut self, cx: Cx<'_>, timer: Timer) {
        match timer {
            Timer::Retransmit => self.on_silence(cx),
            Timer::HalfOpen => {
                tracing::info!(target: "JOB", "deleting half open IKE_SA with {} after timeout", self.sa.path.remote.ip());
                self.close(cx, &CloseReason::HalfOpen);
            }
            Timer::Dpd => self.sa.query_before_liveness(cx),
            Timer::Keepalive => self.sa.keepalive(cx),
            Timer::Children => self.sa.check_children(cx),
            Timer::Linger => self.sa.end_lingering(cx, cx.now.mono),
            Timer::Rekey => self.sa.rekey_ike_soon(),
            Timer::Reauth => self.reauthenticate(cx, None),
            Timer::Lifetime if self.sa.succeeded => self.close(cx, &CloseReason::Rekeyed),
            // The peer cannot be told.
            Timer::Lifetime if self.sa.mobility.stranded => self.close(cx, &CloseReason::Expired),
            Timer::Lifetime => self.sa.expire(),
        }
    }

    /// Our request was not answered in time.
    fn on_silence(&mut self, cx: Cx<'_>) {
        if let State::InitExpectInit(state) = &self.state
            && let Some(error) = state.refused()
        {
            self.sa.answered();
            return self.settle(cx, Err(Failure::Rejected(error.0)));
        }
        match self.sa.retransmit(cx) {
            Ok(()) => {}
            Err(failure) => match std::mem::replace(&mut self.state, State::Finished) {
                State::InitExpectInit(state) => {
                    let next = state.handle_silence(&mut self.sa, cx);
                    self.settle(cx, next);
                }
                State::Established { active: Some(Active::DeleteIke(reason, token)), passive } => {
                    self.state = State::Established { active: None, passive };
                    self.close(cx, &reason);
                    self.sa.done(token, Ok(CommandSuccess::Terminated));
                }
                state @ State::Established { .. } => {
                    self.state = state;
                    self.close(cx, &CloseReason::PeerDead);
                }
                state => {
                    self.state = state;
                    self.close(cx, &CloseReason::Failed(failure));
                }
            },
        }
    }

    /// Begins what waits, if nothing of ours is under way.
    pub(crate) fn start_next_task(&mut self, cx: Cx<'_>) {
        while let State::Established { active: None, .. } = &self.state {
            if self.sa.outstanding.is_some() {
                return;
            }
            let Some(task) = self.next_task() else { return };
            let started = self.start(cx, task);
            if let State::Established { active, .. } = &mut self.state {
                *active = started;
            }
        }
    }

    /// The first task that may begin now.
    fn next_task(&mut self) -> Option<Task> {
        let State::Established { passive, .. } = &self.state else { return None };
        let sa = &mut self.sa;
        if passive.as_ref().is_some_and(Passive::replaces_ike) || sa.crossing.is_some() {
            return None;
        }
        let quiet = passive.is_none() && !sa.awaits_activation() && rekey_ike::children_are_quiet(sa);
        let may_begin = |task: &Task| match task {
            Task::DeleteIke(..) => true,
            // The peer is replacing it: that goes, too, once it is there.
            Task::DeleteChild(child, ..) if passive.as_ref().and_then(Passive::replaces) == Some(*child) => {
                false
            }
            Task::RekeyIke(_) => {
                quiet && !rekey_ike::peer_owes_a_delete(sa) && !sa.succeeded && !sa.reauthenticating
            }
            _ => !sa.succeeded,
        };
        let at = sa.queue.iter().position(may_begin)?;
        sa.queue.remove(at)
    }

    fn start(&mut self, cx: Cx<'_>, task: Task) -> Option<Active> {
        let sa = &mut self.sa;
        let token = task.token();
        let started = match task {
            Task::CreateChild(wish, token) => initiator::begin(sa, cx, wish, token),
            Task::RekeyIke(token) => rekey_ike::initiator::begin(sa, cx, token),
            Task::RekeyChild(child, token) => initiator::begin_rekey(sa, cx, child, token),
            Task::DeleteChild(child, _, token) if sa.child_mut(child).is_none() => {
                // The peer was faster.
                sa.done(token, Ok(CommandSuccess::Terminated));
                return None;
            }
            Task::DeleteChild(child, reason, token) => {
                let token = rekey_child::delete_replacement(sa, child, &reason, token);
                informational::delete_our_child(sa, cx, child)
                    .map(|()| Active::DeleteChild(child, reason, token))
            }
            Task::DisownChild(protocol, spi) => {
                informational::disown_child(sa, cx, protocol, spi).map(|()| Active::DisownChild)
            }
            Task::DeleteIke(reason, token) => {
                informational::delete_ike(sa, cx).map(|()| Active::DeleteIke(reason, token))
            }
            Task::Mobike(step) => mobike::begin(sa, cx, step).map(Active::Mobike),
            // Behind a NAT the answer tells whether it still maps us as before.
            Task::Liveness(None) if sa.chooses_path() && sa.nat.local => {
                mobike::begin(sa, cx, Step::CheckMapping).map(Active::Mobike)
            }
            Task::Liveness(token) => {
                tracing::info!(target: "IKE", "sending DPD request");
                sa.send_request(cx, ExchangeType::INFORMATIONAL, Vec::new()).map(|()| Active::Liveness(token))
            }
            Task::Mute(token) => match sa.mute() {
                Some(op) => Ok(Active::Mute(op, token)),
                None => {
                    sa.done(token, Ok(CommandSuccess::IkeEstablished));
                    return None;
                }
            },
        };
        started
            .inspect_err(|failure| {
                tracing::info!(target: "IKE", "{failure}");
                sa.done(token, Err(failure.clone()));
            })
            .ok()
    }

    /// An authenticated request with the next message id.
    pub(crate) fn on_request(&mut self, cx: Cx<'_>, request: Message) {
        let exchange = request.header.exchange;
        match std::mem::replace(&mut self.state, State::Finished) {
            State::AuthExpectRequest(state) if exchange == ExchangeType::IKE_AUTH => {
                let next = state.handle(&mut self.sa, cx, request);
                self.settle(cx, next);
            }
            State::Established { active, passive } => {
                self.state = State::Established { active, passive };
                self.on_established_request(cx, request);
            }
            state => {
                self.state = state;
                tracing::info!(target: "IKE", "unexpected {exchange} request ignored");
                self.sa.processing = None;
            }
        }
    }

    fn on_established_request(&mut self, cx: Cx<'_>, request: Message) {
        let State::Established { active, .. } = &self.state else { return };
        match request.header.exchange {
            ExchangeType::INFORMATIONAL if matches!(active, Some(Active::Install(_))) => {
                // It may be about the child that the kernel is busy with: the answer waits for the kernel.
                self.sa.deferred = Some(Box::new(request));
            }
            ExchangeType::INFORMATIONAL => self.on_informational(cx, &request),
            ExchangeType::CREATE_CHILD_SA => {
                if request.replaces_ike() {
                    return self.on_ike_rekeying(cx, request);
                }
                let creating = active.as_ref().is_some_and(Active::creates_child);
                let deleting = matches!(active, Some(Active::DeleteIke(..))).then_some(Refusal::Temporary);
                let begun = match deleting.or_else(|| rekey_ike::hindrance(&self.sa, &self.state)) {
                    Some(refusal) => Err(refusal.into()),
                    None => responder::begin(&mut self.sa, cx, &request),
                };
                // What it wants to rekey may be the child that we are about to learn of.
                let begun = begun.map_err(|failure| match failure {
                    Failure::Refused(Refusal::NothingToRekey(..)) if creating => Refusal::Temporary.into(),
                    failure => failure,
                });
                self.settle_passive(cx, begun.map(Some));
            }
            exchange => {
                tracing::info!(target: "IKE", "unexpected {exchange} request");
                self.refuse(cx, &Misbehaviour::InvalidSyntax.into());
            }
        }
    }

    /// The peer replaces the IKE_SA. Not before the kernel has done what it was asked about children: they change hands.
    fn on_ike_rekeying(&mut self, cx: Cx<'_>, request: Message) {
        if self.sa.awaits_activation() {
            self.sa.deferred = Some(Box::new(request));
            return;
        }
        let State::Established { active, .. } = &mut self.state else { return };
        let begun = rekey_ike::responder::begin(&mut self.sa, cx, active, &request);
        self.settle_passive(cx, begun.map(Some));
    }

    fn take_deferred(&mut self, cx: Cx<'_>) {
        if let Some(request) = self.sa.deferred.take() {
            self.on_established_request(cx, *request);
        }
    }

    fn on_informational(&mut self, cx: Cx<'_>, request: &Message) {
        match informational::handle_request(&mut self.sa, cx, request) {
            Informed::Answer(payloads) => {
                if let Err(failure) = self.sa.send_response(cx, payloads) {
                    self.fail(cx, &failure);
                }
            }
            Informed::Close(reason) => {
                let answered = self.sa.send_response(cx, Vec::new());
                if let Err(failure) = answered {
                    tracing::info!(target: "IKE", "no answer sent: {failure}");
                }
                rekey_ike::conclude(&mut self.sa, cx);
                self.finish_deletion(cx, &reason);
            }
        }
    }

    /// An authenticated response to our outstanding request.
    pub(crate) fn on_response(&mut self, cx: Cx<'_>, response: Message) {
        match std::mem::replace(&mut self.state, State::Finished) {
            State::AuthExpectAnswer(state) => {
                let next = state.handle(&mut self.sa, cx, response);
                self.settle(cx, next);
            }
            State::Established { active: Some(active), passive } => {
                self.state = State::Established { active: None, passive };
                self.on_active_response(cx, active, response);
            }
            state => self.state = state,
        }
    }

    fn on_active_response(&mut self, cx: Cx<'_>, exchange: Active, response: Message) {
        let next = match exchange {
            Active::ExpectAnswer(state) => state.handle(&mut self.sa, cx, response),
            Active::RekeyIke(state) => state.handle_answer(&mut self.sa, cx, &response),
            Active::DeleteChild(child, reason, token) => {
                for spi in response.deletes().flat_map(|delete| &delete.spis) {
                    tracing::info!(target: "IKE", "received DELETE for ESP CHILD_SA with SPI {spi}");
                }
                // The peer may have replaced it, and will find nothing to delete.
                rekey_child::conclude(&mut self.sa, cx, child);
                if self.sa.remove_child(cx, child, &reason).is_some() {
                    tracing::info!(target: "IKE", "CHILD_SA closed");
                }
                self.sa.done(token, Ok(CommandSuccess::Terminated));
                None
            }
            Active::DeleteIke(reason, token) => {
                tracing::error!(target: "IKE", "IKE_SA deleted");
                self.close(cx, &reason);
                self.sa.done(token, Ok(CommandSuccess::Terminated));
                return;
            }
            Active::Liveness(token) => {
                self.sa.done(token, Ok(CommandSuccess::IkeEstablished));
                None
            }
            Active::DisownChild => None,
            Active::Mobike(state) => match state.handle(&mut self.sa, cx, &response) {
                Answered::Done => None,
                Answered::Close(reason) => return self.close(cx, &reason),
            },
            waiting @ (Active::AwaitSpi(_)
            | Active::AwaitKeyPair(_)
            | Active::AwaitSecret(_)
            | Active::Mute(..)
            | Active::Install(_)) => Some(waiting),
        };
        if let State::Established { active, .. } = &mut self.state {
            *active = next;
        }
    }
}
