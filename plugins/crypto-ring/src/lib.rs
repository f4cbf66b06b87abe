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

use charon_crypto::Algorithm;

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

#[cfg(test)]
mod tests;
