//! IKE_AUTH as initiator: `[AwaitSpi ->] [AwaitSignature ->] ExpectAuth [-> AwaitTrust] [-> AwaitAddress] -> established`.

use std::sync::Arc;

use charon_crypto::CryptoError;
use charon_types::connection::{AuthMethod, Childless, Connection, Toggle, Unique};
use charon_types::id::Role;
use charon_types::identity::Identity;
use charon_types::kernel_op::{KernelError, KernelResult};

use super::own::{OwnProof, Proving, prepare};
use super::peer::{self, PeerAuthenticated};
use super::{establish, signed_octets};
use crate::env::TrustedKey;
use crate::exchange::create_child::initiator::Active;
use crate::exchange::create_child::install::KeySource;
use crate::exchange::create_child::offer::{ChildOffer, ChildWish, OwnKe};
use crate::exchange::create_child::spis::OwnSpis;
use crate::exchange::ike_sa_init::Handshake;
use crate::exchange::{certreq, config_payload, mobike};
use crate::failure::{Failure, LocalFault, Misbehaviour, Refusal};
use crate::job::VerifyFailure;
use crate::output::{CloseReason, CommandSuccess, InitialContact, JobId, OpId};
use crate::sa::{Cx, Sa};
use crate::state::State;
use crate::task::Task;
use crate::wire::{Auth, ExchangeType, Id, Message, NotifyType, Payload, PayloadType};

/// What is carried from step to step.
struct Plan {
    handshake: Handshake,
    own: OwnProof,
    child: Option<(ChildOffer, Option<OwnSpis>)>,
    initial_contact: InitialContact,
}

/// The kernel reserves our SPI of the first child.
pub(crate) struct AwaitSpi {
    pub(crate) op: OpId,
    plan: Plan,
}

/// Our key signs.
pub(crate) struct AwaitSignature {
    pub(crate) job: JobId,
    plan: Plan,
}

/// The request is out.
pub(crate) struct ExpectAuth {
    plan: Plan,
}

/// The peer's certificate and signature are being checked.
pub(crate) struct AwaitTrust {
    pub(crate) job: JobId,
    plan: Plan,
    answer: Box<Message>,
    auth: Auth,
}

/// The peer is who it should be; our virtual addresses are being put on the interface.
pub(crate) struct AwaitAddress {
    pub(crate) op: OpId,
    plan: Plan,
    answer: Box<Message>,
    proof: PeerAuthenticated,
}

/// IKE_SA_INIT is done.
pub(crate) fn begin(
    sa: &mut Sa,
    cx: Cx<'_>,
    handshake: Handshake,
    child: Option<ChildWish>,
) -> Result<State, Failure> {
    let connection = connection(sa)?;
    let remote = expected_remote(&connection);
    let (local_id, own) = prepare(sa, cx, &connection, &remote, None)?;
    sa.local_id = local_id;
    let child = first_child(sa, cx, &connection, child)?;
    let mut plan = Plan { handshake, own, child: None, initial_contact: InitialContact::Absent };
    if let Some(offer) = child {
        let op = sa.kernel(offer.reserve(sa, cx));
        plan.child = Some((offer, None));
        return Ok(State::AuthAwaitSpi(Box::new(AwaitSpi { op, plan })));
    }
    plan.prove(sa, cx)
}

/// The child that IKE_AUTH negotiates; others wait for CREATE_CHILD_SA.
fn first_child(
    sa: &mut Sa,
    cx: Cx<'_>,
    connection: &Connection,
    wanted: Option<ChildWish>,
) -> Result<Option<ChildOffer>, Failure> {
    let childless = match connection.ike.childless {
        Childless::Force if !sa.peer.childless => {
            tracing::info!(target: "IKE", "peer does not support childless IKE_SA initiation");
            return Err(Refusal::Childless.into());
        }
        Childless::Force => true,
        Childless::Prefer => sa.peer.childless,
        Childless::Allow | Childless::Never => wanted.is_none() && sa.peer.childless,
    };
    if childless {
        if let Some(wanted) = wanted {
            let token = sa.handshake_token.take();
            sa.queue.push_front(Task::CreateChild(wanted, token));
        }
        return Ok(None);
    }
    let first = || connection.children.iter().find(|child| !child.is_shunt()).cloned().map(ChildWish::from);
    let Some(wanted) = wanted.or_else(first) else {
        return Err(Refusal::Childless.into());
    };
    ChildOffer::new(sa, cx, wanted, sa.handshake_token, OwnKe::Never).map(Some)
}

