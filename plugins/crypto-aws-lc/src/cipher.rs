//! AES-CBC (RFC 3602), AES-CTR (RFC 3686, RFC 5930) and NULL (RFC 2410).

use std::sync::Arc;

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, DecryptingKey, DecryptionContext, EncryptingKey, EncryptionContext,
    UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use charon_crypto::cipher::{Cipher, CipherKey};
use charon_crypto::{Algorithm, CryptoError};
use charon_types::Secret;
use charon_types::algorithm::EncryptionId;

const BLOCK_LEN: usize = 16;

fn aes(key_bits: u16, key: &[u8]) -> Result<UnboundCipherKey, CryptoError> {
    let algorithm = match key_bits {
        128 => &AES_128,
        192 => &AES_192,
        256 => &AES_256,
        _ => return Err(CryptoError::Unsupported),
    };
    UnboundCipherKey::new(algorithm, key).map_err(|_| CryptoError::InvalidKey)
}

struct Cbc {
    key_bits: u16,
}

impl Cipher for Cbc {
    fn id(&self) -> EncryptionId {
        EncryptionId::AES_CBC
    }

    fn key_bits(&self) -> u16 {
        self.key_bits
    }

    fn key_material_len(&self) -> usize {
        usize::from(self.key_bits / 8)
    }

    fn iv_len(&self) -> usize {
        BLOCK_LEN
    }

    fn block_len(&self) -> usize {
        BLOCK_LEN
    }

    fn key(&self, material: &Secret) -> Result<Box<dyn CipherKey>, CryptoError> {
        let key = || aes(self.key_bits, material.expose());
        Ok(Box::new(CbcKey {
            encrypting: EncryptingKey::cbc(key()?).map_err(|_| CryptoError::InvalidKey)?,
            decrypting: DecryptingKey::cbc(key()?).map_err(|_| CryptoError::InvalidKey)?,
        }))
    }
}

struct CbcKey {
    encrypting: EncryptingKey,
    decrypting: DecryptingKey,
}

fn cbc_iv(iv: &[u8]) -> Result<FixedLength<BLOCK_LEN>, CryptoError> {
    let iv: [u8; BLOCK_LEN] = iv.try_into().map_err(|_| CryptoError::InvalidLength)?;
    Ok(FixedLength::from(iv))
}

impl CipherKey for CbcKey {
    fn encrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), CryptoError> {
        let context = EncryptionContext::Iv128(cbc_iv(iv)?);
        // Fails for nothing but a length that is not whole blocks.
        self.encrypting.less_safe_encrypt(data, context).map_err(|_| CryptoError::InvalidLength)?;
        Ok(())
    }

    fn decrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), CryptoError> {
        let context = DecryptionContext::Iv128(cbc_iv(iv)?);
        self.decrypting.decrypt(data, context).map_err(|_| CryptoError::InvalidLength)?;
        Ok(())
    }
}

const CTR_NONCE_LEN: usize = 4;
const CTR_IV_LEN: usize = 8;

struct Ctr {
    key_bits: u16,
}

impl Cipher for Ctr {
    fn id(&self) -> EncryptionId {
        EncryptionId::AES_CTR
    }

    fn key_bits(&self) -> u16 {
        self.key_bits
    }

    fn key_material_len(&self) -> usize {
        usize::from(self.key_bits / 8) + CTR_NONCE_LEN
    }

    fn iv_len(&self) -> usize {
        CTR_IV_LEN
    }

    fn block_len(&self) -> usize {
        1
    }

    fn key(&self, material: &Secret) -> Result<Box<dyn CipherKey>, CryptoError> {
        let material = material.expose();
        let at = material.len().checked_sub(CTR_NONCE_LEN).ok_or(CryptoError::InvalidKey)?;
        let (key, nonce) = material.split_at(at);
        let key = EncryptingKey::ctr(aes(self.key_bits, key)?).map_err(|_| CryptoError::InvalidKey)?;
        let nonce = nonce.try_into().map_err(|_| CryptoError::InvalidKey)?;
        Ok(Box::new(CtrKey { key, nonce }))
    }
}

struct CtrKey {
    key: EncryptingKey,
    nonce: [u8; CTR_NONCE_LEN],
}

impl CipherKey for CtrKey {
    /// The counter block is nonce ‖ IV ‖ 1 (RFC 3686 §4).
    fn encrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), CryptoError> {
        let iv: [u8; CTR_IV_LEN] = iv.try_into().map_err(|_| CryptoError::InvalidLength)?;
        let mut counter = [0; BLOCK_LEN];
        counter[..CTR_NONCE_LEN].copy_from_slice(&self.nonce);
        counter[CTR_NONCE_LEN..CTR_NONCE_LEN + CTR_IV_LEN].copy_from_slice(&iv);
        counter[BLOCK_LEN - 1] = 1;
        let context = EncryptionContext::Iv128(FixedLength::from(counter));
        self.key.less_safe_encrypt(data, context).map_err(|_| CryptoError::Provider)?;
        Ok(())
    }

    fn decrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), CryptoError> {
        self.encrypt(iv, data)
    }
}

struct Null;

impl Cipher for Null {
    fn id(&self) -> EncryptionId {
        EncryptionId::NULL
    }

    fn key_bits(&self) -> u16 {
        0
    }

    fn key_material_len(&self) -> usize {
        0
    }

    fn iv_len(&self) -> usize {
        0
    }

    fn block_len(&self) -> usize {
        1
    }

    fn key(&self, material: &Secret) -> Result<Box<dyn CipherKey>, CryptoError> {
        if material.is_empty() { Ok(Box::new(NullKey)) } else { Err(CryptoError::InvalidKey) }
    }
}

struct NullKey;

impl CipherKey for NullKey {
    fn encrypt(&self, iv: &[u8], _data: &mut [u8]) -> Result<(), CryptoError> {
        if iv.is_empty() { Ok(()) } else { Err(CryptoError::InvalidLength) }
    }

    fn decrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), CryptoError> {
        self.encrypt(iv, data)
    }
}

pub(crate) fn algorithms() -> Vec<Algorithm> {
    let mut all: Vec<Algorithm> = Vec::new();
    for key_bits in [128, 192, 256] {
        all.push(Algorithm::Cipher(Arc::new(Cbc { key_bits })));
    }
    for key_bits in [128, 192, 256] {
        all.push(Algorithm::Cipher(Arc::new(Ctr { key_bits })));
    }
    all.push(Algorithm::Cipher(Arc::new(Null)));
    all
}
