//! AUTH by a shared key: prf(prf(key, "Key Pad for IKEv2"), octets).

use charon_crypto::CryptoError;
use charon_crypto::prf::Prf;
use charon_types::secret::Secret;

const KEY_PAD: &[u8] = b"Key Pad for IKEv2";

/// The AUTH data for a pre-shared key (or an EAP method's MSK).
///
/// # Errors
/// As the PRF.
pub fn auth(prf: &dyn Prf, key: &Secret, octets: &[u8]) -> Result<Secret, CryptoError> {
    let padded = prf.once(key.expose(), &[KEY_PAD])?;
    prf.once(padded.expose(), &[octets])
}

/// Whether `data` is the AUTH data for the key, in constant time.
///
/// # Errors
/// As the PRF.
pub fn verify(prf: &dyn Prf, key: &Secret, octets: &[u8], data: &[u8]) -> Result<(), CryptoError> {
    if auth(prf, key, octets)? == Secret::copy_from(data) { Ok(()) } else { Err(CryptoError::Forged) }
}
