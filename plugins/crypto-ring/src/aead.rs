//! AES-GCM (RFC 4106, RFC 5282) and ChaCha20-Poly1305 (RFC 7634).

use std::sync::Arc;

use charon_crypto::cipher::{Aead, AeadKey};
use charon_crypto::{Algorithm, CryptoError};
use charon_types::Secret;
use charon_types::algorithm::EncryptionId;
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, Tag, UnboundKey};

const SALT_LEN: usize = 4;
const IV_LEN: usize = 8;
const NONCE_LEN: usize = SALT_LEN + IV_LEN;
const ICV_LEN: usize = 16;

struct FullTag {
    id: EncryptionId,
    key_bits: u16,
    inner: &'static ring::aead::Algorithm,
}

impl Aead for FullTag {
    fn id(&self) -> EncryptionId {
        self.id
    }

    fn key_bits(&self) -> u16 {
        self.key_bits
    }

    fn key_material_len(&self) -> usize {
        self.inner.key_len() + SALT_LEN
    }

    fn iv_len(&self) -> usize {
        IV_LEN
    }

    fn icv_len(&self) -> usize {
        ICV_LEN
    }

    fn key(&self, material: &Secret) -> Result<Box<dyn AeadKey>, CryptoError> {
        let (key, salt) =
            material.expose().split_at_checked(self.inner.key_len()).ok_or(CryptoError::InvalidKey)?;
        let salt = salt.try_into().map_err(|_| CryptoError::InvalidKey)?;
        let key = UnboundKey::new(self.inner, key).map_err(|_| CryptoError::InvalidKey)?;
        Ok(Box::new(FullTagKey { key: LessSafeKey::new(key), salt }))
    }
}

struct FullTagKey {
    key: LessSafeKey,
    salt: [u8; SALT_LEN],
}

impl FullTagKey {
    fn nonce(&self, iv: &[u8]) -> Result<Nonce, CryptoError> {
        let iv: [u8; IV_LEN] = iv.try_into().map_err(|_| CryptoError::InvalidLength)?;
        let mut nonce = [0; NONCE_LEN];
        nonce[..SALT_LEN].copy_from_slice(&self.salt);
        nonce[SALT_LEN..].copy_from_slice(&iv);
        Ok(Nonce::assume_unique_for_key(nonce))
    }
}

fn split_icv(packet: &mut [u8]) -> Result<(&mut [u8], &mut [u8; ICV_LEN]), CryptoError> {
    packet.split_last_chunk_mut().ok_or(CryptoError::InvalidLength)
}

impl AeadKey for FullTagKey {
    fn seal(&self, iv: &[u8], aad: &[u8], packet: &mut [u8]) -> Result<(), CryptoError> {
        let nonce = self.nonce(iv)?;
        let (data, icv) = split_icv(packet)?;
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(aad), data)
            .map_err(|_| CryptoError::Provider)?;
        icv.copy_from_slice(tag.as_ref());
        Ok(())
    }

    fn open(&self, iv: &[u8], aad: &[u8], packet: &mut [u8]) -> Result<(), CryptoError> {
        let nonce = self.nonce(iv)?;
        let (data, icv) = split_icv(packet)?;
        let tag = Tag::from(*icv);
        match self.key.open_in_place_separate_tag(nonce, Aad::from(aad), tag, data, 0..) {
            Ok(_) => Ok(()),
            Err(_) => Err(CryptoError::Forged),
        }
    }
}

pub(crate) fn algorithms() -> Vec<Algorithm> {
    [
        (EncryptionId::AES_GCM_16, 128, &AES_128_GCM),
        (EncryptionId::AES_GCM_16, 256, &AES_256_GCM),
        (EncryptionId::CHACHA20_POLY1305, 0, &CHACHA20_POLY1305),
    ]
    .into_iter()
    .map(|(id, key_bits, inner)| Algorithm::Aead(Arc::new(FullTag { id, key_bits, inner })))
    .collect()
}
