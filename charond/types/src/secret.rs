//! Octets that must not leak.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Key material, passwords, shared secrets: zeroized on drop, compared in constant time, never printed.
#[derive(Clone)]
pub struct Secret(Zeroizing<Box<[u8]>>);

impl Secret {
    /// Takes a copy of `octets`; the caller wipes its own.
    #[must_use]
    pub fn copy_from(octets: &[u8]) -> Self {
        Self(Zeroizing::new(octets.into()))
    }

    /// The octets. Every use is a place to review.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Number of octets.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Takes the octets without a copy when the vector has no spare capacity; else the old buffer is wiped after copying.
impl From<Vec<u8>> for Secret {
    fn from(octets: Vec<u8>) -> Self {
        if octets.capacity() == octets.len() {
            return Self(Zeroizing::new(octets.into_boxed_slice()));
        }
        Self::copy_from(&Zeroizing::new(octets))
    }
}

/// Constant time for equal lengths; the length itself is not secret.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose().ct_eq(other.expose()).into()
    }
}

impl Eq for Secret {}

/// Shows the length only.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} octets)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_shows_no_octet() {
        assert_eq!(format!("{:?}", Secret::copy_from(b"hunter2")), "Secret(7 octets)");
    }

    #[test]
    fn equal_octets_are_equal_secrets() {
        let mut spare = Vec::with_capacity(100);
        spare.extend_from_slice(b"abc");
        assert_eq!(Secret::from(spare), Secret::copy_from(b"abc"));
        assert_ne!(Secret::copy_from(b"abd"), Secret::copy_from(b"abc"));
    }
}
