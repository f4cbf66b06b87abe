//! One algorithm as a plugin offers it, and its name.

use std::fmt;
use std::sync::Arc;

use charon_types::algorithm::{EncryptionId, IntegrityId, KeMethod, PrfId};

use crate::cipher::{Aead, Cipher, Mac};
use crate::hash::{HashAlgorithm, Hasher};
use crate::kex::KeyExchange;
use crate::prf::Prf;
use crate::random::Random;
use crate::signature::SignatureProvider;

/// One algorithm as a plugin offers it.
#[derive(Clone)]
pub enum Algorithm {
    /// Combined mode at one key length.
    Aead(Arc<dyn Aead>),
    /// Cipher at one key length.
    Cipher(Arc<dyn Cipher>),
    /// Integrity.
    Mac(Arc<dyn Mac>),
    /// Pseudo-random function.
    Prf(Arc<dyn Prf>),
    /// Key exchange.
    KeyExchange(Arc<dyn KeyExchange>),
    /// Hash.
    Hasher(Arc<dyn Hasher>),
    /// Signatures.
    Signature(Arc<dyn SignatureProvider>),
    /// Randomness.
    Random(Arc<dyn Random>),
}

/// What an algorithm is, whoever offers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AlgorithmName {
    /// Cipher or combined mode, with its key bits; 0 for an algorithm's only length.
    Encryption(EncryptionId, u16),
    /// Integrity.
    Integrity(IntegrityId),
    /// Pseudo-random function.
    Prf(PrfId),
    /// Key exchange.
    KeyExchange(KeMethod),
    /// Hash.
    Hash(HashAlgorithm),
    /// Signatures of all kinds.
    Signatures,
    /// Randomness.
    Random,
}

impl Algorithm {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> AlgorithmName {
        match self {
            Self::Aead(aead) => AlgorithmName::Encryption(aead.id(), aead.key_bits()),
            Self::Cipher(cipher) => AlgorithmName::Encryption(cipher.id(), cipher.key_bits()),
            Self::Mac(mac) => AlgorithmName::Integrity(mac.id()),
            Self::Prf(prf) => AlgorithmName::Prf(prf.id()),
            Self::KeyExchange(method) => AlgorithmName::KeyExchange(method.method()),
            Self::Hasher(hasher) => AlgorithmName::Hash(hasher.algorithm()),
            Self::Signature(_) => AlgorithmName::Signatures,
            Self::Random(_) => AlgorithmName::Random,
        }
    }
}

impl fmt::Display for AlgorithmName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encryption(id, 0) => id.fmt(f),
            Self::Encryption(id, bits) => write!(f, "{id}_{bits}"),
            Self::Integrity(id) => id.fmt(f),
            Self::Prf(id) => id.fmt(f),
            Self::KeyExchange(method) => method.fmt(f),
            Self::Hash(hash) => f.write_str(match hash {
                HashAlgorithm::Sha1 => "HASH_SHA1",
                HashAlgorithm::Sha256 => "HASH_SHA2_256",
                HashAlgorithm::Sha384 => "HASH_SHA2_384",
                HashAlgorithm::Sha512 => "HASH_SHA2_512",
            }),
            Self::Signatures => f.write_str("signatures"),
            Self::Random => f.write_str("randomness"),
        }
    }
}
