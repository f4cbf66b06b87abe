//! RSA, ECDSA and Ed25519.

use std::sync::Arc;

use charon_crypto::hash::HashAlgorithm;
use charon_crypto::signature::{
    KeyKind, PrivateKey, PrivateKeyDer, PrivateKeyForm, SignatureProvider, SignatureScheme,
};
use charon_crypto::{Algorithm, Cost, CryptoError};

use crate::ecdsa_form::{der_from_fixed, fixed_from_der};
use crate::sys::pkey::{Padding, Pkey};

/// Below this a modulus is refused outright; what is acceptable above it is policy.
const RSA_BITS_MIN: u32 = 1024;
/// A longer modulus costs too much to verify.
const RSA_BITS_MAX: u32 = 8192;

const KINDS: &[KeyKind] =
    &[KeyKind::Rsa, KeyKind::EcdsaP256, KeyKind::EcdsaP384, KeyKind::EcdsaP521, KeyKind::Ed25519];

struct Signatures;

impl SignatureProvider for Signatures {
    fn kinds(&self) -> &[KeyKind] {
        KINDS
    }

    fn load(&self, key: &PrivateKeyDer) -> Result<Arc<dyn PrivateKey>, CryptoError> {
        let der = key.der.expose();
        let pkey = match key.form {
            PrivateKeyForm::Pkcs8 => Pkey::from_pkcs8(der)?,
            PrivateKeyForm::Pkcs1 => Pkey::from_pkcs1(der)?,
            PrivateKeyForm::Sec1 => Pkey::from_sec1(der)?,
        };
        let kind = usable_kind(&pkey)?;
        let public_key_info = pkey.public_key_info()?;
        // The library counts the bits of the group's order for Ed25519; everyone else those of the field.
        let bits = if kind == KeyKind::Ed25519 { 256 } else { pkey.bits() };
        Ok(Arc::new(Key { kind, bits, public_key_info, pkey }))
    }

    fn verify(
        &self,
        scheme: SignatureScheme,
        public_key_info: &[u8],
        data: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        let pkey = Pkey::from_public_key_info(public_key_info)?;
        let method = Method::of(scheme, usable_kind(&pkey)?)?;
        match method.fixed_field {
            None => pkey.verify(method.hash, method.padding, data, signature),
            Some(field_len) => {
                pkey.verify(method.hash, method.padding, data, &der_from_fixed(signature, field_len)?)
            }
        }
    }
}

fn usable_kind(pkey: &Pkey) -> Result<KeyKind, CryptoError> {
    let kind = pkey.kind().ok_or(CryptoError::Unsupported)?;
    if kind == KeyKind::Rsa && !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&pkey.bits()) {
        return Err(CryptoError::InvalidKey);
    }
    Ok(kind)
}

struct Key {
    kind: KeyKind,
    bits: u32,
    public_key_info: Vec<u8>,
    pkey: Pkey,
}

impl PrivateKey for Key {
    fn kind(&self) -> KeyKind {
        self.kind
    }

    fn bits(&self) -> u32 {
        self.bits
    }

    fn public_key_info(&self) -> &[u8] {
        &self.public_key_info
    }

    fn cost(&self) -> Cost {
        Cost::of_signing(self.kind, self.bits)
    }

    fn sign(&self, scheme: SignatureScheme, data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let method = Method::of(scheme, self.kind)?;
        let signature = self.pkey.sign(method.hash, method.padding, data)?;
        match method.fixed_field {
            None => Ok(signature),
            Some(field_len) => fixed_from_der(&signature, field_len),
        }
    }
}

/// A scheme that fits a key, in the library's terms.
struct Method {
    hash: Option<HashAlgorithm>,
    padding: Padding,
    /// Octets of r and of s where the signature is r ‖ s.
    fixed_field: Option<usize>,
}

impl Method {
    fn of(scheme: SignatureScheme, kind: KeyKind) -> Result<Self, CryptoError> {
        let field = match kind {
            KeyKind::EcdsaP256 => Some(32),
            KeyKind::EcdsaP384 => Some(48),
            KeyKind::EcdsaP521 => Some(66),
            KeyKind::Rsa | KeyKind::Ed25519 | KeyKind::Ed448 => None,
        };
        match (scheme, kind, field) {
            (SignatureScheme::RsaPkcs1(hash), KeyKind::Rsa, _) => {
                Ok(Self { hash: Some(hash), padding: Padding::Pkcs1, fixed_field: None })
            }
            (SignatureScheme::RsaPss(hash, salt_len), KeyKind::Rsa, _) => {
                Ok(Self { hash: Some(hash), padding: Padding::Pss(salt_len), fixed_field: None })
            }
            (SignatureScheme::EcdsaDer(hash), _, Some(_)) => {
                Ok(Self { hash: Some(hash), padding: Padding::None, fixed_field: None })
            }
            (SignatureScheme::EcdsaFixed(hash), _, Some(field_len)) => {
                Ok(Self { hash: Some(hash), padding: Padding::None, fixed_field: Some(field_len) })
            }
            (SignatureScheme::Ed25519, KeyKind::Ed25519, _) => {
                Ok(Self { hash: None, padding: Padding::None, fixed_field: None })
            }
            _ => Err(CryptoError::Unsupported),
        }
    }
}

pub(crate) fn algorithms() -> Vec<Algorithm> {
    vec![Algorithm::Signature(Arc::new(Signatures))]
}
