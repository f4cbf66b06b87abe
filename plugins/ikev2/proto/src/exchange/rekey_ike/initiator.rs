//! We replace the IKE_SA: `AwaitKeyPair -> ExpectAnswer -> AwaitSecret`; INVALID_KE_PAYLOAD leads back.

use std::sync::Arc;

use charon_crypto::CryptoError;
use charon_crypto::kex::KeyInitiator;
use charon_types::Secret;
use charon_types::algorithm::KeMethod;
use charon_types::id::{IkeSpi, Role, UniqueId};
use charon_types::proposal::{IkeSuite, Offer, Proposal, accept_answer};

use super::{completed, failed, ike_spi, prf_in_use_first};
use crate::exchange::create_child::initiator::Active;
use crate::exchange::ike_sa_init::initiator::NONCE_LEN;
use crate::failure::{Failure, LocalFault, Misbehaviour, Refusal};
use crate::job::Job;
use crate::keymat::Exchange;
use crate::output::{CommandSuccess, CommandToken, JobId};
use crate::proposal::{ke_methods, usable_for_ike};
use crate::sa::{Cx, Sa};
use crate::successor::Unborn;
use crate::timer::Timer;
use crate::wire::{ExchangeType, Ke, Message, NotifyType, Payload, PayloadType};

/// What it waits for.
pub(crate) enum RekeyIke {
    /// Our key pair is being made.
    AwaitKeyPair(JobId, Plan),
    /// The request is out.
    ExpectAnswer { plan: Plan, nonce: Vec<u8>, key: Box<dyn KeyInitiator> },
    /// The shared secret is being computed.
    AwaitSecret {
        job: JobId,
        plan: Plan,
        nonce_i: Vec<u8>,
        nonce_r: Vec<u8>,
        remote_spi: IkeSpi,
        suite: IkeSuite,
    },
}

/// What is carried from step to step.
pub(crate) struct Plan {
    proposals: Vec<Proposal>,
    methods_tried: Vec<KeMethod>,
    unique_id: UniqueId,
    spi: IkeSpi,
    token: Option<CommandToken>,
}

/// Begins to replace the IKE_SA.
pub(crate) fn begin(sa: &mut Sa, cx: Cx<'_>, token: Option<CommandToken>) -> Result<Active, Failure> {
    let connection = sa.connection.clone().ok_or(Refusal::NoConnection)?;
    let suite = sa.suite.ok_or(LocalFault::Crypto(CryptoError::InvalidKey))?;
    let mut proposals = usable_for_ike(&connection.ike.proposals, cx.env.crypto);
    prf_in_use_first(&mut proposals, suite.prf);
    let methods = ke_methods(&proposals);
    let in_use = methods.iter().find(|method| **method == suite.ke);
    let method = *in_use.or_else(|| methods.first()).ok_or(LocalFault::NoUsableProposal)?;
    let (unique_id, spi) = (cx.env.ids.ike_unique_id(), cx.env.ids.ike_spi(sa.local_spi));
    tracing::error!(target: "IKE", "initiating IKE_SA {}[{unique_id}] to {}", sa.name(), sa.path.remote.ip());
    let plan = Plan { proposals, methods_tried: Vec::new(), unique_id, spi, token };
    plan.begin_with(sa, cx, method)
}

impl RekeyIke {
    /// The job it waits for.
    pub(crate) const fn awaits_job(&self) -> Option<JobId> {
        match self {
            Self::AwaitKeyPair(job, _) | Self::AwaitSecret { job, .. } => Some(*job),
            Self::ExpectAnswer { .. } => None,
        }
    }

    /// Whether the peer knows of it.
    pub(crate) const fn is_out(&self) -> bool {
        !matches!(self, Self::AwaitKeyPair(..))
    }

    /// Who waits for it.
    pub(crate) const fn token(&self) -> Option<CommandToken> {
        match self {
            Self::AwaitKeyPair(_, plan)
            | Self::ExpectAnswer { plan, .. }
            | Self::AwaitSecret { plan, .. } => plan.token,
        }
    }

