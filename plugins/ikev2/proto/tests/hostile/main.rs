//! Messages that lie or were tampered with, and one published message that is true.
#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod lies;
mod rfc7634;
mod tampering;

use std::sync::Arc;

use charon_crypto::CryptoProvider;
use charon_crypto::provider::ProviderBuilder;

/// All algorithms of AWS-LC.
fn crypto() -> Arc<CryptoProvider> {
    let mut builder = ProviderBuilder::default();
    for algorithm in charon_crypto_aws_lc::algorithms() {
        builder.add_untested("aws-lc", algorithm);
    }
    Arc::new(builder.freeze())
}

/// Octets from hexadecimal digits; anything else is skipped.
fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}
