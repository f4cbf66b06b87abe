//! The peer replaces the IKE_SA: `AwaitSecret -> answered`.

use std::sync::Arc;

use charon_crypto::CryptoError;
use charon_crypto::kex::KeyResponse;
use charon_types::id::{IkeSpi, Role};
use charon_types::proposal::{IkeSuite, Offer, Preference, Selected, select};

use super::{children_are_quiet, cross, ike_spi, peers_completed, peers_failed, prf_in_use_first};
use crate::exchange::create_child::initiator::Active;
use crate::exchange::create_child::responder::Passive;
use crate::exchange::ike_sa_init::initiator::NONCE_LEN;
use crate::failure::{Failure, Incompatibility, LocalFault, Misbehaviour, Refusal};
use crate::job::Job;
use crate::keymat::Exchange;
use crate::output::JobId;
use crate::proposal::usable_for_ike;
use crate::sa::{Cx, Sa};
use crate::successor::Unborn;
use crate::task::Task;
use crate::wire::{Ke, Message, Payload, PayloadType};

/// The key exchange is being answered.
pub(crate) struct AwaitSecret {
    pub(crate) job: JobId,
    selected: Selected<IkeSuite>,
    remote_spi: IkeSpi,
    local_spi: IkeSpi,
    nonce_i: Vec<u8>,
    nonce_r: Vec<u8>,
}

/// Takes up the peer's wish, unless something of ours is in its way. An attempt of ours of which the peer does not know gives way.
pub(crate) fn begin(
    sa: &mut Sa,
    cx: Cx<'_>,
    active: &mut Option<Active>,
    request: &Message,
) -> Result<Passive, Failure> {
    let ours_is_out = match active {
        None => false,
        Some(active) if active.lets_ike_be_replaced() => active.replaces_ike() && active.is_out(),
        Some(_) => return Err(Refusal::Temporary.into()),
    };
    if sa.succeeded || sa.deleting || sa.reauthenticating || !children_are_quiet(sa) {
        return Err(Refusal::Temporary.into());
    }
    let connection = sa.connection.clone().ok_or(Refusal::NoConnection)?;
    let offered = request.sa().ok_or(Misbehaviour::MissingPayload(PayloadType::SA.0))?;
    let nonce_i = request.nonce().ok_or(Misbehaviour::MissingPayload(PayloadType::NONCE.0))?.to_vec();
    let ke = request.ke().ok_or(Misbehaviour::MissingPayload(PayloadType::KE.0))?;
    let mut usable = usable_for_ike(&connection.ike.proposals, cx.env.crypto);
    if let Some(suite) = &sa.suite {
        prf_in_use_first(&mut usable, suite.prf);
    }
    let configured_first = cx.env.settings.prefer_configured_proposals.is_enabled();
    let preference = if configured_first { Preference::Configured } else { Preference::Offered };
    let selected = select::<IkeSuite>(&usable, offered, preference).ok_or(Incompatibility::NoProposal)?;
    let remote_spi = ike_spi(&selected.spi).ok_or(Misbehaviour::InvalidSyntax)?;
    if selected.suite.ke != ke.method {
        return Err(Incompatibility::KeMethod(selected.suite.ke).into());
    }
    let exchange = cx.env.crypto.key_exchange(ke.method).ok_or(LocalFault::NoUsableProposal)?;
    tracing::info!(target: "IKE", "{} is initiating an IKE_SA", sa.path.remote.ip());
    tracing::info!(target: "CFG", "selected proposal: {}", selected.suite);
    let mut nonce_r = vec![0; NONCE_LEN];
    cx.env.crypto.random().fill(&mut nonce_r);
    if ours_is_out {
        cross(sa, &nonce_i, &nonce_r);
    } else if let Some(Active::RekeyIke(unsent)) =
        active.take_if(|active| matches!(active, Active::RekeyIke(_)))
    {
        sa.queue.push_front(Task::RekeyIke(unsent.token()));
    }
    let job = sa.job(Job::KeRespond(Arc::clone(exchange), ke.data.clone()));
    let local_spi = cx.env.ids.ike_spi(sa.local_spi);
    let state = AwaitSecret { job, selected, remote_spi, local_spi, nonce_i, nonce_r };
    Ok(Passive::RekeyIke(Box::new(state)))
}

impl AwaitSecret {
    /// The secret is there: answers, and the new IKE_SA can be.
    pub(crate) fn handle(
        self,
        sa: &mut Sa,
        cx: Cx<'_>,
        response: Result<KeyResponse, CryptoError>,
    ) -> Result<(), Failure> {
        if sa.succeeded {
            // Our own exchange has won meanwhile.
            return Err(Refusal::Temporary.into());
        }
        let (unborn, payloads) = self.derive(sa, cx, response).inspect_err(|_| peers_failed(sa, cx))?;
        sa.send_response(cx, payloads)?;
        peers_completed(sa, cx, unborn);
        Ok(())
    }

    fn derive(
        self,
        sa: &Sa,
        cx: Cx<'_>,
        response: Result<KeyResponse, CryptoError>,
    ) -> Result<(Unborn, Vec<Payload>), Failure> {
        let KeyResponse { public, secret } = response.map_err(|error| match error {
            CryptoError::InvalidPublicValue => Failure::from(Misbehaviour::InvalidPublicValue),
            error => LocalFault::Crypto(error).into(),
        })?;
        let exchange = Exchange {
            secret: &secret,
            nonce_i: &self.nonce_i,
            nonce_r: &self.nonce_r,
            spi_i: self.remote_spi,
            spi_r: self.local_spi,
        };
        let suite = self.selected.suite;
        let old = sa.keys.as_ref().ok_or(LocalFault::Crypto(CryptoError::InvalidKey))?;
        let keys =
            old.rekeyed(cx.env.crypto, &suite, Role::Responder, &exchange).map_err(LocalFault::Crypto)?;
        let payloads = vec![
            Payload::Sa(vec![Offer {
                number: self.selected.number,
                spi: self.local_spi.to_be_bytes().to_vec(),
                proposal: self.selected.proposal,
            }]),
            Payload::Nonce(self.nonce_r),
            Payload::Ke(Ke { method: suite.ke, data: public }),
        ];
        let unborn = Unborn {
            role: Role::Responder,
            unique_id: cx.env.ids.ike_unique_id(),
            local_spi: self.local_spi,
            remote_spi: self.remote_spi,
            suite,
            keys,
        };
        Ok((unborn, payloads))
    }
}
