//! Work that takes too long for a protocol step: owned values that run anywhere.

use std::fmt;
use std::sync::Arc;

use charon_crypto::kex::{KeyExchange, KeyInitiator, KeyResponse};
use charon_crypto::signature::{PrivateKey, SignatureScheme};
use charon_crypto::{Cost, CryptoError, CryptoProvider};
use charon_types::Secret;
use charon_types::algorithm::KeMethod;

use crate::env::{PeerVerifier, TrustFailure, TrustRequest, TrustedKey};

/// Certificates that are checked in the same turn: an end entity's, an intermediate one, and one to spare.
const CHEAP_CHAIN_MAX: usize = 3;

/// A job.
pub enum Job {
    /// Make an ephemeral key pair.
    KeGenerate(Arc<dyn KeyExchange>),
    /// Answer the initiator's public value.
    KeRespond(Arc<dyn KeyExchange>, Vec<u8>),
    /// Compute the shared secret from the responder's public value.
    KeFinish {
        /// Our half.
        key: Box<dyn KeyInitiator>,
        /// The responder's public value.
        public: Vec<u8>,
        /// What the method takes.
        cost: Cost,
    },
    /// Sign for an AUTH payload.
    Sign {
        /// Our key.
        key: Arc<dyn PrivateKey>,
        /// How.
        scheme: SignatureScheme,
        /// The octets to sign (RFC 7296 §2.15).
        octets: Vec<u8>,
    },
    /// Validate a peer's certificates and its AUTH payload.
    Verify(Box<Verify>),
}

/// See [`Job::Verify`].
pub struct Verify {
    /// Algorithms.
    pub crypto: Arc<CryptoProvider>,
    /// Finds and validates certificates.
    pub verifier: Arc<dyn PeerVerifier>,
    /// What to ask it, once per acceptable configuration; the first success counts.
    pub trust: TrustRequest,
    /// How the signature was made.
    pub scheme: SignatureScheme,
    /// The octets signed.
    pub octets: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
}

/// Result of a [`Job`], variant by variant.
pub enum JobResult {
    /// Of [`Job::KeGenerate`].
    KeGenerate(Result<Box<dyn KeyInitiator>, CryptoError>),
    /// Of [`Job::KeRespond`].
    KeRespond(Result<KeyResponse, CryptoError>),
    /// Of [`Job::KeFinish`].
    KeFinish(Result<Secret, CryptoError>),
    /// Of [`Job::Sign`].
    Sign(Result<Vec<u8>, CryptoError>),
    /// Of [`Job::Verify`].
    Verify(Result<TrustedKey, VerifyFailure>),
}

/// Why a peer's signature was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyFailure {
    /// Its certificate is not trusted.
    #[error(transparent)]
    Untrusted(#[from] TrustFailure),
    /// The signature does not verify.
    #[error("signature: {0}")]
    Signature(CryptoError),
}

impl Job {
    /// Computes the shared secret of `method`.
    pub(crate) fn ke_finish(
        crypto: &CryptoProvider,
        method: KeMethod,
        key: Box<dyn KeyInitiator>,
        public: Vec<u8>,
    ) -> Self {
        let cost = crypto.key_exchange(method).map_or(Cost::Dear, |exchange| exchange.cost());
        Self::KeFinish { key, public, cost }
    }

    /// Does it. Holds the thread for as long as [`Job::cost`] says.
    #[must_use]
    pub fn run(self) -> JobResult {
        match self {
            Self::KeGenerate(ke) => JobResult::KeGenerate(ke.initiate()),
            Self::KeRespond(ke, public) => JobResult::KeRespond(ke.respond(&public)),
            Self::KeFinish { key, public, .. } => JobResult::KeFinish(key.finish(&public)),
            Self::Sign { key, scheme, octets } => JobResult::Sign(key.sign(scheme, &octets)),
            Self::Verify(verify) => JobResult::Verify(verify.run()),
        }
    }

    /// What it takes. Checking a signature is cheap with every kind of key, so only long paths of certificates are dear.
    #[must_use]
    pub fn cost(&self) -> Cost {
        match self {
            Self::KeGenerate(ke) | Self::KeRespond(ke, _) => ke.cost(),
            Self::KeFinish { cost, .. } => *cost,
            Self::Verify(verify) if verify.trust.chain.len() <= CHEAP_CHAIN_MAX => Cost::Cheap,
            Self::Verify(_) => Cost::Dear,
            Self::Sign { key, .. } => key.cost(),
        }
    }
}

impl Verify {
    fn run(self) -> Result<TrustedKey, VerifyFailure> {
        let key = self.verifier.trusted_key(&self.trust)?;
        self.crypto
            .verify(self.scheme, &key.public_key_info, &self.octets, &self.signature)
            .map_err(VerifyFailure::Signature)?;
        Ok(key)
    }
}

/// The kind of job only.
impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KeGenerate(_) => "KeGenerate",
            Self::KeRespond(..) => "KeRespond",
            Self::KeFinish { .. } => "KeFinish",
            Self::Sign { .. } => "Sign",
            Self::Verify(_) => "Verify",
        })
    }
}

/// The kind of result only.
impl fmt::Debug for JobResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KeGenerate(_) => "KeGenerate",
            Self::KeRespond(_) => "KeRespond",
            Self::KeFinish(_) => "KeFinish",
            Self::Sign(_) => "Sign",
            Self::Verify(_) => "Verify",
        })
    }
}
