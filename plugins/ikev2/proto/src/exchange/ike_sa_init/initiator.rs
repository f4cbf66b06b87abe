//! IKE_SA_INIT as initiator (RFC 7296 §1.2, §2.6).
//!
//! `AwaitKeyPair -> ExpectInit -> AwaitSecret -> IKE_AUTH`; COOKIE and INVALID_KE_PAYLOAD lead back, a limited number of
//! times.

use std::sync::Arc;
use std::time::Duration;

use charon_crypto::CryptoError;
use charon_crypto::kex::KeyInitiator;
use charon_types::Secret;
use charon_types::algorithm::KeMethod;
use charon_types::connection::Connection;
use charon_types::id::MessageId;
use charon_types::proposal::{IkeSuite, Offer, Proposal, Selected, accept_answer};

use super::{Handshake, abilities, announce};
use crate::exchange::create_child::offer::ChildWish;
use crate::exchange::ike_auth;
use crate::exchange::nat_detection;
use crate::failure::{Failure, LocalFault, Misbehaviour};
use crate::job::Job;
use crate::output::JobId;
use crate::proposal::{ke_methods, usable_for_ike};
use crate::sa::{Cx, Sa};
use crate::state::State;
use crate::timer::Timer;
use crate::wire::{Ke, Message, NotifyType, Payload, PayloadType};

/// Most restarts by COOKIE and INVALID_KE_PAYLOAD together.
const RESTARTS_MAX: u8 = 5;

/// How long a better answer may come after one that is an error: anybody on the way may have sent that (RFC 7296 §2.21.1).
const BETTER_ANSWER: Duration = Duration::from_secs(1);

/// Octets of a nonce: the recommended length for every PRF that we have (RFC 7296 §2.10).
pub(crate) const NONCE_LEN: usize = 32;

/// What stays the same, or is counted, over restarts.
pub(crate) struct Attempt {
    connection: Arc<Connection>,
    child: Option<ChildWish>,
    proposals: Vec<Proposal>,
    method: KeMethod,
    methods_tried: Vec<KeMethod>,
    cookie: Option<Vec<u8>>,
    restarts: u8,
    /// Rounds of retransmission so far; `keyingtries` limits them.
    round: u32,
}

/// Our key pair is being made.
pub(crate) struct AwaitKeyPair {
    pub(crate) job: JobId,
    attempt: Attempt,
}

/// The request is out.
pub(crate) struct ExpectInit {
    attempt: Attempt,
    key: Box<dyn KeyInitiator>,
    nonce: Vec<u8>,
    request: Vec<u8>,
    /// What an answer said that nobody vouches for.
    refused: Option<NotifyType>,
}

/// The shared secret is being computed.
pub(crate) struct AwaitSecret {
    pub(crate) job: JobId,
    attempt: Attempt,
    handshake: Handshake,
    selected: Selected<IkeSuite>,
}

impl Attempt {
    /// The first attempt.
    pub(crate) fn new(
        cx: Cx<'_>,
        connection: Arc<Connection>,
        child: Option<ChildWish>,
    ) -> Result<Self, Failure> {
        let proposals = usable_for_ike(&connection.ike.proposals, cx.env.crypto);
        let method = *ke_methods(&proposals).first().ok_or(LocalFault::NoUsableProposal)?;
        Ok(Self {
            connection,
            child,
            proposals,
            method,
            methods_tried: vec![method],
            cookie: None,
            restarts: 0,
            round: 0,
        })
    }

    /// Starts making a key pair.
    pub(crate) fn begin(self, sa: &mut Sa, cx: Cx<'_>) -> Result<State, Failure> {
        let exchange = cx.env.crypto.key_exchange(self.method).ok_or(LocalFault::NoUsableProposal)?;
        let job = sa.job(Job::KeGenerate(Arc::clone(exchange)));
        Ok(State::InitAwaitKeyPair(Box::new(AwaitKeyPair { job, attempt: self })))
    }

