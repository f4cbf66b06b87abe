//! Encryption and integrity of packets. Use [`crate::packet_key::PacketKey`] rather than these parts.

use charon_types::Secret;
use charon_types::algorithm::{EncryptionId, IntegrityId};

use crate::CryptoError;

/// A combined-mode algorithm at one key length (RFC 5282, RFC 4106, RFC 7634).
pub trait Aead: Send + Sync {
    /// Transform number.
    fn id(&self) -> EncryptionId;
    /// Key length in bits as negotiated; 0 for an algorithm's only length (ChaCha20-Poly1305).
    fn key_bits(&self) -> u16;
    /// Octets of key material: key, then salt.
    fn key_material_len(&self) -> usize;
    /// Octets of the explicit IV (8 for all that we have).
    fn iv_len(&self) -> usize;
    /// Octets of the ICV.
    fn icv_len(&self) -> usize;
    /// A key from `key_material_len` octets.
    ///
    /// # Errors
    /// [`CryptoError::InvalidKey`] for another length.
    fn key(&self, material: &Secret) -> Result<Box<dyn AeadKey>, CryptoError>;
}

/// A combined-mode key with its salt.
pub trait AeadKey: Send + Sync {
    /// Encrypts all but the last `icv_len` octets of `packet` in place and writes the ICV there. An IV must never repeat.
    ///
    /// # Errors
    /// [`CryptoError::InvalidLength`] if `packet` is shorter than the ICV or `iv` has the wrong length.
    fn seal(&self, iv: &[u8], aad: &[u8], packet: &mut [u8]) -> Result<(), CryptoError>;
    /// Decrypts in place; the plaintext is all but the last `icv_len` octets.
    ///
    /// # Errors
    /// [`CryptoError::Forged`] if the ICV does not match; the content of `packet` is then undefined.
    fn open(&self, iv: &[u8], aad: &[u8], packet: &mut [u8]) -> Result<(), CryptoError>;
}

/// A cipher without integrity at one key length.
pub trait Cipher: Send + Sync {
    /// Transform number.
    fn id(&self) -> EncryptionId;
    /// Key length in bits as negotiated; 0 for an algorithm's only length.
    fn key_bits(&self) -> u16;
    /// Octets of key material (for counter modes: key, then nonce).
    fn key_material_len(&self) -> usize;
    /// Octets of the IV on the wire.
    fn iv_len(&self) -> usize;
    /// Octets that a plaintext must be a multiple of.
    fn block_len(&self) -> usize;
    /// A key.
    ///
    /// # Errors
    /// [`CryptoError::InvalidKey`] for another length.
    fn key(&self, material: &Secret) -> Result<Box<dyn CipherKey>, CryptoError>;
}

/// A cipher key.
pub trait CipherKey: Send + Sync {
    /// Encrypts whole blocks in place. For CBC the IV must be unpredictable.
    ///
    /// # Errors
    /// [`CryptoError::InvalidLength`] if `data` is not whole blocks or `iv` has the wrong length.
    fn encrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), CryptoError>;
    /// Decrypts whole blocks in place.
    ///
    /// # Errors
    /// As [`CipherKey::encrypt`].
    fn decrypt(&self, iv: &[u8], data: &mut [u8]) -> Result<(), CryptoError>;
}

/// An integrity algorithm.
pub trait Mac: Send + Sync {
    /// Transform number.
    fn id(&self) -> IntegrityId;
    /// Octets of the key.
    fn key_len(&self) -> usize;
    /// Octets of the (truncated) ICV.
    fn icv_len(&self) -> usize;
    /// A key.
    ///
    /// # Errors
    /// [`CryptoError::InvalidKey`] for another length.
    fn key(&self, key: &Secret) -> Result<Box<dyn MacKey>, CryptoError>;
}

/// An integrity key.
pub trait MacKey: Send + Sync {
    /// Writes the truncated ICV over the concatenation of `parts`; `icv` has `icv_len` octets.
    fn sign(&self, parts: &[&[u8]], icv: &mut [u8]);
}
