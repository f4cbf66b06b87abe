//! One key for one direction of packets, combined mode or encrypt-then-MAC; IKE (RFC 7296 §3.14) and ESP alike.

use std::sync::{Arc, OnceLock};

use charon_types::Secret;
use subtle::ConstantTimeEq;

use crate::CryptoError;
use crate::cipher::{Aead, AeadKey, Cipher, CipherKey, Mac, MacKey};

/// Longest ICV of any algorithm, octets.
pub const ICV_LEN_MAX: usize = 64;

/// Protects packets in one direction. A packet is `aad ‖ iv ‖ ciphertext ‖ icv`.
pub struct PacketKey {
    kind: Kind,
    iv_len: usize,
    block_len: usize,
    icv_len: usize,
}

enum Kind {
    Aead(Box<dyn AeadKey>),
    Composed { cipher: Option<Box<dyn CipherKey>>, mac: Box<dyn MacKey> },
    AtRest(Suite),
    Asleep { suite: Suite, awake: OnceLock<Box<PacketKey>> },
}

/// Algorithms with their raw keys.
pub(crate) enum Suite {
    /// Combined mode.
    Aead(Arc<dyn Aead>, Secret),
    /// Encrypt, then MAC; no cipher is NULL encryption.
    Composed { cipher: Option<(Arc<dyn Cipher>, Secret)>, mac: (Arc<dyn Mac>, Secret) },
}

impl Suite {
    /// Expands the raw keys.
    pub(crate) fn expand(&self) -> Result<PacketKey, CryptoError> {
        match self {
            Self::Aead(aead, key) => Ok(PacketKey::aead(aead.key(key)?, aead.iv_len(), aead.icv_len())),
            Self::Composed { cipher, mac: (mac, mac_key) } => {
                let mac_key = mac.key(mac_key)?;
                let Some((cipher, key)) = cipher else {
                    return Ok(PacketKey::composed(None, mac_key, 0, 1, mac.icv_len()));
                };
                let key = cipher.key(key)?;
                Ok(PacketKey::composed(
                    Some(key),
                    mac_key,
                    cipher.iv_len(),
                    cipher.block_len(),
                    mac.icv_len(),
                ))
            }
        }
    }
}

impl PacketKey {
    /// A combined-mode key.
    #[must_use]
    pub fn aead(key: Box<dyn AeadKey>, iv_len: usize, icv_len: usize) -> Self {
        Self { kind: Kind::Aead(key), iv_len, block_len: 1, icv_len }
    }

    /// Encrypt, then MAC. Without a cipher (NULL encryption) only the MAC counts.
    #[must_use]
    pub fn composed(
        cipher: Option<Box<dyn CipherKey>>,
        mac: Box<dyn MacKey>,
        iv_len: usize,
        block_len: usize,
        icv_len: usize,
    ) -> Self {
        Self { kind: Kind::Composed { cipher, mac }, iv_len, block_len, icv_len }
    }

    /// A key that is expanded for every packet.
    ///
    /// # Errors
    /// As the algorithms, if a raw key has the wrong length.
    pub(crate) fn at_rest(suite: Suite) -> Result<Self, CryptoError> {
        let Self { iv_len, block_len, icv_len, .. } = suite.expand()?;
        Ok(Self { kind: Kind::AtRest(suite), iv_len, block_len, icv_len })
    }

    /// A key that is expanded for its first packet.
    ///
    /// # Errors
    /// As the algorithms, if a raw key has the wrong length.
    pub(crate) fn asleep(suite: Suite) -> Result<Self, CryptoError> {
        let Self { iv_len, block_len, icv_len, .. } = suite.expand()?;
        let kind = Kind::Asleep { suite, awake: OnceLock::new() };
        Ok(Self { kind, iv_len, block_len, icv_len })
    }

    /// Octets of the IV on the wire.
    #[must_use]
    pub const fn iv_len(&self) -> usize {
        self.iv_len
    }

    /// Octets that the padded plaintext must be a multiple of.
    #[must_use]
    pub const fn block_len(&self) -> usize {
        self.block_len
    }

    /// Octets of the ICV.
    #[must_use]
    pub const fn icv_len(&self) -> usize {
        self.icv_len
    }

    /// Whether the IV may be a counter; if not it must be random (CBC).
    #[must_use]
    pub const fn iv_may_count(&self) -> bool {
        match &self.kind {
            Kind::Aead(_) => true,
            Kind::AtRest(suite) | Kind::Asleep { suite, .. } => matches!(suite, Suite::Aead(..)),
            Kind::Composed { .. } => false,
        }
    }

    /// Encrypts `payload` (plaintext, padded, with room for the ICV at its end) in place. `suffix` is authenticated after
    /// the ciphertext by encrypt-then-MAC only (high half of an extended sequence number); combined modes have it in `aad`.
    ///
    /// # Errors
    /// [`CryptoError::InvalidLength`] if lengths do not fit.
    pub fn seal(&self, aad: &[u8], iv: &[u8], payload: &mut [u8], suffix: &[u8]) -> Result<(), CryptoError> {
        match &self.kind {
            Kind::Aead(key) => key.seal(iv, aad, payload),
            Kind::AtRest(suite) => suite.expand()?.seal(aad, iv, payload, suffix),
            Kind::Asleep { suite, awake } => woken(suite, awake)?.seal(aad, iv, payload, suffix),
            Kind::Composed { cipher, mac } => {
                let (data, icv) = self.split(payload)?;
                if let Some(cipher) = cipher {
                    cipher.encrypt(iv, data)?;
                }
                mac.sign(&[aad, iv, data, suffix], icv);
                Ok(())
            }
        }
    }

    /// Checks and decrypts `payload` (ciphertext ‖ ICV) in place; the plaintext is all but the last `icv_len` octets.
    ///
    /// # Errors
    /// [`CryptoError::Forged`] if the ICV does not match, [`CryptoError::InvalidLength`] if lengths do not fit.
    pub fn open(&self, aad: &[u8], iv: &[u8], payload: &mut [u8], suffix: &[u8]) -> Result<(), CryptoError> {
        match &self.kind {
            Kind::Aead(key) => key.open(iv, aad, payload),
            Kind::AtRest(suite) => suite.expand()?.open(aad, iv, payload, suffix),
            Kind::Asleep { suite, awake } => woken(suite, awake)?.open(aad, iv, payload, suffix),
            Kind::Composed { cipher, mac } => {
                let (data, icv) = self.split(payload)?;
                let mut expected = [0; ICV_LEN_MAX];
                let expected = &mut expected[..icv.len()];
                mac.sign(&[aad, iv, data, suffix], expected);
                if !bool::from(expected.ct_eq(icv)) {
                    return Err(CryptoError::Forged);
                }
                match cipher {
                    Some(cipher) => cipher.decrypt(iv, data),
                    None => Ok(()),
                }
            }
        }
    }

    fn split<'p>(&self, payload: &'p mut [u8]) -> Result<(&'p mut [u8], &'p mut [u8]), CryptoError> {
        let at = payload.len().checked_sub(self.icv_len).ok_or(CryptoError::InvalidLength)?;
        Ok(payload.split_at_mut(at))
    }
}

fn woken<'k>(suite: &Suite, awake: &'k OnceLock<Box<PacketKey>>) -> Result<&'k PacketKey, CryptoError> {
    if let Some(key) = awake.get() {
        return Ok(key);
    }
    let key = Box::new(suite.expand()?);
    Ok(awake.get_or_init(|| key))
}

/// Shows the shape only.
impl std::fmt::Debug for PacketKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PacketKey(iv {} icv {})", self.iv_len, self.icv_len)
    }
}