    /// Our key pair is there: sends the request.
    pub(crate) fn handle_key_pair(
        self,
        sa: &mut Sa,
        cx: Cx<'_>,
        key: Result<Box<dyn KeyInitiator>, CryptoError>,
    ) -> Option<Active> {
        let Self::AwaitKeyPair(_, plan) = self else { return Some(Active::RekeyIke(Box::new(self))) };
        match key {
            Ok(key) => plan.send(sa, cx, key),
            Err(error) => plan.fail(sa, cx, LocalFault::Crypto(error).into()),
        }
    }

    /// The peer's answer. `None`: the exchange is over.
    pub(crate) fn handle_answer(self, sa: &mut Sa, cx: Cx<'_>, answer: &Message) -> Option<Active> {
        let Self::ExpectAnswer { plan, nonce, key } = self else {
            return Some(Active::RekeyIke(Box::new(self)));
        };
        if let Some(wanted) = answer.notify(NotifyType::INVALID_KE_PAYLOAD) {
            return plan.retry(sa, cx, &wanted.data);
        }
        if let Some(error) = answer.first_error() {
            tracing::info!(target: "IKE", "received {error} notify error");
            if error == NotifyType::NO_ADDITIONAL_SAS && sa.crossing.is_none() {
                tracing::info!(target: "IKE", "peer seems to not support IKE rekeying, starting reauthentication");
                sa.timers.set(Timer::Reauth, cx.now.mono);
                sa.done(plan.token, Err(Failure::Rejected(error.0)));
                return None;
            }
            return plan.fail(sa, cx, Failure::Rejected(error.0));
        }
        match plan.examine(answer) {
            Ok((remote_spi, suite, ke, nonce_r)) => {
                tracing::info!(target: "CFG", "selected proposal: {suite}");
                let job = sa.job(Job::ke_finish(cx.env.crypto, ke.method, key, ke.data));
                let state = Self::AwaitSecret { job, plan, nonce_i: nonce, nonce_r, remote_spi, suite };
                Some(Active::RekeyIke(Box::new(state)))
            }
            Err(failure) => plan.part(sa, cx, failure),
        }
    }

    /// The secret is there: the new IKE_SA can be.
    pub(crate) fn handle_secret(
        self,
        sa: &mut Sa,
        cx: Cx<'_>,
        secret: Result<Secret, CryptoError>,
    ) -> Option<Active> {
        let Self::AwaitSecret { plan, nonce_i, nonce_r, remote_spi, suite, .. } = self else {
            return Some(Active::RekeyIke(Box::new(self)));
        };
        let derived = secret.and_then(|secret| {
            let exchange = Exchange {
                secret: &secret,
                nonce_i: &nonce_i,
                nonce_r: &nonce_r,
                spi_i: plan.spi,
                spi_r: remote_spi,
            };
            let keys = sa.keys.as_ref().ok_or(CryptoError::InvalidKey)?;
            keys.rekeyed(cx.env.crypto, &suite, Role::Initiator, &exchange)
        });
        let keys = match derived {
            Ok(keys) => keys,
            Err(CryptoError::InvalidPublicValue) => {
                return plan.part(sa, cx, Misbehaviour::InvalidPublicValue.into());
            }
            Err(error) => return plan.part(sa, cx, LocalFault::Crypto(error).into()),
        };
        let ours = Unborn {
            role: Role::Initiator,
            unique_id: plan.unique_id,
            local_spi: plan.spi,
            remote_spi,
            suite,
            keys,
        };
        sa.done(plan.token, Ok(CommandSuccess::IkeRekeyed));
        completed(sa, cx, ours, nonce_i.min(nonce_r).as_slice());
        None
    }
}

impl Plan {
    fn begin_with(mut self, sa: &mut Sa, cx: Cx<'_>, method: KeMethod) -> Result<Active, Failure> {
        let exchange = cx.env.crypto.key_exchange(method).ok_or(LocalFault::NoUsableProposal)?;
        self.methods_tried.push(method);
        let job = sa.job(Job::KeGenerate(Arc::clone(exchange)));
        Ok(Active::RekeyIke(Box::new(RekeyIke::AwaitKeyPair(job, self))))
    }