impl AwaitSpi {
    /// The kernel answered.
    pub(crate) fn handle(
        mut self,
        sa: &mut Sa,
        cx: Cx<'_>,
        results: &[KernelResult],
    ) -> Result<State, Failure> {
        if let Some((offer, spis)) = &mut self.plan.child {
            *spis = Some(OwnSpis::reserved(sa, &offer.protocols(), results)?);
        }
        self.plan.prove(sa, cx)
    }
}

impl Plan {
    fn prove(self, sa: &mut Sa, cx: Cx<'_>) -> Result<State, Failure> {
        let id = Id::of(&sa.local_id).ok_or(LocalFault::NoPrivateKey)?;
        let octets = signed_octets(sa, cx, &self.handshake, Role::Initiator, &id)?;
        match self.own.prove(sa, cx, octets)? {
            Proving::Done(auth) => self.send(sa, cx, auth),
            Proving::Job(job) => {
                let job = sa.job(job);
                Ok(State::AuthAwaitSignature(Box::new(AwaitSignature { job, plan: self })))
            }
        }
    }

    fn send(mut self, sa: &mut Sa, cx: Cx<'_>, auth: Auth) -> Result<State, Failure> {
        let connection = connection(sa)?;
        let id = Id::of(&sa.local_id).ok_or(LocalFault::NoPrivateKey)?;
        let mut payloads = vec![Payload::IdI(id)];
        payloads.extend(self.own.certificates());
        let remote = expected_remote(&connection);
        let alone = !cx.env.peers.connected(&sa.local_id, &remote, sa.path.remote.ip(), sa.unique_id);
        if connection.ike.unique != Unique::Never && alone {
            payloads.push(Payload::status(NotifyType::INITIAL_CONTACT));
            self.initial_contact = InitialContact::Sent;
        }
        payloads.extend(certreq::request(cx, &connection));
        if !remote.is_pattern() {
            payloads.extend(Id::of(&remote).map(Payload::IdR));
        }
        payloads.push(Payload::Auth(auth));
        payloads.extend(config_payload::request(&connection));
        if let Some((offer, Some(spis))) = &self.child {
            tracing::error!(target: "IKE", "establishing CHILD_SA {}{{{}}}", offer.config.name, offer.unique_id);
            payloads.extend(offer.payloads(*spis, Vec::new()));
        }
        payloads.extend(mobike::announce(sa, cx, &connection));
        sa.send_request(cx, ExchangeType::IKE_AUTH, payloads)?;
        Ok(State::AuthExpectAnswer(Box::new(ExpectAuth { plan: self })))
    }
}

impl AwaitSignature {
    /// Our signature is there.
    pub(crate) fn handle(
        self,
        sa: &mut Sa,
        cx: Cx<'_>,
        signature: Result<Vec<u8>, CryptoError>,
    ) -> Result<State, Failure> {
        let auth = self.plan.own.signed(sa, signature)?;
        self.plan.send(sa, cx, auth)
    }
}

impl ExpectAuth {
    /// The answer, authenticated as coming from whom we exchanged keys with.
    pub(crate) fn handle(self, sa: &mut Sa, cx: Cx<'_>, answer: Message) -> Result<State, Failure> {
        let plan = self.plan;
        match plan.check(sa, cx, &answer)? {
            Checked::Proven(proof) => plan.assign(sa, cx, answer, proof),
            Checked::Job(job, auth) => {
                let job = sa.job(*job);
                let answer = Box::new(answer);
                Ok(State::AuthAwaitTrust(Box::new(AwaitTrust { job, plan, answer, auth })))
            }
        }
    }
}

enum Checked {
    Proven(PeerAuthenticated),
    Job(Box<crate::job::Job>, Auth),
}

impl Plan {
    fn check(&self, sa: &mut Sa, cx: Cx<'_>, answer: &Message) -> Result<Checked, Failure> {
        let Some(auth) = answer.auth() else {
            if let Some(error) = answer.first_error() {
                tracing::info!(target: "IKE", "received {error} notify error");
                return Err(Failure::Rejected(error.0));
            }
            return Err(Misbehaviour::MissingPayload(PayloadType::AUTH.0).into());
        };
        let id = answer.id_r().ok_or(Misbehaviour::MissingPayload(PayloadType::ID_R.0))?;
        let connection = connection(sa)?;
        let rules = connection.remote.first().ok_or(Refusal::NoConnection)?;
        let remote = id.identity();
        if !peer::names(rules, &remote) {
            tracing::info!(
                target: "IKE",
                "IDr '{remote}' does not match to '{}'",
                rules.id.as_ref().unwrap_or(&Identity::Any)
            );
            return Err(Refusal::IdentityMismatch.into());
        }
        if !peer::allows(rules, auth.method) {
            return Err(Refusal::AuthMethod.into());
        }
        let octets = signed_octets(sa, cx, &self.handshake, Role::Responder, id)?;
        sa.remote_id = remote;
        for subject in answer.certs() {
            tracing::debug!(target: "IKE", "received cert of {} octets", subject.data.len());
        }
        if matches!(rules.method, AuthMethod::Psk) {
            let proof = peer::verify_psk(sa, cx, &sa.local_id, &sa.remote_id, &octets, auth)?;
            return Ok(Checked::Proven(proof));
        }
        let job = peer::verify_job(cx, &sa.remote_id, rules, answer, octets, auth)?;
        Ok(Checked::Job(Box::new(job), auth.clone()))
    }

