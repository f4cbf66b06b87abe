//! Known-answer and consistency tests that an algorithm passes before it is used.
//!
//! Vectors come from the RFCs and NIST documents that each module names. Where no answer can be known, because the
//! algorithm draws its own randomness, two halves are played against each other.

mod aead;
mod cipher;
mod hash;
mod hex;
mod kex;
mod known_key;
mod mac;
mod prf;
mod random;
mod signature;
#[cfg(test)]
mod tests;

use crate::{Algorithm, CryptoError};

/// Why an algorithm failed its test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SelfTestError {
    /// The answer to a known question is wrong.
    WrongAnswer {
        /// Source of the question.
        vector: &'static str,
    },
    /// An operation does not undo its opposite, or the two ends of an exchange disagree.
    Inconsistent {
        /// What was tried.
        what: &'static str,
    },
    /// It accepts what it must refuse.
    Lenient {
        /// What it accepted.
        what: &'static str,
    },
    /// A call failed that must succeed.
    Failed {
        /// What was tried.
        what: &'static str,
        /// How it failed.
        error: CryptoError,
    },
}

impl std::fmt::Display for SelfTestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::WrongAnswer { vector } => write!(f, "wrong answer to the vector of {vector}"),
            Self::Inconsistent { what } => write!(f, "inconsistent in {what}"),
            Self::Lenient { what } => write!(f, "accepts {what}"),
            Self::Failed { what, error } => write!(f, "{what} failed: {error}"),
        }
    }
}

impl std::error::Error for SelfTestError {}

/// Tests an algorithm. A number without a vector gets the consistency tests only.
///
/// # Errors
/// [`SelfTestError`] for the first test that fails.
pub fn run(algorithm: &Algorithm) -> Result<(), SelfTestError> {
    match algorithm {
        Algorithm::Aead(aead) => aead::run(&**aead),
        Algorithm::Cipher(cipher) => cipher::run(&**cipher),
        Algorithm::Mac(mac) => mac::run(&**mac),
        Algorithm::Prf(prf) => prf::run(&**prf),
        Algorithm::KeyExchange(method) => kex::run(&**method),
        Algorithm::Hasher(hasher) => hash::run(&**hasher),
        Algorithm::Signature(provider) => signature::run(&**provider),
        Algorithm::Random(random) => random::run(&**random),
    }
}

/// Names what was tried when a call fails.
fn tried<T>(what: &'static str, result: Result<T, CryptoError>) -> Result<T, SelfTestError> {
    result.map_err(|error| SelfTestError::Failed { what, error })
}

fn answered(vector: &'static str, expected: &[u8], answer: &[u8]) -> Result<(), SelfTestError> {
    if expected == answer { Ok(()) } else { Err(SelfTestError::WrongAnswer { vector }) }
}