    fn send(self, sa: &mut Sa, cx: Cx<'_>, key: Box<dyn KeyInitiator>) -> Option<Active> {
        let mut nonce = vec![0; NONCE_LEN];
        cx.env.crypto.random().fill(&mut nonce);
        let method = self.methods_tried.last().copied().unwrap_or(KeMethod::NONE);
        let spi = self.spi.to_be_bytes().to_vec();
        let numbered = (1..=u8::MAX).zip(&self.proposals);
        let offers =
            numbered.map(|(number, proposal)| Offer { number, spi: spi.clone(), proposal: proposal.clone() });
        let payloads = vec![
            Payload::Sa(offers.collect()),
            Payload::Nonce(nonce.clone()),
            Payload::Ke(Ke { method, data: key.public().to_vec() }),
        ];
        match sa.send_request(cx, ExchangeType::CREATE_CHILD_SA, payloads) {
            Ok(()) => Some(Active::RekeyIke(Box::new(RekeyIke::ExpectAnswer { plan: self, nonce, key }))),
            Err(failure) => self.fail(sa, cx, failure),
        }
    }

    /// The peer wants another key exchange method. It is tried unless it rekeys as well: then its own attempt counts.
    fn retry(self, sa: &mut Sa, cx: Cx<'_>, wanted: &[u8]) -> Option<Active> {
        let number = <[u8; 2]>::try_from(wanted).map(u16::from_be_bytes);
        let method = number.map_or(KeMethod::NONE, KeMethod);
        let offered = ke_methods(&self.proposals).contains(&method);
        if !offered || self.methods_tried.contains(&method) {
            return self.fail(sa, cx, Misbehaviour::UnofferedKeMethod(method).into());
        }
        tracing::info!(target: "IKE", "peer didn't accept our key exchange method, it requested {method}");
        if sa.crossing.is_some() {
            return self.fail(sa, cx, Failure::Rejected(NotifyType::INVALID_KE_PAYLOAD.0));
        }
        let token = self.token;
        self.begin_with(sa, cx, method)
            .inspect_err(|failure| {
                sa.done(token, Err(failure.clone()));
                failed(sa, cx);
            })
            .ok()
    }

    fn examine(&self, answer: &Message) -> Result<(IkeSpi, IkeSuite, Ke, Vec<u8>), Failure> {
        let [chosen] = answer.sa().ok_or(Misbehaviour::MissingPayload(PayloadType::SA.0))? else {
            return Err(Misbehaviour::UnofferedProposal.into());
        };
        let selected =
            accept_answer::<IkeSuite>(&self.proposals, chosen).ok_or(Misbehaviour::UnofferedProposal)?;
        let remote_spi = ike_spi(&selected.spi).ok_or(Misbehaviour::InvalidSyntax)?;
        let ke = answer.ke().ok_or(Misbehaviour::MissingPayload(PayloadType::KE.0))?;
        let nonce = answer.nonce().ok_or(Misbehaviour::MissingPayload(PayloadType::NONCE.0))?;
        if self.methods_tried.last() != Some(&ke.method) || selected.suite.ke != ke.method {
            return Err(Misbehaviour::UnofferedKeMethod(ke.method).into());
        }
        Ok((remote_spi, selected.suite, ke.clone(), nonce.to_vec()))
    }

    /// The peer has made an IKE_SA that we cannot make, and gave it the children: both can only start over (RFC 7296 §2.21.3).
    fn part(self, sa: &mut Sa, cx: Cx<'_>, failure: Failure) -> Option<Active> {
        if sa.crossing.is_some() {
            return self.fail(sa, cx, failure);
        }
        tracing::info!(target: "IKE", "IKE_SA rekeying failed, starting over: {failure}");
        sa.done(self.token, Err(failure.clone()));
        sa.start_over(failure);
        None
    }

    fn fail(self, sa: &mut Sa, cx: Cx<'_>, failure: Failure) -> Option<Active> {
        tracing::info!(target: "IKE", "IKE_SA rekeying failed: {failure}");
        let outcome = if sa.crossing.is_some() { Ok(CommandSuccess::IkeRekeyed) } else { Err(failure) };
        sa.done(self.token, outcome);
        failed(sa, cx);
        None
    }
}
