//! X.509 certificates, key files, trust path building and validation.
//!
//! Parsing is done once, into values that are cheap to clone. No cryptography and no I/O here: hashes and signatures go
//! through [`charon_crypto::CryptoProvider`], files are read by the caller, the time is an argument.
#![forbid(unsafe_code)]

mod algorithm;
pub mod certificate;
pub mod constraint;
pub mod crl;
pub mod key_file;
pub mod path;
mod pem;
pub mod public_key;

pub use certificate::Certificate;
pub use crl::Crl;
pub use key_file::PrivateKeyFile;
pub use path::{TrustPath, TrustSources, find_path};
pub use pem::FILE_LEN_MAX;
pub use public_key::{KeyHash, PublicKey};

/// Why octets are no certificate, CRL or public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Not DER, or not of the form that X.509 demands.
    #[error("encoding is malformed")]
    Malformed,
    /// An extension appears twice, or its content is malformed.
    #[error("extension {oid} is malformed or repeated")]
    Extension {
        /// Which one.
        oid: der::asn1::ObjectIdentifier,
    },
    /// The algorithm inside the signed part is not the one outside (RFC 5280 §4.1.1.2).
    #[error("signature algorithms inside and outside of the signed part differ")]
    AlgorithmMismatch,
    /// Larger than anything real.
    #[error("longer than {limit} octets")]
    TooLong {
        /// Largest length taken, in octets.
        limit: usize,
    },
    /// PEM without a block of the kind that was looked for.
    #[error("no block of the expected kind")]
    NotFound,
}

impl From<der::Error> for ParseError {
    fn from(_: der::Error) -> Self {
        Self::Malformed
    }
}
