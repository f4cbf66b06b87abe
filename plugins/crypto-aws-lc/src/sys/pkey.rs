//! Asymmetric keys: parsing, signing and verifying with any hash.

use std::ptr::{NonNull, null, null_mut};

use aws_lc_sys::{
    CBS, EC_GROUP_get_curve_name, EC_KEY_free, EC_KEY_get0_group, EC_KEY_parse_private_key, EVP_DigestSign,
    EVP_DigestSignInit, EVP_DigestVerify, EVP_DigestVerifyInit, EVP_MD, EVP_MD_CTX, EVP_MD_CTX_free,
    EVP_MD_CTX_new, EVP_PKEY, EVP_PKEY_CTX, EVP_PKEY_CTX_set_rsa_padding, EVP_PKEY_CTX_set_rsa_pss_saltlen,
    EVP_PKEY_EC, EVP_PKEY_ED25519, EVP_PKEY_RSA, EVP_PKEY_assign_EC_KEY, EVP_PKEY_assign_RSA, EVP_PKEY_bits,
    EVP_PKEY_free, EVP_PKEY_get0_EC_KEY, EVP_PKEY_id, EVP_PKEY_new, EVP_PKEY_size, EVP_parse_private_key,
    EVP_parse_public_key, EVP_sha1, EVP_sha256, EVP_sha384, EVP_sha512, NID_X9_62_prime256v1 as NID_P256,
    NID_secp384r1 as NID_P384, NID_secp521r1 as NID_P521, OPENSSL_free, RSA_PKCS1_PADDING,
    RSA_PKCS1_PSS_PADDING, RSA_free, RSA_parse_private_key, i2d_PUBKEY,
};
use charon_crypto::CryptoError;
use charon_crypto::hash::HashAlgorithm;
use charon_crypto::signature::KeyKind;

/// RSA padding.
#[derive(Clone, Copy)]
pub(crate) enum Padding {
    /// Not RSA: nothing to pad.
    None,
    /// RSASSA-PKCS1-v1_5.
    Pkcs1,
    /// RSASSA-PSS with a salt of that many octets.
    Pss(u16),
}

/// A private or public key.
pub(crate) struct Pkey(NonNull<EVP_PKEY>);

// SAFETY: the key is owned and has no tie to the thread that made it.
unsafe impl Send for Pkey {}
// SAFETY: after construction the key is only read; signing with it concurrently is allowed (openssl/evp.h).
unsafe impl Sync for Pkey {}

impl Pkey {
    pub(crate) fn from_pkcs8(der: &[u8]) -> Result<Self, CryptoError> {
        let mut input = cbs(der);
        // SAFETY: input covers der, which outlives the call.
        let key = unsafe { EVP_parse_private_key(&raw mut input) };
        Self::parsed(key, &input)
    }

    pub(crate) fn from_public_key_info(der: &[u8]) -> Result<Self, CryptoError> {
        let mut input = cbs(der);
        // SAFETY: input covers der, which outlives the call.
        let key = unsafe { EVP_parse_public_key(&raw mut input) };
        Self::parsed(key, &input)
    }

    pub(crate) fn from_pkcs1(der: &[u8]) -> Result<Self, CryptoError> {
        let mut input = cbs(der);
        // SAFETY: input covers der, which outlives the call.
        let rsa = unsafe { RSA_parse_private_key(&raw mut input) };
        if rsa.is_null() {
            return Err(CryptoError::InvalidKey);
        }
        let key = Self::empty()?;
        // SAFETY: key and rsa are alive; on success the key owns rsa.
        if unsafe { EVP_PKEY_assign_RSA(key.as_ptr(), rsa) } != 1 {
            // SAFETY: rsa is still ours and not used after this.
            unsafe { RSA_free(rsa) };
            return Err(CryptoError::Provider);
        }
        key.unless_rest(&input)
    }

