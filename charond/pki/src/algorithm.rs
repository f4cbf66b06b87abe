//! Object identifiers of keys and signatures.

use charon_crypto::hash::HashAlgorithm;
use charon_crypto::signature::{KeyKind, SignatureScheme};
use const_oid::db::{rfc5912, rfc8410};
use der::Sequence;
use der::asn1::{AnyRef, ObjectIdentifier};
use spki::AlgorithmIdentifierRef;

/// Kind of a key by its algorithm and, for elliptic curves, the curve named in the parameters.
pub(crate) fn key_kind(oid: ObjectIdentifier, parameters: Option<AnyRef<'_>>) -> Option<KeyKind> {
    match oid {
        rfc5912::RSA_ENCRYPTION => Some(KeyKind::Rsa),
        rfc5912::ID_EC_PUBLIC_KEY => curve_kind(parameters?.decode_as().ok()?),
        rfc8410::ID_ED_25519 => Some(KeyKind::Ed25519),
        rfc8410::ID_ED_448 => Some(KeyKind::Ed448),
        _ => None,
    }
}

/// Kind of an ECDSA key by its curve.
pub(crate) fn curve_kind(curve: ObjectIdentifier) -> Option<KeyKind> {
    match curve {
        rfc5912::SECP_256_R_1 => Some(KeyKind::EcdsaP256),
        rfc5912::SECP_384_R_1 => Some(KeyKind::EcdsaP384),
        rfc5912::SECP_521_R_1 => Some(KeyKind::EcdsaP521),
        _ => None,
    }
}

/// How a certificate or CRL was signed; `None` for what no provider can check.
pub(crate) fn signature_scheme(identifier: &AlgorithmIdentifierRef<'_>) -> Option<SignatureScheme> {
    use HashAlgorithm::{Sha1, Sha256, Sha384, Sha512};
    Some(match identifier.oid {
        rfc5912::SHA_1_WITH_RSA_ENCRYPTION => SignatureScheme::RsaPkcs1(Sha1),
        rfc5912::SHA_256_WITH_RSA_ENCRYPTION => SignatureScheme::RsaPkcs1(Sha256),
        rfc5912::SHA_384_WITH_RSA_ENCRYPTION => SignatureScheme::RsaPkcs1(Sha384),
        rfc5912::SHA_512_WITH_RSA_ENCRYPTION => SignatureScheme::RsaPkcs1(Sha512),
        rfc5912::ID_RSASSA_PSS => return pss_scheme(identifier.parameters?),
        ECDSA_WITH_SHA_1 => SignatureScheme::EcdsaDer(Sha1),
        rfc5912::ECDSA_WITH_SHA_256 => SignatureScheme::EcdsaDer(Sha256),
        rfc5912::ECDSA_WITH_SHA_384 => SignatureScheme::EcdsaDer(Sha384),
        rfc5912::ECDSA_WITH_SHA_512 => SignatureScheme::EcdsaDer(Sha512),
        rfc8410::ID_ED_25519 => SignatureScheme::Ed25519,
        rfc8410::ID_ED_448 => SignatureScheme::Ed448,
        _ => return None,
    })
}

/// RSASSA-PSS-params (RFC 8017 §A.2.3). All defaults are SHA-1's.
#[derive(Sequence)]
struct PssParameters<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    hash: Option<AlgorithmIdentifierRef<'a>>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    mask: Option<AlgorithmIdentifierRef<'a>>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    salt_len: Option<u16>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    trailer: Option<u8>,
}

/// RSASSA-PSS with one hash for both uses, as all tools write it.
fn pss_scheme(parameters: AnyRef<'_>) -> Option<SignatureScheme> {
    let parameters: PssParameters<'_> = parameters.decode_as().ok()?;
    let hash = parameters.hash.map_or(Some(HashAlgorithm::Sha1), |hash| hash_algorithm(hash.oid))?;
    let mask_hash = match parameters.mask {
        None => HashAlgorithm::Sha1,
        Some(mask) if mask.oid == rfc5912::ID_MGF_1 => {
            hash_algorithm(mask.parameters?.decode_as::<AlgorithmIdentifierRef<'_>>().ok()?.oid)?
        }
        Some(_) => return None,
    };
    let salt_len = parameters.salt_len.unwrap_or(PSS_SALT_LEN_DEFAULT);
    let plain = mask_hash == hash && parameters.trailer.is_none_or(|trailer| trailer == 1);
    plain.then_some(SignatureScheme::RsaPss(hash, salt_len))
}

const PSS_SALT_LEN_DEFAULT: u16 = 20;

fn hash_algorithm(oid: ObjectIdentifier) -> Option<HashAlgorithm> {
    Some(match oid {
        rfc5912::ID_SHA_1 => HashAlgorithm::Sha1,
        rfc5912::ID_SHA_256 => HashAlgorithm::Sha256,
        rfc5912::ID_SHA_384 => HashAlgorithm::Sha384,
        rfc5912::ID_SHA_512 => HashAlgorithm::Sha512,
        _ => return None,
    })
}

/// ecdsa-with-SHA1 (RFC 3279 §2.2.3).
const ECDSA_WITH_SHA_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.1");