    /// Another round after a timeout, if `keyingtries` allows it.
    fn next_round(mut self, sa: &mut Sa, cx: Cx<'_>) -> Result<State, Failure> {
        let limit = self.connection.ike.keyingtries;
        self.round = self.round.saturating_add(1);
        if limit != 0 && self.round >= limit {
            tracing::info!(target: "IKE", "establishing IKE_SA failed, peer not responding");
            return Err(Failure::Unreachable);
        }
        tracing::info!(target: "IKE", "peer not responding, trying again ({}/{limit})", self.round.saturating_add(1));
        (self.cookie, self.restarts) = (None, 0);
        self.begin(sa, cx)
    }

    fn restart(&mut self) -> Result<(), Failure> {
        self.restarts += 1;
        if self.restarts > RESTARTS_MAX { Err(Misbehaviour::TooManyRetries.into()) } else { Ok(()) }
    }
}

impl AwaitKeyPair {
    /// The key pair is there: sends the request.
    pub(crate) fn handle(
        self,
        sa: &mut Sa,
        cx: Cx<'_>,
        key: Result<Box<dyn KeyInitiator>, CryptoError>,
    ) -> Result<State, Failure> {
        let key = key.map_err(LocalFault::Crypto)?;
        let mut nonce = vec![0; NONCE_LEN];
        cx.env.crypto.random().fill(&mut nonce);
        let mut expect = ExpectInit { attempt: self.attempt, key, nonce, request: Vec::new(), refused: None };
        expect.send(sa, cx);
        Ok(State::InitExpectInit(Box::new(expect)))
    }
}

impl ExpectInit {
    fn send(&mut self, sa: &mut Sa, cx: Cx<'_>) {
        let mut payloads = Vec::new();
        if let Some(cookie) = &self.attempt.cookie {
            payloads.push(Payload::notify(NotifyType::COOKIE, cookie.clone()));
        }
        let numbered = (1..=u8::MAX).zip(&self.attempt.proposals);
        let offers =
            numbered.map(|(number, proposal)| Offer { number, spi: Vec::new(), proposal: proposal.clone() });
        payloads.push(Payload::Sa(offers.collect()));
        payloads.push(Payload::Ke(Ke { method: self.attempt.method, data: self.key.public().to_vec() }));
        payloads.push(Payload::Nonce(self.nonce.clone()));
        announce(sa, cx, &self.attempt.connection, &mut payloads);
        self.request = sa.send_init_request(cx, payloads);
        self.refused = None;
    }

    /// The error that was answered, if nothing better came.
    pub(crate) const fn refused(&self) -> Option<NotifyType> {
        self.refused
    }

    /// Nobody answered.
    pub(crate) fn handle_silence(self, sa: &mut Sa, cx: Cx<'_>) -> Result<State, Failure> {
        self.attempt.next_round(sa, cx)
    }

    /// An answer. It is not authenticated yet: what makes no sense is ignored, and the wait goes on.
    pub(crate) fn handle(
        mut self: Box<Self>,
        sa: &mut Sa,
        cx: Cx<'_>,
        answer: &Message,
        octets: &[u8],
    ) -> Result<State, Failure> {
        if let Some(cookie) = answer.notify(NotifyType::COOKIE) {
            return self.handle_cookie(sa, cx, &cookie.data);
        }
        if let Some(wanted) = answer.notify(NotifyType::INVALID_KE_PAYLOAD) {
            return self.handle_wanted_method(sa, cx, &wanted.data);
        }
        if let Some(error) = answer.first_error() {
            if self.refused.is_none() {
                tracing::info!(target: "IKE", "received {error} notify error");
                sa.timers.set(Timer::Retransmit, cx.now.mono + BETTER_ANSWER);
            }
            self.refused = Some(error);
            return Ok(State::InitExpectInit(self));
        }
        let Some(spi) = answer.header.spi_responder else {
            tracing::info!(target: "IKE", "IKE_SA_INIT response without responder SPI ignored");
            return Ok(State::InitExpectInit(self));
        };
        sa.answered();
        sa.remote_spi = Some(spi);
        let selected = self.accept(answer)?;
        tracing::info!(target: "CFG", "selected proposal: {}", selected.suite);
        let ke = answer.ke().ok_or(Misbehaviour::MissingPayload(PayloadType::KE.0))?;
        let nonce = answer.nonce().ok_or(Misbehaviour::MissingPayload(PayloadType::NONCE.0))?;
        if ke.method != self.attempt.method || selected.suite.ke != ke.method {
            return Err(Misbehaviour::UnofferedKeMethod(ke.method).into());
        }
        sa.nat = nat_detection::examine(sa, cx, answer);
        sa.peer = abilities(sa, cx, answer);
        let job = sa.job(Job::ke_finish(cx.env.crypto, ke.method, self.key, ke.data.clone()));
        let handshake = Handshake {
            request: self.request,
            response: octets.to_vec(),
            nonce_i: self.nonce,
            nonce_r: nonce.to_vec(),
        };
        Ok(State::InitAwaitSecret(Box::new(AwaitSecret { job, attempt: self.attempt, handshake, selected })))
    }

