//! Algorithms of ring: what it does as fast as any, and a second implementation of the rest of its overlap with AWS-LC.
#![forbid(unsafe_code)]

mod aead;
mod hash;
mod kex;
mod mac;
mod plugin;
mod prf;
mod random;
mod signature;

use charon_crypto::hash::HashAlgorithm;
use charon_crypto::{Algorithm, AlgorithmName, Rank};
use charon_types::algorithm::{EncryptionId, IntegrityId, PrfId};

pub use plugin::Ring;

/// Name in the load line and in listings.
pub const NAME: &str = "crypto-ring";

/// Every algorithm that ring serves.
#[must_use]
pub fn algorithms() -> Vec<Algorithm> {
    let mut all = aead::algorithms();
    all.extend(mac::algorithms());
    all.extend(prf::algorithms());
    all.extend(hash::algorithms());
    all.extend(kex::algorithms());
    all.extend(signature::algorithms());
    all.extend(random::algorithms());
    all
}

/// How ring compares with AWS-LC, from `cargo bench -p charon-bench --bench providers`: HMAC-SHA2 takes 0.85 to 0.98 of
/// the time, 32 random octets 0.64; ChaCha20-Poly1305 and SHA-256 are level; AES-GCM takes 1.0 to 1.2 times as long,
/// P-256 1.1 to 1.2, X25519 and RSA 1.8, Ed25519 2.4, HMAC-SHA1 2 to 3, P-384 3 to 4. An expanded HMAC key has 176 octets
/// here and 1,232 there.
#[must_use]
pub fn rank(algorithm: AlgorithmName) -> Rank {
    match algorithm {
        AlgorithmName::Prf(PrfId::HMAC_SHA2_256 | PrfId::HMAC_SHA2_384 | PrfId::HMAC_SHA2_512)
        | AlgorithmName::Integrity(
            IntegrityId::HMAC_SHA2_256_128
            | IntegrityId::HMAC_SHA2_256_96
            | IntegrityId::HMAC_SHA2_384_192
            | IntegrityId::HMAC_SHA2_512_256,
        )
        | AlgorithmName::Hash(HashAlgorithm::Sha384 | HashAlgorithm::Sha512)
        | AlgorithmName::Random => Rank::Faster,
        AlgorithmName::Encryption(EncryptionId::CHACHA20_POLY1305, _)
        | AlgorithmName::Hash(HashAlgorithm::Sha256) => Rank::Usual,
        AlgorithmName::Encryption(..)
        | AlgorithmName::Integrity(_)
        | AlgorithmName::Prf(_)
        | AlgorithmName::KeyExchange(_)
        | AlgorithmName::Hash(_)
        | AlgorithmName::Signatures => Rank::Slower,
    }
}

#[cfg(test)]
mod tests;
