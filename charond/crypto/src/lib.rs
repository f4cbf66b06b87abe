//! Traits of the cryptographic providers, the frozen provider tables and their self-tests.
//!
//! Plugins register algorithms with a [`ProviderBuilder`]; each passes its known-answer tests or is refused by name. Then
//! the tables freeze into a [`CryptoProvider`], which protocol code borrows. Nothing here implements an algorithm.
#![forbid(unsafe_code)]

mod algorithm;
mod builder;
pub mod cipher;
pub mod hash;
pub mod kex;
pub mod packet_key;
pub mod prf;
pub mod provider;
pub mod random;
pub mod selftest;
mod shared_key;
pub mod signature;

pub use algorithm::{Algorithm, AlgorithmName};
pub use builder::{Order, ProviderBuilder, Rank, Refused};
pub use provider::CryptoProvider;

/// Why a cryptographic operation failed. Deliberately without detail: detail here would be an oracle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CryptoError {
    /// A key has the wrong length or is malformed.
    InvalidKey,
    /// A peer's public value is malformed or fails validation (RFC 6989).
    InvalidPublicValue,
    /// An ICV or signature does not match.
    Forged,
    /// A buffer has the wrong length.
    InvalidLength,
    /// No provider offers that algorithm.
    Unsupported,
    /// The provider failed.
    Provider,
}

impl std::fmt::Display for CryptoError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::InvalidKey => "invalid key",
            Self::InvalidPublicValue => "invalid public value",
            Self::Forged => "authentication failed",
            Self::InvalidLength => "invalid length",
            Self::Unsupported => "algorithm not available",
            Self::Provider => "provider failure",
        })
    }
}

impl std::error::Error for CryptoError {}

/// How long an operation holds a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Some hundred microseconds at most: done in the same turn.
    Cheap,
    /// More: done by the pool. To go there and come back takes two wake-ups.
    Dear,
}

impl Cost {
    /// What it takes to sign with a key of that kind. A peer has proved who it is before it gets a signature of ours, or we began
    /// ourselves: strangers cannot ask for any.
    #[must_use]
    pub const fn of_signing(kind: signature::KeyKind, bits: u32) -> Self {
        match kind {
            signature::KeyKind::Rsa if bits > RSA_CHEAP_BITS_MAX => Self::Dear,
            _ => Self::Cheap,
        }
    }
}

/// A signature by such a modulus takes about as long as a key exchange by P-384; one by twice the bits takes six times as long.
const RSA_CHEAP_BITS_MAX: u32 = 2048;
