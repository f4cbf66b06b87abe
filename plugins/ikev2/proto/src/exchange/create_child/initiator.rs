//! The exchanges that we begin under an established IKE_SA. A new child runs through
//! `AwaitSpi [-> AwaitKeyPair] -> ExpectAnswer [-> AwaitSecret] -> Install`; INVALID_KE_PAYLOAD leads back.

use std::sync::Arc;

use charon_crypto::CryptoError;
use charon_crypto::kex::KeyInitiator;
use charon_types::Secret;
use charon_types::algorithm::KeMethod;
use charon_types::id::{Role, UniqueId};
use charon_types::kernel_op::KernelResult;
use charon_types::snapshot::ChildSaState;

use super::install::{Installing, KeySource};
use super::offer::{ChildOffer, ChildWish, OwnKe};
use super::rekey_child;
use super::spis::OwnSpis;
use crate::exchange::ike_sa_init::initiator::NONCE_LEN;
use crate::exchange::mobike::Mobike;
use crate::exchange::rekey_ike::initiator::RekeyIke;
use crate::failure::{Failure, LocalFault, Misbehaviour, Refusal};
use crate::job::{Job, JobResult};
use crate::output::{CloseReason, CommandSuccess, CommandToken, JobId, OpId};
use crate::proposal::ke_methods;
use crate::sa::{Cx, Sa};
use crate::task::Task;
use crate::wire::{ExchangeType, Ke, Message, NotifyType, Payload, PayloadType};

/// An exchange of ours under way.
pub(crate) enum Active {
    /// A new child, our SPI being reserved.
    AwaitSpi(Box<AwaitSpi>),
    /// A new child, our key pair being made.
    AwaitKeyPair(Box<AwaitKeyPair>),
    /// A new child, offered.
    ExpectAnswer(Box<ExpectAnswer>),
    /// A new child, the shared secret being computed.
    AwaitSecret(Box<AwaitSecret>),
    /// A new child, on its way into the kernel.
    Install(Box<Installing>),
    /// The IKE_SA being replaced.
    RekeyIke(Box<RekeyIke>),
    /// A child being deleted.
    DeleteChild(UniqueId, CloseReason, Option<CommandToken>),
    /// A child being disowned.
    DisownChild,
    /// The IKE_SA being deleted.
    DeleteIke(CloseReason, Option<CommandToken>),
    /// A liveness check.
    Liveness(Option<CommandToken>),
    /// No child is sent on any more, the kernel being told.
    Mute(OpId, Option<CommandToken>),
    /// Addresses told, or a path checked.
    Mobike(Mobike),
}

/// See [`Active::AwaitSpi`].
pub(crate) struct AwaitSpi {
    op: OpId,
    offer: ChildOffer,
}

/// A child with our SPI.
struct Plan {
    offer: ChildOffer,
    spis: OwnSpis,
    methods_tried: Vec<KeMethod>,
}

/// See [`Active::AwaitKeyPair`].
pub(crate) struct AwaitKeyPair {
    job: JobId,
    plan: Plan,
}

/// See [`Active::ExpectAnswer`].
pub(crate) struct ExpectAnswer {
    plan: Plan,
    nonce: Vec<u8>,
    key: Option<Box<dyn KeyInitiator>>,
}

/// See [`Active::AwaitSecret`].
pub(crate) struct AwaitSecret {
    job: JobId,
    plan: Plan,
    nonce_i: Vec<u8>,
    answer: Box<Message>,
}

/// Begins a new child.
pub(crate) fn begin(
    sa: &mut Sa,
    cx: Cx<'_>,
    wish: ChildWish,
    token: Option<CommandToken>,
) -> Result<Active, Failure> {
    let offer = ChildOffer::new(sa, cx, wish, token, OwnKe::AsConfigured)?;
    let op = sa.kernel(offer.reserve(sa, cx));
    Ok(Active::AwaitSpi(Box::new(AwaitSpi { op, offer })))
}

/// Begins to replace a child.
pub(crate) fn begin_rekey(
    sa: &mut Sa,
    cx: Cx<'_>,
    old: UniqueId,
    token: Option<CommandToken>,
) -> Result<Active, Failure> {
    let child = sa.children.iter().find(|child| child.unique_id == old).ok_or(Refusal::ChildNotFound)?;
    if !child.may_be_rekeyed() {
        return Err(Refusal::Temporary.into());
    }
    let offer = ChildOffer::in_place_of(sa, cx, child, token)?;
    let op = sa.kernel(offer.reserve(sa, cx));
    if let Some(child) = sa.child_mut(old) {
        child.state = ChildSaState::Rekeying;
        child.rekey_due = None;
    }
    sa.arm_children();
    Ok(Active::AwaitSpi(Box::new(AwaitSpi { op, offer })))
}

