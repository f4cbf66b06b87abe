//! Private keys.

use std::sync::Arc;

use charon_crypto::hash::HashAlgorithm;
use charon_crypto::signature::{KeyKind, PrivateKey, PrivateKeyDer, PrivateKeyForm, SignatureScheme};
use charon_crypto::{Cost, CryptoError};
use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier};
use der::{Decode, Encode};
use pkcs8::PrivateKeyInfoRef;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING,
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding,
    RsaKeyPair,
};
use sec1::EcPrivateKey;
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use super::{OID_EC, OID_ED25519, OID_P256, OID_P384, OID_RSA};

/// A usable key.
pub(super) fn load(key: &PrivateKeyDer) -> Result<Arc<dyn PrivateKey>, CryptoError> {
    let der = key.der.expose();
    Ok(Arc::new(match key.form {
        PrivateKeyForm::Pkcs1 => rsa(RsaKeyPair::from_der(der).map_err(|_| CryptoError::InvalidKey)?)?,
        PrivateKeyForm::Sec1 => {
            let ec = EcPrivateKey::from_der(der).map_err(|_| CryptoError::InvalidKey)?;
            let curve = ec.parameters.and_then(|parameters| parameters.named_curve());
            ecdsa(&ec, curve.ok_or(CryptoError::InvalidKey)?)?
        }
        PrivateKeyForm::Pkcs8 => pkcs8(der)?,
    }))
}

fn pkcs8(der: &[u8]) -> Result<Key, CryptoError> {
    let info = PrivateKeyInfoRef::from_der(der).map_err(|_| CryptoError::InvalidKey)?;
    match info.algorithm.oid {
        OID_RSA => rsa(RsaKeyPair::from_pkcs8(der).map_err(|_| CryptoError::InvalidKey)?),
        OID_EC => {
            let curve = info.algorithm.parameters_oid().map_err(|_| CryptoError::InvalidKey)?;
            let ec =
                EcPrivateKey::from_der(info.private_key.as_bytes()).map_err(|_| CryptoError::InvalidKey)?;
            ecdsa(&ec, curve)
        }
        OID_ED25519 => {
            ed25519(Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(|_| CryptoError::InvalidKey)?)
        }
        _ => Err(CryptoError::Unsupported),
    }
}

fn rsa(pair: RsaKeyPair) -> Result<Key, CryptoError> {
    let bits = u32::try_from(pair.public().modulus_len() * 8).map_err(|_| CryptoError::InvalidKey)?;
    let algorithm = AlgorithmIdentifierRef { oid: OID_RSA, parameters: Some(AnyRef::NULL) };
    let public_key_info = public_key_info(algorithm, pair.public().as_ref())?;
    Ok(Key { kind: KeyKind::Rsa, bits, public_key_info, pair: Pair::Rsa(Box::new(pair)) })
}

fn ecdsa(key: &EcPrivateKey<'_>, curve: ObjectIdentifier) -> Result<Key, CryptoError> {
    let (kind, bits, der, fixed) = match curve {
        OID_P256 => {
            (KeyKind::EcdsaP256, 256, &ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P256_SHA256_FIXED_SIGNING)
        }
        OID_P384 => {
            (KeyKind::EcdsaP384, 384, &ECDSA_P384_SHA384_ASN1_SIGNING, &ECDSA_P384_SHA384_FIXED_SIGNING)
        }
        _ => return Err(CryptoError::Unsupported),
    };
    // ring cannot compute the public half.
    let public = key.public_key.ok_or(CryptoError::Unsupported)?;
    let pair = |algorithm| {
        EcdsaKeyPair::from_private_key_and_public_key(
            algorithm,
            key.private_key,
            public,
            &SystemRandom::new(),
        )
        .map_err(|_| CryptoError::InvalidKey)
    };
    let algorithm = AlgorithmIdentifierRef { oid: OID_EC, parameters: Some(AnyRef::from(&curve)) };
    let public_key_info = public_key_info(algorithm, public)?;
    let pair = Pair::Ecdsa { der: Box::new(pair(der)?), fixed: Box::new(pair(fixed)?) };
    Ok(Key { kind, bits, public_key_info, pair })
}

fn ed25519(pair: Ed25519KeyPair) -> Result<Key, CryptoError> {
    let algorithm = AlgorithmIdentifierRef { oid: OID_ED25519, parameters: None };
    let public_key_info = public_key_info(algorithm, pair.public_key().as_ref())?;
    Ok(Key { kind: KeyKind::Ed25519, bits: 256, public_key_info, pair: Pair::Ed25519(Box::new(pair)) })
}

fn public_key_info(algorithm: AlgorithmIdentifierRef<'_>, public: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let subject_public_key = BitStringRef::from_bytes(public).map_err(|_| CryptoError::InvalidKey)?;
    SubjectPublicKeyInfoRef { algorithm, subject_public_key }.to_der().map_err(|_| CryptoError::InvalidKey)
}

struct Key {
    kind: KeyKind,
    bits: u32,
    public_key_info: Vec<u8>,
    pair: Pair,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    /// ring binds a pair to one form of signature.
    Ecdsa {
        der: Box<EcdsaKeyPair>,
        fixed: Box<EcdsaKeyPair>,
    },
    Ed25519(Box<Ed25519KeyPair>),
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
        match &self.pair {
            Pair::Rsa(pair) => sign_rsa(pair, rsa_encoding(scheme)?, data),
            Pair::Ecdsa { der, fixed } => {
                let own_hash = match self.kind {
                    KeyKind::EcdsaP384 => HashAlgorithm::Sha384,
                    _ => HashAlgorithm::Sha256,
                };
                let pair = match scheme {
                    SignatureScheme::EcdsaDer(hash) if hash == own_hash => der,
                    SignatureScheme::EcdsaFixed(hash) if hash == own_hash => fixed,
                    _ => return Err(CryptoError::Unsupported),
                };
                let signature = pair.sign(&SystemRandom::new(), data).map_err(|_| CryptoError::Provider)?;
                Ok(signature.as_ref().to_vec())
            }
            Pair::Ed25519(pair) if scheme == SignatureScheme::Ed25519 => {
                Ok(pair.sign(data).as_ref().to_vec())
            }
            Pair::Ed25519(_) => Err(CryptoError::Unsupported),
        }
    }
}

fn sign_rsa(
    pair: &RsaKeyPair,
    encoding: &'static dyn RsaEncoding,
    data: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(encoding, &SystemRandom::new(), data, &mut signature).map_err(|_| CryptoError::Provider)?;
    Ok(signature)
}

fn rsa_encoding(scheme: SignatureScheme) -> Result<&'static dyn RsaEncoding, CryptoError> {
    Ok(match scheme {
        SignatureScheme::RsaPkcs1(HashAlgorithm::Sha256) => &RSA_PKCS1_SHA256,
        SignatureScheme::RsaPkcs1(HashAlgorithm::Sha384) => &RSA_PKCS1_SHA384,
        SignatureScheme::RsaPkcs1(HashAlgorithm::Sha512) => &RSA_PKCS1_SHA512,
        SignatureScheme::RsaPss(HashAlgorithm::Sha256, 32) => &RSA_PSS_SHA256,
        SignatureScheme::RsaPss(HashAlgorithm::Sha384, 48) => &RSA_PSS_SHA384,
        SignatureScheme::RsaPss(HashAlgorithm::Sha512, 64) => &RSA_PSS_SHA512,
        _ => return Err(CryptoError::Unsupported),
    })
}
