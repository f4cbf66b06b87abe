//! RSA, ECDSA on P-256 and P-384, Ed25519.
//!
//! ring ties each key to few schemes: ECDSA signs with the hash of the curve's own size only, RSA keys have 2048 to 4096
//! bits, PSS salts are as long as the hash. Everything else is [`CryptoError::Unsupported`], and left to other providers.

mod private;
mod public;

use std::sync::Arc;

use charon_crypto::signature::{KeyKind, PrivateKey, PrivateKeyDer, SignatureProvider, SignatureScheme};
use charon_crypto::{Algorithm, CryptoError};
use der::asn1::ObjectIdentifier;

const OID_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const OID_EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const OID_P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const OID_P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const OID_ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

const KINDS: &[KeyKind] = &[KeyKind::Rsa, KeyKind::EcdsaP256, KeyKind::EcdsaP384, KeyKind::Ed25519];

struct Signatures;

impl SignatureProvider for Signatures {
    fn kinds(&self) -> &[KeyKind] {
        KINDS
    }

    fn load(&self, key: &PrivateKeyDer) -> Result<Arc<dyn PrivateKey>, CryptoError> {
        private::load(key)
    }

    fn verify(
        &self,
        scheme: SignatureScheme,
        public_key_info: &[u8],
        data: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        public::verify(scheme, public_key_info, data, signature)
    }
}

pub(crate) fn algorithms() -> Vec<Algorithm> {
    vec![Algorithm::Signature(Arc::new(Signatures))]
}