    fn accept(&self, answer: &Message) -> Result<Selected<IkeSuite>, Failure> {
        let [chosen] = answer.sa().ok_or(Misbehaviour::MissingPayload(PayloadType::SA.0))? else {
            return Err(Misbehaviour::UnofferedProposal.into());
        };
        Ok(accept_answer(&self.attempt.proposals, chosen).ok_or(Misbehaviour::UnofferedProposal)?)
    }

    fn handle_cookie(mut self: Box<Self>, sa: &mut Sa, cx: Cx<'_>, cookie: &[u8]) -> Result<State, Failure> {
        const COOKIE_LEN_MAX: usize = 64;
        let known = self.attempt.cookie.as_deref() == Some(cookie);
        if known || cookie.is_empty() || cookie.len() > COOKIE_LEN_MAX {
            return Ok(State::InitExpectInit(self));
        }
        self.attempt.restart()?;
        tracing::info!(target: "IKE", "received COOKIE, retrying with it");
        self.attempt.cookie = Some(cookie.to_vec());
        sa.restart_init();
        self.send(sa, cx);
        Ok(State::InitExpectInit(self))
    }

    fn handle_wanted_method(
        mut self: Box<Self>,
        sa: &mut Sa,
        cx: Cx<'_>,
        data: &[u8],
    ) -> Result<State, Failure> {
        let Ok(number) = <[u8; 2]>::try_from(data) else { return Ok(State::InitExpectInit(self)) };
        let wanted = KeMethod(u16::from_be_bytes(number));
        let offered = ke_methods(&self.attempt.proposals).contains(&wanted);
        if !offered || self.attempt.methods_tried.contains(&wanted) {
            return Err(Misbehaviour::UnofferedKeMethod(wanted).into());
        }
        self.attempt.restart()?;
        tracing::info!(
            target: "IKE",
            "peer didn't accept key exchange method {}, it requested {wanted}",
            self.attempt.method
        );
        self.attempt.methods_tried.push(wanted);
        self.attempt.method = wanted;
        sa.restart_init();
        self.attempt.begin(sa, cx)
    }
}

impl AwaitSecret {
    /// The secret is there: derives the keys and goes on with IKE_AUTH.
    pub(crate) fn handle(
        self,
        sa: &mut Sa,
        cx: Cx<'_>,
        secret: Result<Secret, CryptoError>,
    ) -> Result<State, Failure> {
        let secret = secret.map_err(|error| match error {
            CryptoError::InvalidPublicValue => Failure::from(Misbehaviour::InvalidPublicValue),
            error => LocalFault::Crypto(error).into(),
        })?;
        self.handshake.derive(sa, cx, self.selected.suite, &secret)?;
        sa.next_request = MessageId(1);
        sa.float_to_nat_port(cx);
        ike_auth::initiator::begin(sa, cx, self.handshake, self.attempt.child)
    }
}
