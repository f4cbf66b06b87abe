//! Bytes that clients sent: they may be secrets, and nothing of them stays in memory.

use std::ops::Deref;

use zeroize::optimization_barrier;

/// Overwrites bytes with zeros, at once: to write each by itself takes longer than to serve what they ask for.
pub(crate) fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    // They are looked at, as far as the compiler knows.
    optimization_barrier(bytes);
}

/// Bytes that are wiped when they are dropped.
pub(crate) struct Wiped(Box<[u8]>);

impl Wiped {
    /// A copy.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl Deref for Wiped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}
