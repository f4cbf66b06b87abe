//! AES-GCM with ICVs shorter than 16 octets.

use std::ptr::{NonNull, null};

use aws_lc_sys::{
    EVP_AEAD, EVP_AEAD_CTX, EVP_AEAD_CTX_free, EVP_AEAD_CTX_new, EVP_AEAD_CTX_open_gather,
    EVP_AEAD_CTX_seal_scatter, EVP_aead_aes_128_gcm, EVP_aead_aes_192_gcm, EVP_aead_aes_256_gcm,
};
use charon_crypto::CryptoError;

/// AES-GCM at one key length; static in the library.
#[derive(Clone, Copy)]
pub(crate) struct Gcm(*const EVP_AEAD);

/// AES-GCM with a key of that many bits.
pub(crate) fn gcm(key_bits: u16) -> Option<Gcm> {
    let algorithm = match key_bits {
        // SAFETY: takes nothing and returns a pointer to a static.
        128 => unsafe { EVP_aead_aes_128_gcm() },
        // SAFETY: as above.
        192 => unsafe { EVP_aead_aes_192_gcm() },
        // SAFETY: as above.
        256 => unsafe { EVP_aead_aes_256_gcm() },
        _ => return None,
    };
    Some(Gcm(algorithm))
}

/// A key with its ICV length.
pub(crate) struct ShortTagGcm {
    context: NonNull<EVP_AEAD_CTX>,
}

// SAFETY: the context is owned, and has no tie to the thread that made it.
unsafe impl Send for ShortTagGcm {}
// SAFETY: sealing and opening take the context as const; the library allows them concurrently (openssl/aead.h).
unsafe impl Sync for ShortTagGcm {}

impl ShortTagGcm {
    pub(crate) fn new(algorithm: Gcm, key: &[u8], icv_len: usize) -> Result<Self, CryptoError> {
        // SAFETY: algorithm is a static of the library, key is readable for its length, which the library checks.
        let context = unsafe { EVP_AEAD_CTX_new(algorithm.0, key.as_ptr(), key.len(), icv_len) };
        Ok(Self { context: NonNull::new(context).ok_or(CryptoError::InvalidKey)? })
    }

    /// Encrypts `data` in place; `icv` has the length given to `new`.
    pub(crate) fn seal(
        &self,
        nonce: &[u8],
        aad: &[u8],
        data: &mut [u8],
        icv: &mut [u8],
    ) -> Result<(), CryptoError> {
        let mut written = 0;
        // SAFETY: every pointer comes from a slice with its length; in and out are the same buffer, which is allowed.
        let done = unsafe {
            EVP_AEAD_CTX_seal_scatter(
                self.context.as_ptr(),
                data.as_mut_ptr(),
                icv.as_mut_ptr(),
                &raw mut written,
                icv.len(),
                nonce.as_ptr(),
                nonce.len(),
                data.as_ptr(),
                data.len(),
                null(),
                0,
                aad.as_ptr(),
                aad.len(),
            )
        };
        if done == 1 && written == icv.len() { Ok(()) } else { Err(CryptoError::Provider) }
    }

    /// Checks `icv` and decrypts `data` in place.
    pub(crate) fn open(
        &self,
        nonce: &[u8],
        aad: &[u8],
        data: &mut [u8],
        icv: &[u8],
    ) -> Result<(), CryptoError> {
        // SAFETY: every pointer comes from a slice with its length; in and out are the same buffer, which is allowed.
        let done = unsafe {
            EVP_AEAD_CTX_open_gather(
                self.context.as_ptr(),
                data.as_mut_ptr(),
                nonce.as_ptr(),
                nonce.len(),
                data.as_ptr(),
                data.len(),
                icv.as_ptr(),
                icv.len(),
                aad.as_ptr(),
                aad.len(),
            )
        };
        if done == 1 { Ok(()) } else { Err(CryptoError::Forged) }
    }
}

impl Drop for ShortTagGcm {
    fn drop(&mut self) {
        // SAFETY: the context came from EVP_AEAD_CTX_new and is not used after this; the library wipes it.
        unsafe { EVP_AEAD_CTX_free(self.context.as_ptr()) };
    }
}
