//! The AUTH payload (RFC 7296 §2.15, RFC 7427, RFC 4754).

pub mod psk;
pub mod signature;

use charon_crypto::CryptoError;
use charon_crypto::prf::Prf;
use charon_types::secret::Secret;

/// What one side proves to have sent and been.
#[derive(Clone, Copy)]
pub struct Claim<'a> {
    /// Its IKE_SA_INIT message, as sent (the last one, with cookie), without non-ESP marker.
    pub message: &'a [u8],
    /// The other side's nonce.
    pub peer_nonce: &'a [u8],
    /// Its SK_p.
    pub sk_p: &'a Secret,
    /// Body of its ID payload, reserved octets as sent.
    pub id: &'a [u8],
}

/// The octets that are signed or MACed: message ‖ nonce of the other side ‖ prf(SK_p, ID body).
///
/// # Errors
/// As the PRF.
pub fn signed_octets(prf: &dyn Prf, claim: &Claim<'_>) -> Result<Vec<u8>, CryptoError> {
    let maced_id = prf.once(claim.sk_p.expose(), &[claim.id])?;
    Ok([claim.message, claim.peer_nonce, maced_id.expose()].concat())
}