    pub(crate) fn from_sec1(der: &[u8]) -> Result<Self, CryptoError> {
        let mut input = cbs(der);
        // SAFETY: input covers der, which outlives the call; a null group means the one that the key names.
        let ec = unsafe { EC_KEY_parse_private_key(&raw mut input, null()) };
        if ec.is_null() {
            return Err(CryptoError::InvalidKey);
        }
        let key = Self::empty()?;
        // SAFETY: key and ec are alive; on success the key owns ec.
        if unsafe { EVP_PKEY_assign_EC_KEY(key.as_ptr(), ec) } != 1 {
            // SAFETY: ec is still ours and not used after this.
            unsafe { EC_KEY_free(ec) };
            return Err(CryptoError::Provider);
        }
        key.unless_rest(&input)
    }

    /// Without a key in it yet.
    fn empty() -> Result<Self, CryptoError> {
        // SAFETY: takes nothing; a null return is refused.
        let key = unsafe { EVP_PKEY_new() };
        NonNull::new(key).map(Self).ok_or(CryptoError::Provider)
    }

    /// Takes what a parser returned.
    fn parsed(key: *mut EVP_PKEY, rest: &CBS) -> Result<Self, CryptoError> {
        NonNull::new(key).map(Self).ok_or(CryptoError::InvalidKey)?.unless_rest(rest)
    }

    /// Refuses octets that follow the key's DER.
    fn unless_rest(self, rest: &CBS) -> Result<Self, CryptoError> {
        if rest.len == 0 { Ok(self) } else { Err(CryptoError::InvalidKey) }
    }

    fn as_ptr(&self) -> *mut EVP_PKEY {
        self.0.as_ptr()
    }

    /// `None` for a kind that this plugin does not serve.
    pub(crate) fn kind(&self) -> Option<KeyKind> {
        // SAFETY: the key is alive.
        match unsafe { EVP_PKEY_id(self.as_ptr()) } {
            EVP_PKEY_RSA => Some(KeyKind::Rsa),
            EVP_PKEY_ED25519 => Some(KeyKind::Ed25519),
            EVP_PKEY_EC => match self.curve() {
                NID_P256 => Some(KeyKind::EcdsaP256),
                NID_P384 => Some(KeyKind::EcdsaP384),
                NID_P521 => Some(KeyKind::EcdsaP521),
                _ => None,
            },
            _ => None,
        }
    }

    /// Number of the curve; only for keys of type EC.
    fn curve(&self) -> i32 {
        // SAFETY: the key is alive; the result is borrowed from it.
        let ec = unsafe { EVP_PKEY_get0_EC_KEY(self.as_ptr()) };
        // SAFETY: a key of type EC has an EC key; the result is borrowed from it.
        let group = unsafe { EC_KEY_get0_group(ec) };
        // SAFETY: a parsed EC key has a group.
        unsafe { EC_GROUP_get_curve_name(group) }
    }

    /// Size of modulus or field.
    pub(crate) fn bits(&self) -> u32 {
        // SAFETY: the key is alive.
        let bits = unsafe { EVP_PKEY_bits(self.as_ptr()) };
        u32::try_from(bits).unwrap_or(0)
    }

    /// SubjectPublicKeyInfo, DER.
    pub(crate) fn public_key_info(&self) -> Result<Vec<u8>, CryptoError> {
        let mut der: *mut u8 = null_mut();
        // SAFETY: the key is alive; a null output asks for a buffer that we own.
        let len = unsafe { i2d_PUBKEY(self.as_ptr(), &raw mut der) };
        let len = usize::try_from(len).map_err(|_| CryptoError::Provider)?;
        // SAFETY: on success der points to len octets.
        let info = unsafe { std::slice::from_raw_parts(der, len) }.to_vec();
        // SAFETY: the buffer is ours and not used after this.
        unsafe { OPENSSL_free(der.cast()) };
        Ok(info)
    }

    /// Signs `data`, hashed unless `hash` is `None` (Ed25519).
    pub(crate) fn sign(
        &self,
        hash: Option<HashAlgorithm>,
        padding: Padding,
        data: &[u8],
    ) -> Result<Vec<u8>, CryptoError> {
        let context = DigestContext::new()?;
        let mut parameters: *mut EVP_PKEY_CTX = null_mut();
        // SAFETY: context and key are alive; parameters receives a pointer borrowed from the context.
        let started = unsafe {
            EVP_DigestSignInit(context.as_ptr(), &raw mut parameters, digest(hash), null_mut(), self.as_ptr())
        };
        if started != 1 {
            return Err(CryptoError::Unsupported);
        }
        set_padding(parameters, padding)?;
        // SAFETY: the key is alive.
        let size = unsafe { EVP_PKEY_size(self.as_ptr()) };
        let mut signature = vec![0; usize::try_from(size).map_err(|_| CryptoError::Provider)?];
        let mut len = signature.len();
        // SAFETY: signature is writable for len octets, data readable for its length.
        let done = unsafe {
            EVP_DigestSign(context.as_ptr(), signature.as_mut_ptr(), &raw mut len, data.as_ptr(), data.len())
        };
        if done != 1 {
            return Err(CryptoError::Provider);
        }
        signature.truncate(len);
        Ok(signature)
    }

