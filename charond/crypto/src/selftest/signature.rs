//! RFC 8032 §7.1 (Ed25519), RFC 6979 A.2 (ECDSA), and an RSA signature by OpenSSL.

use charon_types::Secret;

use super::hex::octets;
use super::known_key::{self, KnownKey};
use super::{SelfTestError, tried};
use crate::CryptoError;
use crate::hash::HashAlgorithm;
use crate::signature::{
    KeyKind, PrivateKey, PrivateKeyDer, PrivateKeyForm, SignatureProvider, SignatureScheme,
};

pub(super) fn run(provider: &dyn SignatureProvider) -> Result<(), SelfTestError> {
    for known in known_key::ALL.iter().filter(|known| provider.kinds().contains(&known.kind)) {
        verification(provider, known)?;
        signing(provider, known)?;
    }
    Ok(())
}

fn verification(provider: &dyn SignatureProvider, known: &KnownKey) -> Result<(), SelfTestError> {
    let (info, signature) = (octets(known.public_key_info), octets(known.signature));
    tried("verification", provider.verify(known.scheme, &info, known.message, &signature))?;
    if provider.verify(known.scheme, &info, b"another message", &signature) != Err(CryptoError::Forged) {
        return Err(SelfTestError::Lenient { what: "a signature of another message" });
    }
    Ok(())
}

fn signing(provider: &dyn SignatureProvider, known: &KnownKey) -> Result<(), SelfTestError> {
    let der = Secret::from(octets(known.pkcs8));
    let key = tried("key", provider.load(&PrivateKeyDer { form: PrivateKeyForm::Pkcs8, der }))?;
    if key.kind() != known.kind
        || key.bits() != known.bits
        || key.public_key_info() != octets(known.public_key_info)
    {
        return Err(SelfTestError::Inconsistent { what: "public half of a key" });
    }
    match known.scheme {
        SignatureScheme::EcdsaFixed(hash) => round_trip(provider, &*key, SignatureScheme::EcdsaDer(hash)),
        // These have one right answer.
        SignatureScheme::Ed25519 | SignatureScheme::RsaPkcs1(_) => {
            let signature = tried("signing", key.sign(known.scheme, known.message))?;
            if signature != octets(known.signature) {
                return Err(SelfTestError::WrongAnswer { vector: "a known signature" });
            }
            if known.kind != KeyKind::Rsa {
                return Ok(());
            }
            round_trip(provider, &*key, SignatureScheme::RsaPss(HashAlgorithm::Sha256, 32))
        }
        scheme => round_trip(provider, &*key, scheme),
    }
}

fn round_trip(
    provider: &dyn SignatureProvider,
    key: &dyn PrivateKey,
    scheme: SignatureScheme,
) -> Result<(), SelfTestError> {
    let signature = tried("signing", key.sign(scheme, b"round trip"))?;
    provider
        .verify(scheme, key.public_key_info(), b"round trip", &signature)
        .map_err(|_| SelfTestError::Inconsistent { what: "verification of its own signature" })
}
