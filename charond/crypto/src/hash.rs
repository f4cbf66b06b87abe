//! Plain hashes.

/// A hash algorithm, as certificates and signatures name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HashAlgorithm {
    /// SHA-1: NAT detection, key ids, certificates of old; never for new signatures.
    Sha1,
    /// SHA2-256
    Sha256,
    /// SHA2-384
    Sha384,
    /// SHA2-512
    Sha512,
}

impl HashAlgorithm {
    /// Octets of the digest.
    #[must_use]
    pub const fn len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Never; a digest has octets.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        false
    }
}

/// A hash.
pub trait Hasher: Send + Sync {
    /// Which.
    fn algorithm(&self) -> HashAlgorithm;
    /// Digest of the concatenation of `parts`.
    fn hash(&self, parts: &[&[u8]]) -> Vec<u8>;
}
