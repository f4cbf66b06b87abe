//! IKE_SA_INIT as responder: the request was admitted, the answer needs our half of the key exchange.

use charon_crypto::CryptoError;
use charon_crypto::kex::KeyResponse;
use charon_types::proposal::{IkeSuite, Offer, Selected};

use super::initiator::NONCE_LEN;
use super::{Handshake, announce};
use crate::admission::InitRequest;
use crate::exchange::ike_auth::responder::ExpectAuth;
use crate::failure::{Failure, LocalFault, Misbehaviour};
use crate::job::Job;
use crate::output::JobId;
use crate::sa::{Cx, Sa};
use crate::state::State;
use crate::wire::{Ke, Payload};

/// The key exchange is being answered.
pub(crate) struct AwaitSecret {
    pub(crate) job: JobId,
    request: Vec<u8>,
    nonce_i: Vec<u8>,
    selected: Selected<IkeSuite>,
}

/// Takes over an admitted request and begins the key exchange.
pub(crate) fn begin(sa: &mut Sa, cx: Cx<'_>, request: InitRequest) -> Result<State, Failure> {
    let InitRequest { message, octets, connection, selected, digest } = request;
    sa.remote_spi = Some(message.header.spi_initiator);
    sa.processing = Some(crate::sa::Processing {
        id: message.header.message_id,
        exchange: message.header.exchange,
        digest,
        path: sa.path,
    });
    tracing::info!(target: "IKE", "{} is initiating an IKE_SA", sa.path.remote.ip());
    tracing::info!(target: "CFG", "selected proposal: {}", selected.suite);
    sa.connection = Some(connection);
    sa.nat = crate::exchange::nat_detection::examine(sa, cx, &message);
    sa.peer = super::abilities(sa, cx, &message);
    let (Some(ke), Some(nonce)) = (message.ke(), message.nonce()) else {
        return Err(Misbehaviour::InvalidSyntax.into());
    };
    let exchange = cx.env.crypto.key_exchange(ke.method).ok_or(LocalFault::NoUsableProposal)?;
    let job = sa.job(Job::KeRespond(std::sync::Arc::clone(exchange), ke.data.clone()));
    Ok(State::InitAwaitResponse(Box::new(AwaitSecret {
        job,
        request: octets,
        nonce_i: nonce.to_vec(),
        selected,
    })))
}

impl AwaitSecret {
    /// Our half is there: derives the keys, answers, and waits for IKE_AUTH.
    pub(crate) fn handle(
        self,
        sa: &mut Sa,
        cx: Cx<'_>,
        response: Result<KeyResponse, CryptoError>,
    ) -> Result<State, Failure> {
        let KeyResponse { public, secret } = response.map_err(|error| match error {
            CryptoError::InvalidPublicValue => Failure::from(Misbehaviour::InvalidPublicValue),
            error => LocalFault::Crypto(error).into(),
        })?;
        let mut nonce_r = vec![0; NONCE_LEN];
        cx.env.crypto.random().fill(&mut nonce_r);
        let Selected { number, proposal, suite, .. } = self.selected;
        let mut payloads = vec![
            Payload::Sa(vec![Offer { number, spi: Vec::new(), proposal }]),
            Payload::Ke(Ke { method: suite.ke, data: public }),
            Payload::Nonce(nonce_r.clone()),
        ];
        if let Some(connection) = sa.connection.clone() {
            announce(sa, cx, &connection, &mut payloads);
        }
        let mut handshake =
            Handshake { request: self.request, response: Vec::new(), nonce_i: self.nonce_i, nonce_r };
        handshake.derive(sa, cx, suite, &secret)?;
        handshake.response = sa.send_init_response(cx, payloads);
        Ok(State::AuthExpectRequest(Box::new(ExpectAuth { handshake })))
    }
}