    /// Checks a signature.
    pub(crate) fn verify(
        &self,
        hash: Option<HashAlgorithm>,
        padding: Padding,
        data: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        let context = DigestContext::new()?;
        let mut parameters: *mut EVP_PKEY_CTX = null_mut();
        // SAFETY: context and key are alive; parameters receives a pointer borrowed from the context.
        let started = unsafe {
            EVP_DigestVerifyInit(
                context.as_ptr(),
                &raw mut parameters,
                digest(hash),
                null_mut(),
                self.as_ptr(),
            )
        };
        if started != 1 {
            return Err(CryptoError::Unsupported);
        }
        set_padding(parameters, padding)?;
        // SAFETY: signature and data are readable for their lengths.
        let done = unsafe {
            EVP_DigestVerify(context.as_ptr(), signature.as_ptr(), signature.len(), data.as_ptr(), data.len())
        };
        if done == 1 { Ok(()) } else { Err(CryptoError::Forged) }
    }
}

impl Drop for Pkey {
    fn drop(&mut self) {
        // SAFETY: the key is owned and not used after this.
        unsafe { EVP_PKEY_free(self.as_ptr()) };
    }
}

const fn cbs(octets: &[u8]) -> CBS {
    CBS { data: octets.as_ptr(), len: octets.len() }
}

fn digest(hash: Option<HashAlgorithm>) -> *const EVP_MD {
    match hash {
        None => null(),
        // SAFETY: takes nothing and returns a pointer to a static.
        Some(HashAlgorithm::Sha1) => unsafe { EVP_sha1() },
        // SAFETY: as above.
        Some(HashAlgorithm::Sha256) => unsafe { EVP_sha256() },
        // SAFETY: as above.
        Some(HashAlgorithm::Sha384) => unsafe { EVP_sha384() },
        // SAFETY: as above.
        Some(HashAlgorithm::Sha512) => unsafe { EVP_sha512() },
    }
}

/// `parameters` belongs to a started operation. MGF1 uses the hash of the signature unless told otherwise.
fn set_padding(parameters: *mut EVP_PKEY_CTX, padding: Padding) -> Result<(), CryptoError> {
    let (kind, salt_len) = match padding {
        Padding::None => return Ok(()),
        Padding::Pkcs1 => (RSA_PKCS1_PADDING, None),
        Padding::Pss(salt_len) => (RSA_PKCS1_PSS_PADDING, Some(i32::from(salt_len))),
    };
    // SAFETY: parameters is alive as long as the context that it was borrowed from.
    if unsafe { EVP_PKEY_CTX_set_rsa_padding(parameters, kind) } != 1 {
        return Err(CryptoError::Unsupported);
    }
    let Some(salt_len) = salt_len else { return Ok(()) };
    // SAFETY: as above.
    if unsafe { EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, salt_len) } != 1 {
        return Err(CryptoError::Unsupported);
    }
    Ok(())
}

/// State of one signature.
struct DigestContext(NonNull<EVP_MD_CTX>);

impl DigestContext {
    fn new() -> Result<Self, CryptoError> {
        // SAFETY: takes nothing; a null return is refused.
        let context = unsafe { EVP_MD_CTX_new() };
        NonNull::new(context).map(Self).ok_or(CryptoError::Provider)
    }

    fn as_ptr(&self) -> *mut EVP_MD_CTX {
        self.0.as_ptr()
    }
}

impl Drop for DigestContext {
    fn drop(&mut self) {
        // SAFETY: the context is owned and not used after this.
        unsafe { EVP_MD_CTX_free(self.as_ptr()) };
    }
}