impl Active {
    /// Whether the peer may have a child of which we do not know yet.
    pub(crate) const fn creates_child(&self) -> bool {
        matches!(self, Self::ExpectAnswer(_) | Self::AwaitSecret(_) | Self::Install(_))
    }

    /// Whether it replaces the IKE_SA.
    pub(crate) const fn replaces_ike(&self) -> bool {
        matches!(self, Self::RekeyIke(_))
    }

    /// Whether the peer knows of it, for one that replaces the IKE_SA.
    pub(crate) const fn is_out(&self) -> bool {
        matches!(self, Self::RekeyIke(rekey) if rekey.is_out())
    }

    /// Whether the peer may replace the IKE_SA meanwhile.
    pub(crate) const fn lets_ike_be_replaced(&self) -> bool {
        match self {
            Self::RekeyIke(_) | Self::Mobike(_) => true,
            // Whoever asked looks for the answer here.
            Self::Liveness(token) => token.is_none(),
            Self::AwaitSpi(_)
            | Self::AwaitKeyPair(_)
            | Self::ExpectAnswer(_)
            | Self::AwaitSecret(_)
            | Self::Install(_)
            | Self::DeleteChild(..)
            | Self::DisownChild
            | Self::Mute(..)
            | Self::DeleteIke(..) => false,
        }
    }

    /// The job it waits for.
    pub(crate) fn awaits_job(&self) -> Option<JobId> {
        match self {
            Self::AwaitKeyPair(state) => Some(state.job),
            Self::AwaitSecret(state) => Some(state.job),
            Self::RekeyIke(state) => state.awaits_job(),
            Self::AwaitSpi(_)
            | Self::ExpectAnswer(_)
            | Self::Install(_)
            | Self::DeleteChild(..)
            | Self::DisownChild
            | Self::DeleteIke(..)
            | Self::Liveness(_)
            | Self::Mute(..)
            | Self::Mobike(_) => None,
        }
    }

    /// The kernel batch it waits for.
    pub(crate) fn awaits_op(&self) -> Option<OpId> {
        match self {
            Self::AwaitSpi(state) => Some(state.op),
            Self::Install(state) => Some(state.op),
            Self::Mute(op, _) => Some(*op),
            Self::AwaitKeyPair(_)
            | Self::ExpectAnswer(_)
            | Self::AwaitSecret(_)
            | Self::RekeyIke(_)
            | Self::DeleteChild(..)
            | Self::DisownChild
            | Self::DeleteIke(..)
            | Self::Liveness(_)
            | Self::Mobike(_) => None,
        }
    }

    /// strongSwan's name.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::AwaitSpi(_)
            | Self::AwaitKeyPair(_)
            | Self::ExpectAnswer(_)
            | Self::AwaitSecret(_)
            | Self::Install(_) => "CHILD_CREATE",
            Self::RekeyIke(_) => "IKE_REKEY",
            Self::DeleteChild(..) | Self::DisownChild => "CHILD_DELETE",
            Self::DeleteIke(..) | Self::Mute(..) => "IKE_DELETE",
            Self::Liveness(_) => "IKE_DPD",
            Self::Mobike(_) => "IKE_MOBIKE",
        }
    }

    /// A job is done. `None`: the exchange is over.
    pub(crate) fn handle_job(self, sa: &mut Sa, cx: Cx<'_>, result: JobResult) -> Option<Self> {
        match (self, result) {
            (Self::AwaitKeyPair(state), JobResult::KeGenerate(key)) => match key {
                Ok(key) => state.plan.send(sa, cx, Some(key)),
                Err(error) => state.plan.fail(sa, cx, LocalFault::Crypto(error).into()),
            },
            (Self::AwaitSecret(state), JobResult::KeFinish(secret)) => state.handle(sa, cx, secret),
            (Self::RekeyIke(state), JobResult::KeGenerate(key)) => state.handle_key_pair(sa, cx, key),
            (Self::RekeyIke(state), JobResult::KeFinish(secret)) => state.handle_secret(sa, cx, secret),
            (active, _) => Some(active),
        }
    }

    /// The kernel answered. `None`: the exchange is over.
    pub(crate) fn handle_kernel(self, sa: &mut Sa, cx: Cx<'_>, results: &[KernelResult]) -> Option<Self> {
        match self {
            Self::AwaitSpi(state) => match OwnSpis::reserved(sa, &state.offer.protocols(), results) {
                Ok(spis) => Plan { offer: state.offer, spis, methods_tried: Vec::new() }.begin(sa, cx),
                Err(failure) => {
                    tracing::info!(target: "IKE", "unable to allocate SPI from kernel: {failure}");
                    state.offer.replaces().inspect(|old| rekey_child::failed(sa, cx, *old));
                    sa.done(state.offer.token, Err(failure));
                    None
                }
            },
            Self::Install(installing) => {
                let (protocol, spi, token) = (installing.protocol(), installing.spi_in(), installing.token());
                let replaces = installing.replaces();
                if let Err(failure) = installing.finish(sa, cx, results) {
                    replaces.inspect(|old| rekey_child::failed(sa, cx, *old));
                    sa.queue.push_front(Task::DisownChild(protocol, spi));
                    sa.done(token, Err(failure));
                }
                None
            }
            Self::Mute(_, token) => {
                sa.done(token, Ok(CommandSuccess::IkeEstablished));
                None
            }
            active => Some(active),
        }
    }

    /// The IKE_SA ends: takes out of the kernel what was on its way in. Returns who waits for the outcome.
    pub(crate) fn abandon(self, sa: &mut Sa, cx: Cx<'_>) -> Option<CommandToken> {
        match self {
            Self::AwaitSpi(state) => state.offer.token,
            Self::AwaitKeyPair(state) => state.plan.offer.token,
            Self::ExpectAnswer(state) => state.plan.offer.token,
            Self::AwaitSecret(state) => state.plan.offer.token,
            Self::RekeyIke(state) => state.token(),
            Self::Install(installing) => {
                installing.abandon(sa, cx);
                installing.token()
            }
            Self::DeleteChild(_, _, token)
            | Self::DeleteIke(_, token)
            | Self::Liveness(token)
            | Self::Mute(_, token) => token,
            Self::DisownChild | Self::Mobike(_) => None,
        }
    }
}

