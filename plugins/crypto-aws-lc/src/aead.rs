//! AES-GCM (RFC 4106, RFC 5282) and ChaCha20-Poly1305 (RFC 7634).

use std::sync::Arc;

use aws_lc_rs::aead::{
    AES_128_GCM, AES_192_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey,
};
use charon_crypto::cipher::{Aead, AeadKey};
use charon_crypto::{Algorithm, CryptoError};
use charon_types::Secret;
use charon_types::algorithm::EncryptionId;

use crate::sys::aead::{ShortTagGcm, gcm};

const SALT_LEN: usize = 4;
const IV_LEN: usize = 8;
const NONCE_LEN: usize = SALT_LEN + IV_LEN;
const ICV_LEN: usize = 16;

fn nonce(salt: [u8; SALT_LEN], iv: &[u8]) -> Result<[u8; NONCE_LEN], CryptoError> {
    let iv: [u8; IV_LEN] = iv.try_into().map_err(|_| CryptoError::InvalidLength)?;
    let mut nonce = [0; NONCE_LEN];
    nonce[..SALT_LEN].copy_from_slice(&salt);
    nonce[SALT_LEN..].copy_from_slice(&iv);
    Ok(nonce)
}

/// Key material as key and salt.
fn split_salt(material: &Secret, key_len: usize) -> Result<(&[u8], [u8; SALT_LEN]), CryptoError> {
    let (key, salt) = material.expose().split_at_checked(key_len).ok_or(CryptoError::InvalidKey)?;
    Ok((key, salt.try_into().map_err(|_| CryptoError::InvalidKey)?))
}

fn split_icv(packet: &mut [u8], icv_len: usize) -> Result<(&mut [u8], &mut [u8]), CryptoError> {
    let at = packet.len().checked_sub(icv_len).ok_or(CryptoError::InvalidLength)?;
    Ok(packet.split_at_mut(at))
}

struct FullTag {
    id: EncryptionId,
    key_bits: u16,
    inner: &'static aws_lc_rs::aead::Algorithm,
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
        let (key, salt) = split_salt(material, self.inner.key_len())?;
        let key = UnboundKey::new(self.inner, key).map_err(|_| CryptoError::InvalidKey)?;
        Ok(Box::new(FullTagKey { key: LessSafeKey::new(key), salt }))
    }
}

struct FullTagKey {
    key: LessSafeKey,
    salt: [u8; SALT_LEN],
}

impl AeadKey for FullTagKey {
    fn seal(&self, iv: &[u8], aad: &[u8], packet: &mut [u8]) -> Result<(), CryptoError> {
        let nonce = Nonce::assume_unique_for_key(nonce(self.salt, iv)?);
        let (data, icv) = split_icv(packet, ICV_LEN)?;
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(aad), data)
            .map_err(|_| CryptoError::Provider)?;
        icv.copy_from_slice(tag.as_ref());
        Ok(())
    }

    fn open(&self, iv: &[u8], aad: &[u8], packet: &mut [u8]) -> Result<(), CryptoError> {
        let nonce = Nonce::assume_unique_for_key(nonce(self.salt, iv)?);
        let (data, icv) = split_icv(packet, ICV_LEN)?;
        match self.key.open_in_place_separate_tag(nonce, Aad::from(aad), icv, data) {
            Ok(_) => Ok(()),
            Err(_) => Err(CryptoError::Forged),
        }
    }
}

struct ShortTag {
    id: EncryptionId,
    key_bits: u16,
    icv_len: u8,
}

impl ShortTag {
    fn key_len(&self) -> usize {
        usize::from(self.key_bits / 8)
    }
}

impl Aead for ShortTag {
    fn id(&self) -> EncryptionId {
        self.id
    }

    fn key_bits(&self) -> u16 {
        self.key_bits
    }

    fn key_material_len(&self) -> usize {
        self.key_len() + SALT_LEN
    }

    fn iv_len(&self) -> usize {
        IV_LEN
    }

    fn icv_len(&self) -> usize {
        usize::from(self.icv_len)
    }

    fn key(&self, material: &Secret) -> Result<Box<dyn AeadKey>, CryptoError> {
        let (key, salt) = split_salt(material, self.key_len())?;
        let inner = gcm(self.key_bits).ok_or(CryptoError::Unsupported)?;
        let gcm = ShortTagGcm::new(inner, key, self.icv_len())?;
        Ok(Box::new(ShortTagKey { gcm, salt, icv_len: self.icv_len() }))
    }
}

struct ShortTagKey {
    gcm: ShortTagGcm,
    salt: [u8; SALT_LEN],
    icv_len: usize,
}

impl AeadKey for ShortTagKey {
    fn seal(&self, iv: &[u8], aad: &[u8], packet: &mut [u8]) -> Result<(), CryptoError> {
        let nonce = nonce(self.salt, iv)?;
        let (data, icv) = split_icv(packet, self.icv_len)?;
        self.gcm.seal(&nonce, aad, data, icv)
    }

    fn open(&self, iv: &[u8], aad: &[u8], packet: &mut [u8]) -> Result<(), CryptoError> {
        let nonce = nonce(self.salt, iv)?;
        let (data, icv) = split_icv(packet, self.icv_len)?;
        self.gcm.open(&nonce, aad, data, icv)
    }
}

pub(crate) fn algorithms() -> Vec<Algorithm> {
    let mut all: Vec<Algorithm> = Vec::new();
    for (key_bits, inner) in [(128, &AES_128_GCM), (192, &AES_192_GCM), (256, &AES_256_GCM)] {
        all.push(Algorithm::Aead(Arc::new(FullTag { id: EncryptionId::AES_GCM_16, key_bits, inner })));
    }
    let chacha = FullTag { id: EncryptionId::CHACHA20_POLY1305, key_bits: 0, inner: &CHACHA20_POLY1305 };
    all.push(Algorithm::Aead(Arc::new(chacha)));
    for (id, icv_len) in [(EncryptionId::AES_GCM_12, 12), (EncryptionId::AES_GCM_8, 8)] {
        for key_bits in [128, 192, 256] {
            all.push(Algorithm::Aead(Arc::new(ShortTag { id, key_bits, icv_len })));
        }
    }
    all
}
