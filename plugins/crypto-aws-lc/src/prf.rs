//! PRFs: HMAC (RFC 4868) and AES-CMAC (RFC 4615).

use std::sync::Arc;

use aws_lc_rs::{cmac, hmac};
use charon_crypto::prf::{Prf, PrfKey};
use charon_crypto::{Algorithm, CryptoError};
use charon_types::algorithm::PrfId;
use zeroize::Zeroizing;

struct HmacPrf {
    id: PrfId,
    inner: hmac::Algorithm,
}

impl Prf for HmacPrf {
    fn id(&self) -> PrfId {
        self.id
    }

    fn key_len(&self) -> usize {
        self.inner.tag_len()
    }

    fn output_len(&self) -> usize {
        self.inner.tag_len()
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

const CMAC_LEN: usize = 16;

struct CmacPrf;

impl Prf for CmacPrf {
    fn id(&self) -> PrfId {
        PrfId::AES128_CMAC
    }

    fn key_len(&self) -> usize {
        CMAC_LEN
    }

    fn output_len(&self) -> usize {
        CMAC_LEN
    }

    /// Keys of another length are first hashed by AES-CMAC under a zero key (RFC 4615 §3).
    fn key(&self, key: &[u8]) -> Result<Box<dyn PrfKey>, CryptoError> {
        if key.len() == CMAC_LEN {
            return Ok(Box::new(CmacPrfKey(cmac_key(key)?)));
        }
        let mut derived = Zeroizing::new([0; CMAC_LEN]);
        CmacPrfKey(cmac_key(&[0; CMAC_LEN])?).sign(&[key], &mut *derived);
        Ok(Box::new(CmacPrfKey(cmac_key(&*derived)?)))
    }
}

fn cmac_key(key: &[u8]) -> Result<cmac::Key, CryptoError> {
    cmac::Key::new(cmac::AES_128, key).map_err(|_| CryptoError::InvalidKey)
}

struct CmacPrfKey(cmac::Key);

impl PrfKey for CmacPrfKey {
    fn sign(&self, parts: &[&[u8]], out: &mut [u8]) {
        crate::mac::cmac(&self.0, parts, out);
    }
}

pub(crate) fn algorithms() -> Vec<Algorithm> {
    let mut all: Vec<_> = [
        (PrfId::HMAC_SHA2_256, hmac::HMAC_SHA256),
        (PrfId::HMAC_SHA2_384, hmac::HMAC_SHA384),
        (PrfId::HMAC_SHA2_512, hmac::HMAC_SHA512),
        (PrfId::HMAC_SHA1, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
    ]
    .into_iter()
    .map(|(id, inner)| Algorithm::Prf(Arc::new(HmacPrf { id, inner })))
    .collect();
    all.push(Algorithm::Prf(Arc::new(CmacPrf)));
    all
}
