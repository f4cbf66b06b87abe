//! Why a connection is discarded, in the words that clients of strongSwan know.

/// The first thing wrong with a connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// A key that does not exist, or a list given as a single value, or the reverse.
    #[error("unknown option: {0}, config discarded")]
    UnknownOption(String),
    /// A value that cannot be understood.
    #[error("invalid value for: {0}, config discarded")]
    InvalidValue(String),
    /// A value that strongSwan would honour and this daemon cannot.
    #[error("unsupported value for: {key}, {reason}, config discarded")]
    Unsupported {
        /// The key.
        key: String,
        /// A clause.
        reason: &'static str,
    },
    /// A section that does not exist.
    #[error("invalid section: {0}")]
    InvalidSection(String),
    /// A certificate section without `file`.
    #[error("handle or file path missing: {0}")]
    CertificateSourceMissing(String),
    /// A certificate section with `handle` and `file`.
    #[error("handle and file path given: {0}")]
    CertificateSourceAmbiguous(String),
    /// A certificate section whose file is no certificate.
    #[error("unable to load certificate: {0}")]
    CertificateUnusable(String),
}

impl Refusal {
    pub(crate) fn unknown(key: &str) -> Self {
        Self::UnknownOption(key.to_owned())
    }

    pub(crate) fn invalid(key: &str) -> Self {
        Self::InvalidValue(key.to_owned())
    }

    pub(crate) fn unsupported(key: &str, reason: &'static str) -> Self {
        Self::Unsupported { key: key.to_owned(), reason }
    }
}

/// Reads a value, or says which key has an invalid one.
pub(crate) fn required<T>(key: &str, value: Option<T>) -> Result<T, Refusal> {
    value.ok_or_else(|| Refusal::invalid(key))
}

/// Accepts only the value that means "leave it out".
pub(crate) fn only<T: PartialEq>(
    key: &str,
    value: Option<T>,
    default: &T,
    reason: &'static str,
) -> Result<(), Refusal> {
    if required(key, value)? == *default { Ok(()) } else { Err(Refusal::unsupported(key, reason)) }
}
