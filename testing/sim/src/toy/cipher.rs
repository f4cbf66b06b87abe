//! Stand for AES-CBC with 256 bits and HMAC-SHA2-256-128.

use charon_crypto::CryptoError;
use charon_crypto::cipher::{Cipher, CipherKey, Mac, MacKey};
use charon_types::Secret;
use charon_types::algorithm::{EncryptionId, IntegrityId};

use super::sponge::Sponge;

const KEY_LEN: usize = 32;
const BLOCK_LEN: usize = 16;
const ICV_LEN: usize = 16;
const STREAM: u64 = 3;
const MAC: u64 = 4;

pub(super) struct ToyCipher;

impl Cipher for ToyCipher {
    fn id(&self) -> EncryptionId {
        EncryptionId::AES_CBC
    }

    fn key_bits(&self) -> u16 {
        256
    }

    fn key_material_len(&self) -> usize {
        KEY_LEN
    }

    fn iv_len(&self) -> usize {
        BLOCK_LEN
    }

    fn block_len(&self) -> usize {
        BLOCK_LEN
    }

    fn key(&self, material: &Secret) -> Result<Box<dyn CipherKey>, CryptoError> {
        Ok(Box::new(Stream(keyed(STREAM, material)?)))
    }
}

struct Stream(Sponge);

impl CipherKey for Stream {
    fn encrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), CryptoError> {
        if iv.len() != BLOCK_LEN || !data.len().is_multiple_of(BLOCK_LEN) {
            return Err(CryptoError::InvalidLength);
        }
        self.0.clone().absorb(iv).mask(data);
        Ok(())
    }

    fn decrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), CryptoError> {
        self.encrypt(iv, data)
    }
}

pub(super) struct ToyMac;

impl Mac for ToyMac {
    fn id(&self) -> IntegrityId {
        IntegrityId::HMAC_SHA2_256_128
    }

    fn key_len(&self) -> usize {
        KEY_LEN
    }

    fn icv_len(&self) -> usize {
        ICV_LEN
    }

    fn key(&self, key: &Secret) -> Result<Box<dyn MacKey>, CryptoError> {
        Ok(Box::new(Keyed(keyed(MAC, key)?)))
    }
}

struct Keyed(Sponge);

impl MacKey for Keyed {
    fn sign(&self, parts: &[&[u8]], icv: &mut [u8]) {
        let mut sponge = self.0.clone();
        for part in parts {
            sponge.absorb(part);
        }
        sponge.squeeze(icv);
    }
}

fn keyed(domain: u64, key: &Secret) -> Result<Sponge, CryptoError> {
    let mut sponge = Sponge::new(domain);
    sponge.absorb(key.expose());
    (key.expose().len() == KEY_LEN).then_some(sponge).ok_or(CryptoError::InvalidKey)
}
