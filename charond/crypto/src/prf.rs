//! Pseudo-random functions and prf+ (RFC 7296 §2.13).

use charon_types::Secret;
use charon_types::algorithm::PrfId;

use crate::CryptoError;

/// A pseudo-random function.
pub trait Prf: Send + Sync {
    /// Transform number.
    fn id(&self) -> PrfId;
    /// Octets of the preferred key; also of the keys SK_d and SK_p.
    fn key_len(&self) -> usize;
    /// Octets of the output.
    fn output_len(&self) -> usize;
    /// A keyed instance; any key length is taken as the algorithm's RFC says.
    ///
    /// # Errors
    /// [`CryptoError::InvalidKey`] where the algorithm cannot take that length.
    fn key(&self, key: &[u8]) -> Result<Box<dyn PrfKey>, CryptoError>;
}

/// A keyed pseudo-random function.
pub trait PrfKey: Send + Sync {
    /// Writes prf(key, concatenation of `parts`); `out` has `output_len` octets.
    fn sign(&self, parts: &[&[u8]], out: &mut [u8]);
}

impl dyn Prf + '_ {
    /// prf(key, concatenation of `parts`).
    ///
    /// # Errors
    /// As [`Prf::key`].
    pub fn once(&self, key: &[u8], parts: &[&[u8]]) -> Result<Secret, CryptoError> {
        let mut out = vec![0; self.output_len()];
        self.key(key)?.sign(parts, &mut out);
        Ok(Secret::from(out))
    }

    /// `len` octets of prf+(key, concatenation of `seed`).
    ///
    /// # Errors
    /// [`CryptoError::InvalidLength`] for more than 255 blocks, else as [`Prf::key`].
    pub fn plus(&self, key: &[u8], seed: &[&[u8]], len: usize) -> Result<Secret, CryptoError> {
        let block_len = self.output_len();
        let blocks = u8::try_from(len.div_ceil(block_len)).map_err(|_| CryptoError::InvalidLength)?;
        let keyed = self.key(key)?;
        let mut out = zeroize::Zeroizing::new(vec![0; usize::from(blocks) * block_len]);
        for n in 1..=blocks {
            let (done, rest) = out.split_at_mut(usize::from(n - 1) * block_len);
            let previous = &done[done.len().saturating_sub(block_len)..];
            let counter = [n];
            let mut parts = Vec::with_capacity(seed.len() + 2);
            parts.push(previous);
            parts.extend_from_slice(seed);
            parts.push(&counter);
            keyed.sign(&parts, &mut rest[..block_len]);
        }
        Ok(Secret::copy_from(&out[..len]))
    }
}
