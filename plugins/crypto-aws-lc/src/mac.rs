//! Integrity: HMAC (RFC 2404, RFC 4868) and AES-CMAC-96 (RFC 4494), truncated.

use std::sync::Arc;

use aws_lc_rs::{cmac, hmac};
use charon_crypto::cipher::{Mac, MacKey};
use charon_crypto::{Algorithm, CryptoError};
use charon_types::Secret;
use charon_types::algorithm::IntegrityId;

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
        self.inner.tag_len()
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

const CMAC_KEY_LEN: usize = 16;
const CMAC_96_LEN: usize = 12;

struct CmacMac;

impl Mac for CmacMac {
    fn id(&self) -> IntegrityId {
        IntegrityId::AES_CMAC_96
    }

    fn key_len(&self) -> usize {
        CMAC_KEY_LEN
    }

    fn icv_len(&self) -> usize {
        CMAC_96_LEN
    }

    fn key(&self, key: &Secret) -> Result<Box<dyn MacKey>, CryptoError> {
        let key = cmac::Key::new(cmac::AES_128, key.expose()).map_err(|_| CryptoError::InvalidKey)?;
        Ok(Box::new(CmacKey(key)))
    }
}

struct CmacKey(cmac::Key);

impl MacKey for CmacKey {
    fn sign(&self, parts: &[&[u8]], icv: &mut [u8]) {
        cmac(&self.0, parts, icv);
    }
}

/// The first octets of the CMAC over the concatenation of `parts`.
pub(crate) fn cmac(key: &cmac::Key, parts: &[&[u8]], out: &mut [u8]) {
    let mut context = cmac::Context::with_key(key);
    for part in parts {
        context.update(part).expect("CMAC takes any input");
    }
    let tag = context.sign().expect("CMAC has an output for any input");
    out.copy_from_slice(&tag.as_ref()[..out.len()]);
}

pub(crate) fn algorithms() -> Vec<Algorithm> {
    let mut all: Vec<_> = [
        (IntegrityId::HMAC_SHA2_256_128, hmac::HMAC_SHA256, 16),
        (IntegrityId::HMAC_SHA2_384_192, hmac::HMAC_SHA384, 24),
        (IntegrityId::HMAC_SHA2_512_256, hmac::HMAC_SHA512, 32),
        (IntegrityId::HMAC_SHA1_96, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, 12),
        (IntegrityId::HMAC_SHA1_160, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, 20),
        (IntegrityId::HMAC_SHA2_256_96, hmac::HMAC_SHA256, 12),
    ]
    .into_iter()
    .map(|(id, inner, icv_len)| Algorithm::Mac(Arc::new(HmacMac { id, inner, icv_len })))
    .collect();
    all.push(Algorithm::Mac(Arc::new(CmacMac)));
    all
}
