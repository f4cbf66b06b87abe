//! IKE_AUTH as responder:
//! `ExpectAuth [-> AwaitTrust] [-> AwaitSignature] [-> AwaitSpi -> AwaitInstall] -> established`.

use std::collections::VecDeque;
use std::sync::Arc;

use charon_crypto::CryptoError;
use charon_types::connection::{AuthMethod, Childless, Connection, Toggle, Unique};
use charon_types::id::{EspSpi, Role};
use charon_types::identity::Identity;
use charon_types::kernel_op::KernelResult;

use super::own::{OwnProof, Proving, prepare};
use super::peer::{self, PeerAuthenticated};
use super::{establish, signed_octets};
use crate::env::TrustedKey;
use crate::exchange::create_child::answer::ChildChoice;
use crate::exchange::create_child::install::{Installing, KeySource};
use crate::exchange::create_child::offer::OwnKe;
use crate::exchange::create_child::spis::reserved;
use crate::exchange::ike_sa_init::Handshake;
use crate::exchange::{certreq, config_payload, mobike};
use crate::failure::{Failure, LocalFault, Misbehaviour, Refusal, notify_for};
use crate::job::VerifyFailure;
use crate::output::{CloseReason, InitialContact, JobId, OpId};
use crate::sa::{Cx, Sa};
use crate::state::State;
use crate::task::Task;
use crate::wire::{Auth, Id, Message, NotifyType, Payload, PayloadType};

/// Connections tried with one request, at most: each try may cost a signature check.
const CANDIDATES_MAX: usize = 8;

/// IKE_SA_INIT is answered.
pub(crate) struct ExpectAuth {
    pub(crate) handshake: Handshake,
}

/// The peer's certificate and signature are being checked by the rules of one connection.
pub(crate) struct AwaitTrust {
    pub(crate) job: JobId,
    handshake: Handshake,
    request: Box<Message>,
    candidate: Arc<Connection>,
    others: VecDeque<Arc<Connection>>,
}

/// What is carried from step to step once the peer is known.
struct Plan {
    handshake: Handshake,
    request: Box<Message>,
    connection: Arc<Connection>,
    proof: PeerAuthenticated,
    own: OwnProof,
    /// Virtual addresses for the peer.
    config: Option<Payload>,
}

/// Our key signs.
pub(crate) struct AwaitSignature {
    pub(crate) job: JobId,
    plan: Plan,
}

/// The kernel reserves our SPI of the first child.
pub(crate) struct AwaitSpi {
    pub(crate) op: OpId,
    plan: Plan,
    auth: Auth,
    choice: ChildChoice,
}

/// The kernel installs the first child.
pub(crate) struct AwaitInstall {
    pub(crate) installing: Installing,
    plan: Plan,
    auth: Auth,
    choice: ChildChoice,
}

impl ExpectAuth {
    /// The request, authenticated as coming from whom we exchanged keys with.
    pub(crate) fn handle(self, sa: &mut Sa, cx: Cx<'_>, request: Message) -> Result<State, Failure> {
        let id = request.id_i().ok_or(Misbehaviour::MissingPayload(PayloadType::ID_I.0))?;
        sa.remote_id = id.identity();
        sa.peer.authorities = certreq::requested(cx, &request);
        let wanted = request.id_r().map(Id::identity);
        if request.auth().is_none() {
            tracing::info!(target: "IKE", "peer requested EAP authentication, which is not configured");
            return Err(Refusal::AuthMethod.into());
        }
        let shown = wanted.as_ref().unwrap_or(&Identity::Any);
        let Sa { path, remote_id, .. } = sa;
        tracing::info!(
            target: "CFG",
            "looking for peer configs matching {}[{shown}]...{}[{remote_id}]",
            path.local.ip(),
            path.remote.ip(),
        );
        let found = cx.env.config.peer_candidates(path, wanted.as_ref(), remote_id);
        let others = found.into_iter().take(CANDIDATES_MAX).collect();
        try_next(sa, cx, self.handshake, Box::new(request), others)
    }
}

/// Tries the connections that fit, in their order, until the peer's proof satisfies one.
fn try_next(
    sa: &mut Sa,
    cx: Cx<'_>,
    handshake: Handshake,
    request: Box<Message>,
    mut others: VecDeque<Arc<Connection>>,
) -> Result<State, Failure> {
    let mut failure = Failure::from(Refusal::NoConnection);
    while let Some(candidate) = others.pop_front() {
        match examine(sa, cx, &handshake, &request, &candidate) {
            Ok(Examined::Proven(proof)) => {
                return accept_peer(sa, cx, handshake, request, candidate, proof);
            }
            Ok(Examined::Job(job)) => {
                let job = sa.job(*job);
                let state = AwaitTrust { job, handshake, request, candidate, others };
                return Ok(State::AuthAwaitPeerTrust(Box::new(state)));
            }
            Err(why) => failure = why,
        }
    }
    if matches!(failure, Failure::Refused(Refusal::NoConnection)) {
        tracing::info!(target: "CFG", "no matching peer config found");
    }
    Err(failure)
}

