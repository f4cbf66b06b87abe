//! Integrity: HMAC (RFC 2404, RFC 4868), truncated.

use std::sync::Arc;

use charon_crypto::cipher::{Mac, MacKey};
use charon_crypto::{Algorithm, CryptoError};
use charon_types::Secret;
use charon_types::algorithm::IntegrityId;
use ring::hmac;

struct HmacMac {
    id: IntegrityId,
    inner: hmac::Algorithm,
    icv_len: usize,
}

impl Mac for HmacMac {
    fn id(&self) -> IntegrityId {
        self.id
    }

    fn key_len(&self) -> usize {
        self.inner.digest_algorithm().output_len()
    }

    fn icv_len(&self) -> usize {
        self.icv_len
    }

    fn key(&self, key: &Secret) -> Result<Box<dyn MacKey>, CryptoError> {
        if key.len() != self.key_len() {
            return Err(CryptoError::InvalidKey);
        }
        Ok(Box::new(HmacKey(hmac::Key::new(self.inner, key.expose()))))
    }
}

struct HmacKey(hmac::Key);

impl MacKey for HmacKey {
    fn sign(&self, parts: &[&[u8]], icv: &mut [u8]) {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        let tag = context.sign();
        icv.copy_from_slice(&tag.as_ref()[..icv.len()]);
    }
}

pub(crate) fn algorithms() -> Vec<Algorithm> {
    [
        (IntegrityId::HMAC_SHA2_256_128, hmac::HMAC_SHA256, 16),
        (IntegrityId::HMAC_SHA2_384_192, hmac::HMAC_SHA384, 24),
        (IntegrityId::HMAC_SHA2_512_256, hmac::HMAC_SHA512, 32),
        (IntegrityId::HMAC_SHA1_96, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, 12),
        (IntegrityId::HMAC_SHA1_160, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, 20),
        (IntegrityId::HMAC_SHA2_256_96, hmac::HMAC_SHA256, 12),
    ]
    .into_iter()
    .map(|(id, inner, icv_len)| Algorithm::Mac(Arc::new(HmacMac { id, inner, icv_len })))
    .collect()
}
