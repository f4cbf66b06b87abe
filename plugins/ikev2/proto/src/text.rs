//! Text for the log.

use std::fmt;

use charon_crypto::hash::HashAlgorithm;
use charon_crypto::signature::SignatureScheme;
use charon_types::selector::TrafficSelector;

use crate::wire::Payload;

/// Selectors, a space between.
pub(crate) fn selectors(list: &[TrafficSelector]) -> impl fmt::Display + '_ {
    SelectorList(list)
}

struct SelectorList<'a>(&'a [TrafficSelector]);

impl fmt::Display for SelectorList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, selector) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{selector}")?;
        }
        Ok(())
    }
}

/// Short names of payloads, a space behind each.
pub(crate) fn payload_list(payloads: &[Payload]) -> impl fmt::Display {
    PayloadList(payloads)
}

struct PayloadList<'a>(&'a [Payload]);

impl fmt::Display for PayloadList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|payload| write!(f, "{payload} "))
    }
}

/// strongSwan's name of a signature scheme.
pub(crate) const fn scheme(scheme: SignatureScheme) -> &'static str {
    match scheme {
        SignatureScheme::RsaPkcs1(HashAlgorithm::Sha1) => "RSA_EMSA_PKCS1_SHA1",
        SignatureScheme::RsaPkcs1(HashAlgorithm::Sha256) => "RSA_EMSA_PKCS1_SHA2_256",
        SignatureScheme::RsaPkcs1(HashAlgorithm::Sha384) => "RSA_EMSA_PKCS1_SHA2_384",
        SignatureScheme::RsaPkcs1(HashAlgorithm::Sha512) => "RSA_EMSA_PKCS1_SHA2_512",
        SignatureScheme::RsaPss(HashAlgorithm::Sha1, _) => "RSA_EMSA_PSS_SHA1",
        SignatureScheme::RsaPss(HashAlgorithm::Sha256, _) => "RSA_EMSA_PSS_SHA2_256",
        SignatureScheme::RsaPss(HashAlgorithm::Sha384, _) => "RSA_EMSA_PSS_SHA2_384",
        SignatureScheme::RsaPss(HashAlgorithm::Sha512, _) => "RSA_EMSA_PSS_SHA2_512",
        SignatureScheme::EcdsaDer(HashAlgorithm::Sha1) => "ECDSA_WITH_SHA1_DER",
        SignatureScheme::EcdsaDer(HashAlgorithm::Sha256) => "ECDSA_WITH_SHA256_DER",
        SignatureScheme::EcdsaDer(HashAlgorithm::Sha384) => "ECDSA_WITH_SHA384_DER",
        SignatureScheme::EcdsaDer(HashAlgorithm::Sha512) => "ECDSA_WITH_SHA512_DER",
        SignatureScheme::EcdsaFixed(HashAlgorithm::Sha1) => "ECDSA_WITH_NULL",
        SignatureScheme::EcdsaFixed(HashAlgorithm::Sha256) => "ECDSA-256",
        SignatureScheme::EcdsaFixed(HashAlgorithm::Sha384) => "ECDSA-384",
        SignatureScheme::EcdsaFixed(HashAlgorithm::Sha512) => "ECDSA-521",
        SignatureScheme::Ed25519 => "ED25519",
        SignatureScheme::Ed448 => "ED448",
    }
}
