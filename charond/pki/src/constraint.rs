//! Strength of keys and signatures in a trust path, as `auth = rsa-3072-sha256` demands it.

use charon_crypto::hash::HashAlgorithm;
use charon_crypto::signature::{KeyKind, SignatureScheme};
use charon_types::algorithm::HashId;
use charon_types::connection::{KeyConstraint, SignatureConstraint};

use crate::PublicKey;

/// Whether the peer's own key is allowed: of a kind that is named, and long enough. No constraint allows every key.
#[must_use]
pub fn allows_end_entity(constraints: &[SignatureConstraint], key: &PublicKey) -> bool {
    constraints.is_empty() || constraints.iter().any(|c| fits_kind(c.key, key) && key.bits() >= c.bits_min)
}

/// Whether an authority's key is allowed: long enough, if its kind is named. Authorities may have other kinds of keys than
/// the peers they certify.
#[must_use]
pub fn allows_authority(constraints: &[SignatureConstraint], key: &PublicKey) -> bool {
    let mut named = constraints.iter().filter(|c| fits_kind(c.key, key)).peekable();
    named.peek().is_none() || named.any(|c| key.bits() >= c.bits_min)
}

/// Whether a certificate may be signed like that. Without any hash in the constraints every scheme is allowed.
#[must_use]
pub fn allows_scheme(constraints: &[SignatureConstraint], scheme: SignatureScheme) -> bool {
    let hash = hash_of(scheme);
    constraints.iter().all(|c| c.hashes.is_empty())
        || constraints
            .iter()
            .any(|c| fits_scheme(c.key, scheme) && (c.hashes.is_empty() || c.hashes.contains(&hash)))
}

fn fits_kind(constraint: KeyConstraint, key: &PublicKey) -> bool {
    match (constraint, key.kind()) {
        (KeyConstraint::Any, _) => true,
        (KeyConstraint::Rsa | KeyConstraint::RsaPss, kind) => kind == Some(KeyKind::Rsa),
        (KeyConstraint::Ecdsa, kind) => {
            matches!(kind, Some(KeyKind::EcdsaP256 | KeyKind::EcdsaP384 | KeyKind::EcdsaP521))
        }
        (KeyConstraint::Ed25519, kind) => kind == Some(KeyKind::Ed25519),
        (KeyConstraint::Ed448, kind) => kind == Some(KeyKind::Ed448),
    }
}

fn fits_scheme(constraint: KeyConstraint, scheme: SignatureScheme) -> bool {
    match constraint {
        KeyConstraint::Any => true,
        KeyConstraint::Rsa => matches!(scheme, SignatureScheme::RsaPkcs1(_) | SignatureScheme::RsaPss(..)),
        KeyConstraint::RsaPss => matches!(scheme, SignatureScheme::RsaPss(..)),
        KeyConstraint::Ecdsa => {
            matches!(scheme, SignatureScheme::EcdsaDer(_) | SignatureScheme::EcdsaFixed(_))
        }
        KeyConstraint::Ed25519 => scheme == SignatureScheme::Ed25519,
        KeyConstraint::Ed448 => scheme == SignatureScheme::Ed448,
    }
}

const fn hash_of(scheme: SignatureScheme) -> HashId {
    let hash = match scheme {
        SignatureScheme::RsaPkcs1(hash)
        | SignatureScheme::RsaPss(hash, _)
        | SignatureScheme::EcdsaDer(hash)
        | SignatureScheme::EcdsaFixed(hash) => hash,
        SignatureScheme::Ed25519 | SignatureScheme::Ed448 => return HashId::IDENTITY,
    };
    match hash {
        HashAlgorithm::Sha1 => HashId::SHA1,
        HashAlgorithm::Sha256 => HashId::SHA2_256,
        HashAlgorithm::Sha384 => HashId::SHA2_384,
        HashAlgorithm::Sha512 => HashId::SHA2_512,
    }
}
