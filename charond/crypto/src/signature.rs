//! Signatures: private keys that sign, public keys that verify.

use std::sync::Arc;

use charon_types::Secret;

use crate::hash::HashAlgorithm;
use crate::{Cost, CryptoError};

/// Kind of an asymmetric key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// RSA
    Rsa,
    /// ECDSA on P-256
    EcdsaP256,
    /// ECDSA on P-384
    EcdsaP384,
    /// ECDSA on P-521
    EcdsaP521,
    /// Ed25519
    Ed25519,
    /// Ed448
    Ed448,
}

/// How a signature is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignatureScheme {
    /// RSASSA-PKCS1-v1_5
    RsaPkcs1(HashAlgorithm),
    /// RSASSA-PSS, MGF1 with the same hash, salt of that many octets.
    RsaPss(HashAlgorithm, u16),
    /// ECDSA, signature as DER SEQUENCE.
    EcdsaDer(HashAlgorithm),
    /// ECDSA, signature as r‖s, each padded to the curve (auth methods 9 to 11, RFC 4754).
    EcdsaFixed(HashAlgorithm),
    /// Ed25519 over the octets themselves.
    Ed25519,
    /// Ed448 over the octets themselves.
    Ed448,
}

/// Form of a private key's DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrivateKeyForm {
    /// PKCS#8 PrivateKeyInfo.
    Pkcs8,
    /// PKCS#1 RSAPrivateKey.
    Pkcs1,
    /// SEC1 ECPrivateKey.
    Sec1,
}

/// A private key as DER, not yet usable.
#[derive(Clone, Debug)]
pub struct PrivateKeyDer {
    /// Its form.
    pub form: PrivateKeyForm,
    /// The octets.
    pub der: Secret,
}

/// A private key. It may live elsewhere (token, TPM), so signing is a job.
pub trait PrivateKey: Send + Sync {
    /// Kind.
    fn kind(&self) -> KeyKind;
    /// Size in bits (modulus or field).
    fn bits(&self) -> u32;
    /// SubjectPublicKeyInfo, DER.
    fn public_key_info(&self) -> &[u8];
    /// How long a signature takes.
    fn cost(&self) -> Cost;
    /// Signs `data`, hashing it as the scheme says.
    ///
    /// # Errors
    /// [`CryptoError::Unsupported`] for a scheme that does not fit the key.
    fn sign(&self, scheme: SignatureScheme, data: &[u8]) -> Result<Vec<u8>, CryptoError>;
}

/// Loads private keys and verifies signatures of some kinds of keys.
pub trait SignatureProvider: Send + Sync {
    /// Kinds of keys it serves.
    fn kinds(&self) -> &[KeyKind];
    /// A usable key.
    ///
    /// # Errors
    /// [`CryptoError::Unsupported`] for a kind that it does not serve, [`CryptoError::InvalidKey`] for a malformed one.
    fn load(&self, key: &PrivateKeyDer) -> Result<Arc<dyn PrivateKey>, CryptoError>;
    /// Checks `signature` over `data` by the key in `public_key_info` (SubjectPublicKeyInfo, DER).
    ///
    /// # Errors
    /// [`CryptoError::Forged`] if it does not match; [`CryptoError::Unsupported`] for a kind or scheme not served.
    fn verify(
        &self,
        scheme: SignatureScheme,
        public_key_info: &[u8],
        data: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError>;
}