enum Examined {
    Proven(PeerAuthenticated),
    Job(Box<crate::job::Job>),
}

fn examine(
    sa: &Sa,
    cx: Cx<'_>,
    handshake: &Handshake,
    request: &Message,
    candidate: &Connection,
) -> Result<Examined, Failure> {
    let rules = candidate.remote.first().ok_or(Refusal::NoConnection)?;
    let (Some(id), Some(auth)) = (request.id_i(), request.auth()) else {
        return Err(Refusal::AuthMethod.into());
    };
    if !peer::names(rules, &sa.remote_id) || !peer::allows(rules, auth.method) {
        return Err(Refusal::NoConnection.into());
    }
    tracing::info!(target: "CFG", "selected peer config '{}'", candidate.name);
    let octets = signed_octets(sa, cx, handshake, Role::Initiator, id)?;
    if matches!(rules.method, AuthMethod::Psk) {
        let wanted = request.id_r().map(Id::identity);
        let (local, _) = prepare(sa, cx, candidate, &sa.remote_id, wanted.as_ref())?;
        return peer::verify_psk(sa, cx, &local, &sa.remote_id, &octets, auth).map(Examined::Proven);
    }
    let job = peer::verify_job(cx, &sa.remote_id, rules, request, octets, auth)?;
    Ok(Examined::Job(Box::new(job)))
}

impl AwaitTrust {
    /// What the job found: success settles the connection, failure leads to the next one.
    pub(crate) fn handle(
        self,
        sa: &mut Sa,
        cx: Cx<'_>,
        result: Result<TrustedKey, VerifyFailure>,
    ) -> Result<State, Failure> {
        let Self { handshake, request, candidate, others, .. } = self;
        let verified = match (candidate.remote.first(), request.auth()) {
            (Some(rules), Some(auth)) => peer::verified(cx, &sa.remote_id, rules, auth, result),
            _ => Err(Refusal::NoConnection.into()),
        };
        match verified {
            Ok(proof) => accept_peer(sa, cx, handshake, request, candidate, proof),
            Err(failure) if others.is_empty() => Err(failure),
            Err(_) => {
                tracing::info!(target: "CFG", "selected peer config '{}' unacceptable", candidate.name);
                try_next(sa, cx, handshake, request, others)
            }
        }
    }
}

/// The peer is who it says; now it is our turn.
fn accept_peer(
    sa: &mut Sa,
    cx: Cx<'_>,
    handshake: Handshake,
    request: Box<Message>,
    connection: Arc<Connection>,
    proof: PeerAuthenticated,
) -> Result<State, Failure> {
    let wanted = request.id_r().map(Id::identity);
    let (local_id, own) = prepare(sa, cx, &connection, &sa.remote_id, wanted.as_ref())?;
    sa.local_id = local_id;
    sa.connection = Some(Arc::clone(&connection));
    let newcomer_refused = connection.ike.unique == Unique::Keep
        && !request.has_notify(NotifyType::INITIAL_CONTACT)
        && cx.env.peers.refuses(&sa.local_id, &sa.remote_id, &sa.path);
    if newcomer_refused {
        tracing::info!(target: "IKE", "cancelling IKE_SA setup due to uniqueness policy");
        return Err(Refusal::NotUnique.into());
    }
    let childless = request.sa().is_none();
    match connection.ike.childless {
        Childless::Never if childless => return Err(Refusal::Childless.into()),
        Childless::Force if !childless => return Err(Refusal::Childless.into()),
        Childless::Allow | Childless::Prefer | Childless::Never | Childless::Force => {}
    }
    let id = Id::of(&sa.local_id).ok_or(LocalFault::NoPrivateKey)?;
    let octets = signed_octets(sa, cx, &handshake, Role::Responder, &id)?;
    let proving = own.prove(sa, cx, octets)?;
    let plan = Plan { handshake, request, connection, proof, own, config: None };
    match proving {
        Proving::Done(auth) => plan.first_child(sa, cx, auth),
        Proving::Job(job) => {
            let job = sa.job(job);
            Ok(State::AuthAwaitOwnSignature(Box::new(AwaitSignature { job, plan })))
        }
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
        self.plan.first_child(sa, cx, auth)
    }
}

