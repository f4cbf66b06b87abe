//! PRFs: HMAC (RFC 4868).

use std::sync::Arc;

use charon_crypto::prf::{Prf, PrfKey};
use charon_crypto::{Algorithm, CryptoError};
use charon_types::algorithm::PrfId;
use ring::hmac;

struct HmacPrf {
    id: PrfId,
    inner: hmac::Algorithm,
}

impl HmacPrf {
    fn len(&self) -> usize {
        self.inner.digest_algorithm().output_len()
    }
}

impl Prf for HmacPrf {
    fn id(&self) -> PrfId {
        self.id
    }

    fn key_len(&self) -> usize {
        self.len()
    }

    fn output_len(&self) -> usize {
        self.len()
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn PrfKey>, CryptoError> {
        Ok(Box::new(HmacPrfKey(hmac::Key::new(self.inner, key))))
    }
}

struct HmacPrfKey(hmac::Key);

impl PrfKey for HmacPrfKey {
    fn sign(&self, parts: &[&[u8]], out: &mut [u8]) {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        out.copy_from_slice(context.sign().as_ref());
    }
}

pub(crate) fn algorithms() -> Vec<Algorithm> {
    [
        (PrfId::HMAC_SHA2_256, hmac::HMAC_SHA256),
        (PrfId::HMAC_SHA2_384, hmac::HMAC_SHA384),
        (PrfId::HMAC_SHA2_512, hmac::HMAC_SHA512),
        (PrfId::HMAC_SHA1, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
    ]
    .into_iter()
    .map(|(id, inner)| Algorithm::Prf(Arc::new(HmacPrf { id, inner })))
    .collect()
}
