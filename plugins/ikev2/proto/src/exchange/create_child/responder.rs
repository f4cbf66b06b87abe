//! A child that the peer asks for under an established IKE_SA: `AwaitSpi [-> AwaitSecret] -> AwaitInstall -> answered`.

use std::sync::Arc;

use charon_crypto::CryptoError;
use charon_crypto::kex::KeyResponse;
use charon_types::Secret;
use charon_types::id::{EspSpi, Role, UniqueId};
use charon_types::kernel_op::KernelResult;
use charon_types::proposal::Protocol;

use super::answer::ChildChoice;
use super::install::{Installing, KeySource};
use super::offer::OwnKe;
use super::rekey_child::{self, Wanted};
use super::spis::reserved;
use crate::exchange::ike_sa_init::initiator::NONCE_LEN;
use crate::exchange::rekey_ike;
use crate::failure::{Failure, Incompatibility, LocalFault, Misbehaviour, Refusal};
use crate::job::{Job, JobResult};
use crate::output::{JobId, OpId};
use crate::sa::{Cx, Sa};
use crate::wire::{Ke, Message, Payload, PayloadType};

/// A request of the peer under way: what it waits for.
pub(crate) enum Passive {
    /// Our SPI is being reserved.
    Spi(Box<AwaitSpi>),
    /// The key exchange is being answered.
    Secret(Box<AwaitSecret>),
    /// The kernel installs it.
    Install(Box<AwaitInstall>),
    /// The IKE_SA is being replaced.
    RekeyIke(Box<rekey_ike::responder::AwaitSecret>),
}

/// See [`Passive::Spi`].
pub(crate) struct AwaitSpi {
    op: OpId,
    plan: Plan,
}

/// See [`Passive::Secret`].
pub(crate) struct AwaitSecret {
    job: JobId,
    plan: Plan,
    spi: EspSpi,
}

/// See [`Passive::Install`].
pub(crate) struct AwaitInstall {
    installing: Installing,
    payloads: Vec<Payload>,
}

struct Plan {
    choice: ChildChoice,
    nonce_i: Vec<u8>,
    nonce_r: Vec<u8>,
    ke: Option<Ke>,
}

/// Takes up a CREATE_CHILD_SA request about a child: a new one, or one that replaces another.
pub(crate) fn begin(sa: &mut Sa, cx: Cx<'_>, request: &Message) -> Result<Passive, Failure> {
    let connection = sa.connection.clone().ok_or(Refusal::NoConnection)?;
    let nonce_i = request.nonce().ok_or(Misbehaviour::MissingPayload(PayloadType::NONCE.0))?.to_vec();
    let choice = match rekey_child::wanted(sa, request)? {
        None => ChildChoice::select(sa, cx, &connection.children, request, OwnKe::AsConfigured, None),
        Some(Wanted { old, config }) => {
            ChildChoice::select(sa, cx, &[config], request, OwnKe::AsConfigured, Some(old))
        }
    }?;
    let ke = match (choice.selected.suite.ke, request.ke()) {
        (None, _) => None,
        (Some(method), Some(ke)) if ke.method == method => Some(ke.clone()),
        (Some(method), _) => return Err(Incompatibility::KeMethod(method).into()),
    };
    let mut nonce_r = vec![0; NONCE_LEN];
    cx.env.crypto.random().fill(&mut nonce_r);
    if let Some(old) = choice.replaces {
        rekey_child::confirm(sa, cx, old);
        rekey_child::accept(sa, old, &nonce_i, &nonce_r);
    }
    let op = sa.kernel(vec![choice.reserve(sa, cx)]);
    Ok(Passive::Spi(Box::new(AwaitSpi { op, plan: Plan { choice, nonce_i, nonce_r, ke } })))
}

impl Passive {
    /// The job it waits for.
    pub(crate) fn awaits_job(&self) -> Option<JobId> {
        match self {
            Self::Secret(state) => Some(state.job),
            Self::RekeyIke(state) => Some(state.job),
            Self::Spi(_) | Self::Install(_) => None,
        }
    }

    /// The kernel batch it waits for.
    pub(crate) fn awaits_op(&self) -> Option<OpId> {
        match self {
            Self::Spi(state) => Some(state.op),
            Self::Install(state) => Some(state.installing.op),
            Self::Secret(_) | Self::RekeyIke(_) => None,
        }
    }

