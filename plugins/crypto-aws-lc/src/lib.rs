//! Algorithms of AWS-LC: nearly everything that IKEv2 and ESP use.
//!
//! The safe interface of `aws-lc-rs` serves where it reaches. What it lacks (short ICVs, MODP groups, signatures with any
//! hash, SHA-1 signatures of old peers) goes through `sys`, the only module with `unsafe`.
#![deny(unsafe_code)]

mod aead;
mod cipher;
mod ecdsa_form;
mod hash;
mod kem;
mod kex;
mod mac;
mod modp;
mod plugin;
mod prf;
mod random;
mod signature;
mod sys;

use charon_crypto::Algorithm;

pub use plugin::AwsLc;

/// Name in the load line and in listings.
pub const NAME: &str = "crypto-aws-lc";

/// Every algorithm that AWS-LC serves.
#[must_use]
pub fn algorithms() -> Vec<Algorithm> {
    let mut all = aead::algorithms();
    all.extend(cipher::algorithms());
    all.extend(mac::algorithms());
    all.extend(prf::algorithms());
    all.extend(hash::algorithms());
    all.extend(kex::algorithms());
    all.extend(modp::algorithms());
    all.extend(kem::algorithms());
    all.extend(signature::algorithms());
    all.extend(random::algorithms());
    all
}

#[cfg(test)]
mod tests;
