//! Verification.

use charon_crypto::CryptoError;
use charon_crypto::hash::HashAlgorithm;
use charon_crypto::signature::SignatureScheme;
use der::Decode;
use der::asn1::ObjectIdentifier;
use pkcs1::RsaPublicKeyRef;
use ring::signature::{self as ring_signature, UnparsedPublicKey, VerificationAlgorithm};
use spki::SubjectPublicKeyInfoRef;

use super::{OID_EC, OID_ED25519, OID_P256, OID_P384, OID_RSA};

/// Octets of the moduli that ring takes with every hash.
const MODULUS_LENS: std::ops::RangeInclusive<usize> = 2048 / 8..=8192 / 8;

/// Checks `signature` over `data`.
pub(super) fn verify(
    scheme: SignatureScheme,
    public_key_info: &[u8],
    data: &[u8],
    signature: &[u8],
) -> Result<(), CryptoError> {
    let info = SubjectPublicKeyInfoRef::from_der(public_key_info).map_err(|_| CryptoError::InvalidKey)?;
    let key = info.subject_public_key.as_bytes().ok_or(CryptoError::InvalidKey)?;
    let algorithm = match info.algorithm.oid {
        OID_RSA => rsa_algorithm(scheme, key)?,
        OID_EC => {
            let curve: ObjectIdentifier =
                info.algorithm.parameters_oid().map_err(|_| CryptoError::InvalidKey)?;
            ecdsa_algorithm(scheme, curve)?
        }
        OID_ED25519 if scheme == SignatureScheme::Ed25519 => &ring_signature::ED25519,
        _ => return Err(CryptoError::Unsupported),
    };
    UnparsedPublicKey::new(algorithm, key).verify(data, signature).map_err(|_| CryptoError::Forged)
}

fn rsa_algorithm(
    scheme: SignatureScheme,
    key: &[u8],
) -> Result<&'static dyn VerificationAlgorithm, CryptoError> {
    let public = RsaPublicKeyRef::from_der(key).map_err(|_| CryptoError::InvalidKey)?;
    if !MODULUS_LENS.contains(&public.modulus.as_bytes().len()) {
        return Err(CryptoError::Unsupported);
    }
    Ok(match scheme {
        SignatureScheme::RsaPkcs1(HashAlgorithm::Sha1) => {
            &ring_signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY
        }
        SignatureScheme::RsaPkcs1(HashAlgorithm::Sha256) => &ring_signature::RSA_PKCS1_2048_8192_SHA256,
        SignatureScheme::RsaPkcs1(HashAlgorithm::Sha384) => &ring_signature::RSA_PKCS1_2048_8192_SHA384,
        SignatureScheme::RsaPkcs1(HashAlgorithm::Sha512) => &ring_signature::RSA_PKCS1_2048_8192_SHA512,
        SignatureScheme::RsaPss(HashAlgorithm::Sha256, 32) => &ring_signature::RSA_PSS_2048_8192_SHA256,
        SignatureScheme::RsaPss(HashAlgorithm::Sha384, 48) => &ring_signature::RSA_PSS_2048_8192_SHA384,
        SignatureScheme::RsaPss(HashAlgorithm::Sha512, 64) => &ring_signature::RSA_PSS_2048_8192_SHA512,
        _ => return Err(CryptoError::Unsupported),
    })
}

fn ecdsa_algorithm(
    scheme: SignatureScheme,
    curve: ObjectIdentifier,
) -> Result<&'static dyn VerificationAlgorithm, CryptoError> {
    Ok(match (curve, scheme) {
        (OID_P256, SignatureScheme::EcdsaDer(HashAlgorithm::Sha256)) => {
            &ring_signature::ECDSA_P256_SHA256_ASN1
        }
        (OID_P256, SignatureScheme::EcdsaDer(HashAlgorithm::Sha384)) => {
            &ring_signature::ECDSA_P256_SHA384_ASN1
        }
        (OID_P384, SignatureScheme::EcdsaDer(HashAlgorithm::Sha256)) => {
            &ring_signature::ECDSA_P384_SHA256_ASN1
        }
        (OID_P384, SignatureScheme::EcdsaDer(HashAlgorithm::Sha384)) => {
            &ring_signature::ECDSA_P384_SHA384_ASN1
        }
        (OID_P256, SignatureScheme::EcdsaFixed(HashAlgorithm::Sha256)) => {
            &ring_signature::ECDSA_P256_SHA256_FIXED
        }
        (OID_P384, SignatureScheme::EcdsaFixed(HashAlgorithm::Sha384)) => {
            &ring_signature::ECDSA_P384_SHA384_FIXED
        }
        _ => return Err(CryptoError::Unsupported),
    })
}