    /// strongSwan's name.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Spi(_) | Self::Secret(_) | Self::Install(_) => "CHILD_CREATE",
            Self::RekeyIke(_) => "IKE_REKEY",
        }
    }

    /// Whether it replaces the IKE_SA.
    pub(crate) const fn replaces_ike(&self) -> bool {
        matches!(self, Self::RekeyIke(_))
    }

    /// A job is done.
    pub(crate) fn handle_job(
        self,
        sa: &mut Sa,
        cx: Cx<'_>,
        result: JobResult,
    ) -> Result<Option<Self>, Failure> {
        let replaces = self.replaces();
        let next = match (self, result) {
            (Self::Secret(state), JobResult::KeRespond(response)) => state.handle(sa, cx, response).map(Some),
            (Self::RekeyIke(state), JobResult::KeRespond(response)) => {
                return state.handle(sa, cx, response).map(|()| None);
            }
            (passive, _) => Ok(Some(passive)),
        };
        next.inspect_err(|_| give_up(sa, cx, replaces))
    }

    /// The kernel answered. `None`: the request is answered. A failure is the answer.
    pub(crate) fn handle_kernel(
        self,
        sa: &mut Sa,
        cx: Cx<'_>,
        results: &[KernelResult],
    ) -> Result<Option<Self>, Failure> {
        let replaces = self.replaces();
        self.go_on(sa, cx, results).inspect_err(|_| give_up(sa, cx, replaces))
    }

    fn go_on(self, sa: &mut Sa, cx: Cx<'_>, results: &[KernelResult]) -> Result<Option<Self>, Failure> {
        match self {
            Self::Spi(state) => {
                let spi = reserved(sa, state.plan.protocol(), results)?;
                state.plan.begin(sa, cx, spi).map(Some)
            }
            Self::Install(state) => {
                let AwaitInstall { installing, payloads } = *state;
                if results.iter().all(Result::is_ok) {
                    sa.send_response(cx, payloads)?;
                }
                installing.finish(sa, cx, results).map(|()| None)
            }
            Self::Secret(_) | Self::RekeyIke(_) => Ok(Some(self)),
        }
    }

    /// The child that it replaces.
    pub(crate) fn replaces(&self) -> Option<UniqueId> {
        match self {
            Self::Spi(state) => state.plan.choice.replaces,
            Self::Secret(state) => state.plan.choice.replaces,
            Self::Install(state) => state.installing.replaces(),
            Self::RekeyIke(_) => None,
        }
    }

    /// The IKE_SA ends: takes out of the kernel what was on its way in.
    pub(crate) fn abandon(self, sa: &mut Sa, cx: Cx<'_>) {
        match self {
            Self::Spi(_) | Self::Secret(_) | Self::RekeyIke(_) => {}
            Self::Install(state) => state.installing.abandon(sa, cx),
        }
    }
}

/// The request is refused after all: the child that it was to replace stays.
fn give_up(sa: &mut Sa, cx: Cx<'_>, replaces: Option<UniqueId>) {
    if let Some(old) = replaces {
        rekey_child::not_replaced(sa, cx, old);
    }
}

impl Plan {
    fn protocol(&self) -> Protocol {
        self.choice.selected.suite.protocol
    }

    fn begin(mut self, sa: &mut Sa, cx: Cx<'_>, spi: EspSpi) -> Result<Passive, Failure> {
        let Some(ke) = self.ke.take() else { return self.install(sa, cx, spi, None) };
        let Some(exchange) = cx.env.crypto.key_exchange(ke.method) else {
            sa.release_spi(self.protocol(), spi);
            return Err(LocalFault::NoUsableProposal.into());
        };
        let job = sa.job(Job::KeRespond(Arc::clone(exchange), ke.data.clone()));
        self.ke = Some(ke);
        Ok(Passive::Secret(Box::new(AwaitSecret { job, plan: self, spi })))
    }

    fn install(
        self,
        sa: &mut Sa,
        cx: Cx<'_>,
        spi: EspSpi,
        own: Option<(Ke, &Secret)>,
    ) -> Result<Passive, Failure> {
        let mut between = vec![Payload::Nonce(self.nonce_r.clone())];
        let (ke, shared) = own.unzip();
        between.extend(ke.map(Payload::Ke));
        let payloads = self.choice.payloads(spi, between);
        let source =
            KeySource { role: Role::Responder, nonce_i: &self.nonce_i, nonce_r: &self.nonce_r, shared };
        let protocol = self.protocol();
        let agreed = self.choice.clone().agree(sa, cx, spi);
        let installing = agreed.install(sa, cx, &source).inspect_err(|_| sa.release_spi(protocol, spi))?;
        Ok(Passive::Install(Box::new(AwaitInstall { installing, payloads })))
    }
}

impl AwaitSecret {
    fn handle(
        self,
        sa: &mut Sa,
        cx: Cx<'_>,
        response: Result<KeyResponse, CryptoError>,
    ) -> Result<Passive, Failure> {
        let Self { plan, spi, .. } = self;
        match (response, plan.choice.selected.suite.ke) {
            (Ok(KeyResponse { public, secret }), Some(method)) => {
                plan.install(sa, cx, spi, Some((Ke { method, data: public }, &secret)))
            }
            (Err(CryptoError::InvalidPublicValue), _) => {
                sa.release_spi(plan.protocol(), spi);
                Err(Misbehaviour::InvalidPublicValue.into())
            }
            (Err(error), _) => {
                sa.release_spi(plan.protocol(), spi);
                Err(LocalFault::Crypto(error).into())
            }
            (Ok(_), None) => Err(LocalFault::NoUsableProposal.into()),
        }
    }
}