impl Plan {
    fn first_child(mut self, sa: &mut Sa, cx: Cx<'_>, auth: Auth) -> Result<State, Failure> {
        match config_payload::respond(sa, cx, &self.connection, &self.request) {
            Ok(config) => self.config = config,
            Err(failure) => return self.without_child(sa, cx, auth, &failure),
        }
        if self.request.sa().is_none() {
            return self.finish(sa, cx, auth, Vec::new());
        }
        match ChildChoice::select(sa, cx, &self.connection.children, &self.request, OwnKe::Never, None) {
            Ok(choice) => {
                let op = sa.kernel(vec![choice.reserve(sa, cx)]);
                Ok(State::AuthAwaitChildSpi(Box::new(AwaitSpi { op, plan: self, auth, choice })))
            }
            Err(failure) => self.without_child(sa, cx, auth, &failure),
        }
    }

    /// The IKE_SA stays, the child does not come to be (RFC 7296 §1.2).
    fn without_child(self, sa: &mut Sa, cx: Cx<'_>, auth: Auth, failure: &Failure) -> Result<State, Failure> {
        tracing::info!(target: "IKE", "{failure}");
        tracing::info!(target: "IKE", "failed to establish CHILD_SA, keeping IKE_SA");
        if cx.env.settings.close_ike_on_child_failure == Toggle::Enabled {
            sa.queue.push_front(Task::DeleteIke(CloseReason::Failed(failure.clone()), None));
        }
        let notify = notify_for(failure);
        self.finish(sa, cx, auth, vec![Payload::Notify(notify)])
    }

    fn finish(self, sa: &mut Sa, cx: Cx<'_>, auth: Auth, child: Vec<Payload>) -> Result<State, Failure> {
        let initial_contact = if self.request.has_notify(NotifyType::INITIAL_CONTACT) {
            InitialContact::Received
        } else {
            InitialContact::Absent
        };
        let id = Id::of(&sa.local_id).ok_or(LocalFault::NoPrivateKey)?;
        let mut payloads = vec![Payload::IdR(id)];
        payloads.extend(self.own.certificates());
        payloads.push(Payload::Auth(auth));
        payloads.extend(self.config);
        payloads.extend(child);
        mobike::agree(sa, cx, &self.connection, &self.request);
        if sa.mobility.agreed {
            payloads.extend(mobike::announce(sa, cx, &self.connection));
        }
        establish(sa, cx, self.proof, initial_contact);
        payloads.extend(sa.auth_lifetime(cx));
        sa.send_response(cx, payloads)?;
        Ok(State::established(None))
    }
}

impl AwaitSpi {
    /// The kernel answered.
    pub(crate) fn handle(self, sa: &mut Sa, cx: Cx<'_>, results: &[KernelResult]) -> Result<State, Failure> {
        let Self { plan, auth, choice, .. } = self;
        let source = KeySource {
            role: Role::Responder,
            nonce_i: &plan.handshake.nonce_i,
            nonce_r: &plan.handshake.nonce_r,
            shared: None,
        };
        let protocol = choice.selected.suite.protocol;
        let installing = reserved(sa, protocol, results).and_then(|spi| {
            let agreed = choice.clone().agree(sa, cx, spi);
            agreed.install(sa, cx, &source).inspect_err(|_| sa.release_spi(protocol, spi))
        });
        match installing {
            Ok(installing) => {
                let state = AwaitInstall { installing, plan, auth, choice };
                Ok(State::AuthAwaitInstall(Box::new(state)))
            }
            Err(failure) => plan.without_child(sa, cx, auth, &failure),
        }
    }
}

impl AwaitInstall {
    /// The kernel answered: now the peer may hear of the child, and the IKE_SA is established.
    pub(crate) fn handle(self, sa: &mut Sa, cx: Cx<'_>, results: &[KernelResult]) -> Result<State, Failure> {
        let Self { installing, plan, auth, choice } = self;
        if let Some(Err(error)) = results.iter().find(|result| result.is_err()) {
            let failure = LocalFault::Kernel(error.clone()).into();
            installing.undo(sa, cx, results);
            return plan.without_child(sa, cx, auth, &failure);
        }
        let spi: EspSpi = installing.spi_in();
        let state = plan.finish(sa, cx, auth, choice.payloads(spi, Vec::new()))?;
        installing.finish(sa, cx, results)?;
        Ok(state)
    }
}