    /// The peer is who it should be: addresses first, then what uses them.
    fn assign(
        self,
        sa: &mut Sa,
        cx: Cx<'_>,
        answer: Message,
        proof: PeerAuthenticated,
    ) -> Result<State, Failure> {
        let connection = connection(sa)?;
        match config_payload::accept(sa, &connection, &answer) {
            Some(op) => {
                let state = AwaitAddress { op, plan: self, answer: Box::new(answer), proof };
                Ok(State::AuthAwaitAddress(Box::new(state)))
            }
            None => self.finish(sa, cx, &answer, proof),
        }
    }

    fn finish(
        self,
        sa: &mut Sa,
        cx: Cx<'_>,
        answer: &Message,
        proof: PeerAuthenticated,
    ) -> Result<State, Failure> {
        let connection = connection(sa)?;
        mobike::agree(sa, cx, &connection, answer);
        establish(sa, cx, proof, self.initial_contact);
        sa.note_auth_lifetime(cx, answer);
        let token = sa.handshake_token.take();
        let Self { handshake, child, .. } = self;
        let Some((offer, Some(spis))) = child else {
            sa.done(token, Ok(CommandSuccess::IkeEstablished));
            return Ok(State::established(None));
        };
        let chosen = offer.chosen(spis, answer);
        let source = KeySource {
            role: Role::Initiator,
            nonce_i: &handshake.nonce_i,
            nonce_r: &handshake.nonce_r,
            shared: None,
        };
        let installing = match answer.first_error() {
            Some(error) => {
                tracing::info!(target: "IKE", "received {error} notify, no CHILD_SA built");
                Err(Failure::Rejected(error.0))
            }
            None => config_payload::check(sa, &connection)
                .and_then(|()| offer.accept(sa, spis, answer))
                .and_then(|agreed| agreed.install(sa, cx, &source)),
        };
        match installing {
            Ok(installing) => Ok(State::established(Some(Active::Install(Box::new(installing))))),
            Err(failure) => {
                spis.release(sa);
                tracing::info!(target: "IKE", "failed to establish CHILD_SA, keeping IKE_SA");
                if let Some((protocol, spi)) = chosen.filter(|_| !matches!(failure, Failure::Rejected(_))) {
                    sa.queue.push_front(Task::DisownChild(protocol, spi));
                }
                sa.done(token, Err(failure.clone()));
                if cx.env.settings.close_ike_on_child_failure == Toggle::Enabled {
                    sa.queue.push_front(Task::DeleteIke(CloseReason::Failed(failure), None));
                }
                Ok(State::established(None))
            }
        }
    }
}

impl AwaitTrust {
    /// What the job found.
    pub(crate) fn handle(
        self,
        sa: &mut Sa,
        cx: Cx<'_>,
        result: Result<TrustedKey, VerifyFailure>,
    ) -> Result<State, Failure> {
        let verified = connection(sa).and_then(|connection| {
            let rules = connection.remote.first().ok_or(Refusal::NoConnection)?;
            peer::verified(cx, &sa.remote_id, rules, &self.auth, result)
        });
        self.plan.assign(sa, cx, *self.answer, verified?)
    }
}

impl AwaitAddress {
    /// The addresses are there, or some could not be had.
    pub(crate) fn handle(
        self,
        sa: &mut Sa,
        cx: Cx<'_>,
        results: &[Result<(), KernelError>],
    ) -> Result<State, Failure> {
        config_payload::installed(sa, results);
        self.plan.finish(sa, cx, &self.answer, self.proof)
    }
}

fn connection(sa: &Sa) -> Result<Arc<Connection>, Failure> {
    Ok(sa.connection.clone().ok_or(Refusal::NoConnection)?)
}

/// Whom we expect; a pattern, maybe.
fn expected_remote(connection: &Connection) -> Identity {
    connection.remote.first().and_then(|rules| rules.id.clone()).unwrap_or(Identity::Any)
}
