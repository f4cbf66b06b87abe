//! IKE_AUTH (RFC 7296 §1.2, §2.15, §2.16): what both roles do alike.

pub(crate) mod initiator;
pub(crate) mod own;
pub(crate) mod peer;
pub(crate) mod responder;

use std::sync::Arc;

use charon_crypto::CryptoError;
use charon_crypto::prf::Prf;
use charon_types::algorithm::PrfId;
use charon_types::id::Role;

use self::peer::PeerAuthenticated;
use super::ike_sa_init::Handshake;
use crate::auth::{Claim, signed_octets as signed_octets_of};
use crate::failure::{Failure, LocalFault};
use crate::output::{IkeEvent, InitialContact, Output};
use crate::sa::{Cx, Sa};
use crate::timer::Timer;
use crate::wire::Id;

/// The octets that `signer` signs (RFC 7296 §2.15).
fn signed_octets(
    sa: &Sa,
    cx: Cx<'_>,
    handshake: &Handshake,
    signer: Role,
    id: &Id,
) -> Result<Vec<u8>, Failure> {
    let (Some(keys), Some(suite)) = (&sa.keys, &sa.suite) else {
        return Err(LocalFault::Crypto(CryptoError::InvalidKey).into());
    };
    let claim = Claim {
        message: handshake.sent(signer),
        peer_nonce: handshake.nonce(signer.peer()),
        sk_p: keys.sk_p(signer),
        id: &id.octets(),
    };
    Ok(signed_octets_of(prf(cx, suite.prf)?, &claim).map_err(LocalFault::Crypto)?)
}

/// The PRF of an IKE_SA.
fn prf<'a>(cx: Cx<'a>, id: PrfId) -> Result<&'a dyn Prf, Failure> {
    Ok(cx.env.crypto.prf(id).ok_or(LocalFault::Crypto(CryptoError::Unsupported))?)
}

/// Both sides are authenticated: the IKE_SA is established.
fn establish(sa: &mut Sa, cx: Cx<'_>, _proof: PeerAuthenticated, initial_contact: InitialContact) {
    let Some(connection) = sa.connection.clone() else { return };
    let now = cx.now.mono;
    sa.clock.established = Some(now);
    sa.timers.stop(Timer::HalfOpen);
    tracing::error!(
        target: "IKE",
        "IKE_SA {}[{}] established between {}[{}]...{}[{}]",
        sa.name(),
        sa.unique_id,
        sa.path.local.ip(),
        sa.local_id,
        sa.path.remote.ip(),
        sa.remote_id,
    );
    sa.schedule(cx, None);
    sa.arm_signs_of_life(cx);
    let snapshot = Arc::new(sa.snapshot(now));
    sa.output(Output::Event(IkeEvent::Established { sa: snapshot, connection, initial_contact }));
}