impl Plan {
    fn begin(self, sa: &mut Sa, cx: Cx<'_>) -> Option<Active> {
        match self.offer.first_ke() {
            Some(method) => self.begin_with(sa, cx, method),
            None => self.send(sa, cx, None),
        }
    }

    fn begin_with(mut self, sa: &mut Sa, cx: Cx<'_>, method: KeMethod) -> Option<Active> {
        let Some(exchange) = cx.env.crypto.key_exchange(method) else {
            return self.fail(sa, cx, LocalFault::NoUsableProposal.into());
        };
        self.methods_tried.push(method);
        let job = sa.job(Job::KeGenerate(Arc::clone(exchange)));
        Some(Active::AwaitKeyPair(Box::new(AwaitKeyPair { job, plan: self })))
    }

    fn send(self, sa: &mut Sa, cx: Cx<'_>, key: Option<Box<dyn KeyInitiator>>) -> Option<Active> {
        let mut nonce = vec![0; NONCE_LEN];
        cx.env.crypto.random().fill(&mut nonce);
        let mut between = vec![Payload::Nonce(nonce.clone())];
        if let (Some(key), Some(method)) = (&key, self.methods_tried.last()) {
            between.push(Payload::Ke(Ke { method: *method, data: key.public().to_vec() }));
        }
        let (name, unique_id) = (&self.offer.config.name, self.offer.unique_id);
        tracing::error!(target: "IKE", "establishing CHILD_SA {name}{{{unique_id}}}");
        let payloads = self.offer.payloads(self.spis, between);
        sa.forget_early_deletes();
        match sa.send_request(cx, ExchangeType::CREATE_CHILD_SA, payloads) {
            Ok(()) => Some(Active::ExpectAnswer(Box::new(ExpectAnswer { plan: self, nonce, key }))),
            Err(failure) => self.fail(sa, cx, failure),
        }
    }

    fn fail(self, sa: &mut Sa, cx: Cx<'_>, failure: Failure) -> Option<Active> {
        tracing::info!(target: "IKE", "failed to establish CHILD_SA, keeping IKE_SA: {failure}");
        self.spis.release(sa);
        self.offer.replaces().inspect(|old| rekey_child::failed(sa, cx, *old));
        sa.done(self.offer.token, Err(failure));
        None
    }

    /// The peer believes in a child that we do not take.
    fn disown(self, sa: &mut Sa, cx: Cx<'_>, answer: &Message, failure: Failure) -> Option<Active> {
        let chosen = self.offer.chosen(self.spis, answer);
        chosen.inspect(|(protocol, spi)| sa.queue.push_front(Task::DisownChild(*protocol, *spi)));
        self.fail(sa, cx, failure)
    }

    /// The peer rekeyed the same child, and its exchange wins: what ours made is deleted before it carries anything.
    fn yield_to_peer(self, sa: &mut Sa, answer: &Message, old: UniqueId) -> Option<Active> {
        tracing::info!(target: "IKE", "CHILD_SA rekey collision lost, deleting redundant child");
        let chosen = self.offer.chosen(self.spis, answer);
        chosen.inspect(|(protocol, spi)| sa.queue.push_front(Task::DisownChild(*protocol, *spi)));
        self.spis.release(sa);
        rekey_child::lost(sa, old);
        sa.done(self.offer.token, Ok(CommandSuccess::ChildInstalled(old)));
        None
    }

    fn install(
        self,
        sa: &mut Sa,
        cx: Cx<'_>,
        answer: &Message,
        nonce_i: &[u8],
        shared: Option<&Secret>,
    ) -> Option<Active> {
        let Some(nonce_r) = answer.nonce() else {
            return self.disown(sa, cx, answer, Misbehaviour::MissingPayload(PayloadType::NONCE.0).into());
        };
        if let Some(old) = self.offer.replaces()
            && rekey_child::loses(sa, old, nonce_i, nonce_r)
        {
            return self.yield_to_peer(sa, answer, old);
        }
        let source = KeySource { role: Role::Initiator, nonce_i, nonce_r, shared };
        let agreed = self.offer.clone().accept(sa, self.spis, answer).and_then(|agreed| {
            let used = shared.and_then(|_| self.methods_tried.last().copied());
            if agreed.suite.ke != used {
                return Err(Misbehaviour::UnofferedProposal.into());
            }
            // The peer's DELETE has overtaken its answer: there is nothing to install, and nothing to delete.
            if sa.is_deleted_early(agreed.spi_out) {
                return Ok(None);
            }
            tracing::info!(target: "CFG", "selected proposal: {}", agreed.suite);
            agreed.install(sa, cx, &source).map(Some)
        });
        match agreed {
            Ok(Some(installing)) => Some(Active::Install(Box::new(installing))),
            Ok(None) => self.fail(sa, cx, Refusal::Deleted.into()),
            Err(failure) => self.disown(sa, cx, answer, failure),
        }
    }
}

impl ExpectAnswer {
    /// The peer's answer. `None`: the exchange is over.
    pub(crate) fn handle(self, sa: &mut Sa, cx: Cx<'_>, answer: Message) -> Option<Active> {
        let Self { plan, nonce, key } = self;
        if let Some(wanted) = answer.notify(NotifyType::INVALID_KE_PAYLOAD) {
            let number = <[u8; 2]>::try_from(&*wanted.data).map(u16::from_be_bytes);
            let method = number.map_or(KeMethod::NONE, KeMethod);
            let offered = ke_methods(plan.offer.proposals()).contains(&method);
            if !offered || plan.methods_tried.contains(&method) {
                return plan.fail(sa, cx, Misbehaviour::UnofferedKeMethod(method).into());
            }
            tracing::info!(target: "IKE", "peer didn't accept our key exchange method, it requested {method}");
            return plan.begin_with(sa, cx, method);
        }
        if let Some(error) = answer.first_error() {
            tracing::info!(target: "IKE", "received {error} notify, no CHILD_SA built");
            if let (Some(old), NotifyType::CHILD_SA_NOT_FOUND) = (plan.offer.replaces(), error) {
                rekey_child::vanished(sa, cx, old);
            }
            return plan.fail(sa, cx, Failure::Rejected(error.0));
        }
        match (key, answer.ke()) {
            (Some(key), Some(ke)) if plan.methods_tried.last() == Some(&ke.method) => {
                let job = sa.job(Job::ke_finish(cx.env.crypto, ke.method, key, ke.data.clone()));
                let answer = Box::new(answer);
                Some(Active::AwaitSecret(Box::new(AwaitSecret { job, plan, nonce_i: nonce, answer })))
            }
            (None, Some(_)) => plan.disown(sa, cx, &answer, Misbehaviour::UnofferedProposal.into()),
            (_, None) | (Some(_), Some(_)) => plan.install(sa, cx, &answer, &nonce, None),
        }
    }
}

impl AwaitSecret {
    fn handle(self, sa: &mut Sa, cx: Cx<'_>, secret: Result<Secret, CryptoError>) -> Option<Active> {
        match secret {
            Ok(secret) => self.plan.install(sa, cx, &self.answer, &self.nonce_i, Some(&secret)),
            Err(CryptoError::InvalidPublicValue) => {
                self.plan.disown(sa, cx, &self.answer, Misbehaviour::InvalidPublicValue.into())
            }
            Err(error) => self.plan.disown(sa, cx, &self.answer, LocalFault::Crypto(error).into()),
        }
    }
}
