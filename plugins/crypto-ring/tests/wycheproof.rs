//! Project Wycheproof's vectors through both providers.
#![expect(clippy::unwrap_used, reason = "a test may end by it")]

use charon_crypto::hash::HashAlgorithm;
use charon_crypto::signature::{SignatureProvider, SignatureScheme};
use charon_crypto::{Algorithm, CryptoError};
use charon_types::Secret;
use charon_types::algorithm::{EncryptionId, IntegrityId, KeMethod, PrfId};
use wycheproof::{
    HashFunction, TestResult, aead, ecdh, ecdsa, eddsa, mac, rsa_pkcs1_verify, rsa_pss_verify, xdh,
};

fn providers() -> [(&'static str, Vec<Algorithm>); 2] {
    [("aws-lc", charon_crypto_aws_lc::algorithms()), ("ring", charon_crypto_ring::algorithms())]
}

/// Octets of salt that a key material has behind the key.
const SALT_LEN: usize = 4;

#[test]
fn combined_modes_answer_as_they_should() {
    let mut seen = 0;
    for (plugin, algorithms) in providers() {
        for algorithm in &algorithms {
            let Algorithm::Aead(algorithm) = algorithm else { continue };
            let name = match algorithm.id() {
                EncryptionId::CHACHA20_POLY1305 => aead::TestName::ChaCha20Poly1305,
                _ => aead::TestName::AesGcm,
            };
            let set = aead::TestSet::load(name).unwrap();
            let fitting = set.test_groups.iter().filter(|group| {
                group.nonce_size == 96
                    && group.tag_size == 128
                    && group.key_size == (algorithm.key_material_len() - SALT_LEN) * 8
            });
            for test in fitting.flat_map(|group| &group.tests) {
                let material = [&test.key[..], &test.nonce[..SALT_LEN]].concat();
                let key = algorithm.key(&Secret::from(material)).unwrap();
                let iv = &test.nonce[SALT_LEN..];
                let icv = &test.tag[..algorithm.icv_len()];
                let sealed = [&test.ct[..], icv].concat();
                let mut packet = sealed.clone();
                let opened = key.open(iv, &test.aad, &mut packet);
                if test.result == TestResult::Invalid {
                    // A short ICV does not see a change behind it.
                    let visible = algorithm.icv_len() == 16;
                    assert!(!visible || opened == Err(CryptoError::Forged), "{plugin} {}", test.tc_id);
                    continue;
                }
                assert_eq!(opened, Ok(()), "{plugin} {}", test.tc_id);
                assert_eq!(packet[..test.pt.len()], test.pt[..]);
                key.seal(iv, &test.aad, &mut packet).unwrap();
                assert_eq!(packet, sealed, "{plugin} {}", test.tc_id);
                seen += 1;
            }
        }
    }
    assert!(seen > 500, "{seen}");
}

#[test]
fn integrity_and_prfs_answer_as_they_should() {
    let mut seen = 0;
    for (plugin, algorithms) in providers() {
        for algorithm in &algorithms {
            let (name, full_len) = match algorithm {
                Algorithm::Mac(mac) => match mac.id() {
                    IntegrityId::HMAC_SHA1_96 | IntegrityId::HMAC_SHA1_160 => (mac::TestName::HmacSha1, 20),
                    IntegrityId::HMAC_SHA2_384_192 => (mac::TestName::HmacSha384, 48),
                    IntegrityId::HMAC_SHA2_512_256 => (mac::TestName::HmacSha512, 64),
                    IntegrityId::AES_CMAC_96 => (mac::TestName::AesCmac, 16),
                    _ => (mac::TestName::HmacSha256, 32),
                },
                Algorithm::Prf(prf) => match prf.id() {
                    PrfId::HMAC_SHA1 => (mac::TestName::HmacSha1, 20),
                    PrfId::HMAC_SHA2_384 => (mac::TestName::HmacSha384, 48),
                    PrfId::HMAC_SHA2_512 => (mac::TestName::HmacSha512, 64),
                    PrfId::AES128_CMAC => (mac::TestName::AesCmac, 16),
                    _ => (mac::TestName::HmacSha256, 32),
                },
                _ => continue,
            };
            let set = mac::TestSet::load(name).unwrap();
            let full = set.test_groups.iter().filter(|group| group.tag_size == full_len * 8);
            for test in full.flat_map(|group| &group.tests) {
                let mut tag = vec![0; full_len];
                match algorithm {
                    Algorithm::Mac(mac) if test.key.len() == mac.key_len() => {
                        let key = mac.key(&Secret::copy_from(&test.key)).unwrap();
                        tag.truncate(mac.icv_len());
                        key.sign(&[&test.msg], &mut tag);
                    }
                    Algorithm::Prf(prf) if prf.id() != PrfId::AES128_CMAC || test.key.len() == 16 => {
                        prf.key(&test.key).unwrap().sign(&[&test.msg], &mut tag);
                    }
                    _ => continue,
                }
                let equal = tag == test.tag[..tag.len()];
                let whole = tag.len() == full_len;
                assert!(equal || test.result.must_fail(), "{plugin} {:?} {}", name, test.tc_id);
                assert!(!(equal && whole && test.result.must_fail()), "{plugin} {:?} {}", name, test.tc_id);
                seen += 1;
            }
        }
    }
    assert!(seen > 1000, "{seen}");
}

#[test]
fn agreements_reach_the_known_secrets_and_refuse_bad_points() {
    let mut seen = 0;
    for (plugin, algorithms) in providers() {
        for algorithm in &algorithms {
            let Algorithm::KeyExchange(method) = algorithm else { continue };
            let (name, len) = match method.method() {
                KeMethod::ECP_256 => (ecdh::TestName::EcdhSecp256r1Ecpoint, 32),
                KeMethod::ECP_384 => (ecdh::TestName::EcdhSecp384r1Ecpoint, 48),
                KeMethod::ECP_521 => (ecdh::TestName::EcdhSecp521r1Ecpoint, 66),
                _ => continue,
            };
            for test in ecdh::TestSet::load(name).unwrap().test_groups.iter().flat_map(|group| &group.tests) {
                // KE payloads have no first octet; a compressed point cannot be sent at all.
                let Some((4, public)) = test.public_key.split_first() else { continue };
                if test.result == TestResult::Invalid {
                    assert!(
                        matches!(method.respond(public), Err(CryptoError::InvalidPublicValue)),
                        "{}",
                        test.tc_id
                    );
                    continue;
                }
                assert!(method.respond(public).is_ok(), "{plugin} {}", test.tc_id);
                let digits = test.private_key.iter().position(|&octet| octet != 0).unwrap_or(0);
                let mut private = vec![0; len];
                private[len - (test.private_key.len() - digits)..]
                    .copy_from_slice(&test.private_key[digits..]);
                match method.secret_from(&private, public) {
                    Err(CryptoError::Unsupported) => {}
                    secret => assert_eq!(secret.unwrap().expose(), &test.shared_secret[..], "{}", test.tc_id),
                }
                seen += 1;
            }
        }
    }
    assert!(seen > 1000, "{seen}");
}

#[test]
fn x25519_reaches_the_known_secrets_and_refuses_zero() {
    let set = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
    for (plugin, algorithms) in providers() {
        let x25519 = algorithms.iter().find_map(|algorithm| match algorithm {
            Algorithm::KeyExchange(method) if method.method() == KeMethod::CURVE_25519 => Some(method),
            _ => None,
        });
        let x25519 = x25519.unwrap();
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let zero = test.shared_secret.iter().all(|&octet| octet == 0);
            let refused = matches!(x25519.respond(&test.public_key), Err(CryptoError::InvalidPublicValue));
            assert_eq!(refused, zero || test.public_key.len() != 32, "{plugin} {}", test.tc_id);
            match x25519.secret_from(&test.private_key, &test.public_key) {
                Ok(secret) => assert_eq!(secret.expose(), &test.shared_secret[..], "{plugin} {}", test.tc_id),
                Err(error) => {
                    assert!(error == CryptoError::Unsupported || refused, "{plugin} {}", test.tc_id)
                }
            }
        }
    }
}

fn signatures(algorithms: &[Algorithm]) -> &dyn SignatureProvider {
    let found = algorithms.iter().find_map(|algorithm| match algorithm {
        Algorithm::Signature(signatures) => Some(&**signatures),
        _ => None,
    });
    found.unwrap()
}

fn hash(function: HashFunction) -> HashAlgorithm {
    match function {
        HashFunction::Sha1 => HashAlgorithm::Sha1,
        HashFunction::Sha2_256 => HashAlgorithm::Sha256,
        HashFunction::Sha2_384 => HashAlgorithm::Sha384,
        HashFunction::Sha2_512 => HashAlgorithm::Sha512,
        other => panic!("no such hash here: {other:?}"),
    }
}

/// Verifies, and counts what the provider serves.
#[derive(Default)]
struct Judge {
    served: usize,
}

impl Judge {
    fn verify(
        &mut self,
        provider: &dyn SignatureProvider,
        scheme: SignatureScheme,
        (der, message, signature): (&[u8], &[u8], &[u8]),
        (result, case): (TestResult, usize),
    ) {
        let verdict = provider.verify(scheme, der, message, signature);
        match (verdict, result) {
            (Err(CryptoError::Unsupported), _) | (_, TestResult::Acceptable) => return,
            (Ok(()), TestResult::Invalid) => panic!("{scheme:?}: {case} accepted"),
            (Err(error), TestResult::Valid) => panic!("{scheme:?}: {case} refused: {error}"),
            (Ok(()), TestResult::Valid) | (Err(_), TestResult::Invalid) => {}
        }
        self.served += 1;
    }
}

#[test]
fn ecdsa_accepts_and_refuses_as_it_should() {
    use ecdsa::TestName::*;
    let mut judge = Judge::default();
    for (_, algorithms) in providers() {
        let provider = signatures(&algorithms);
        for name in [
            EcdsaSecp256r1Sha256,
            EcdsaSecp256r1Sha512,
            EcdsaSecp384r1Sha256,
            EcdsaSecp384r1Sha384,
            EcdsaSecp384r1Sha512,
            EcdsaSecp521r1Sha512,
            EcdsaSecp256r1Sha256P1363,
            EcdsaSecp256r1Sha512P1363,
            EcdsaSecp384r1Sha384P1363,
            EcdsaSecp384r1Sha512P1363,
            EcdsaSecp521r1Sha512P1363,
        ] {
            let fixed = format!("{name:?}").ends_with("P1363");
            for group in ecdsa::TestSet::load(name).unwrap().test_groups {
                let scheme = if fixed {
                    SignatureScheme::EcdsaFixed(hash(group.hash))
                } else {
                    SignatureScheme::EcdsaDer(hash(group.hash))
                };
                for test in &group.tests {
                    judge.verify(
                        provider,
                        scheme,
                        (&group.der, &test.msg, &test.sig),
                        (test.result, test.tc_id),
                    );
                }
            }
        }
    }
    assert!(judge.served > 4000, "{}", judge.served);
}

#[test]
fn ed25519_accepts_and_refuses_as_it_should() {
    let mut judge = Judge::default();
    for (_, algorithms) in providers() {
        for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
            for test in &group.tests {
                let case = (&group.der[..], &test.msg[..], &test.sig[..]);
                judge.verify(
                    signatures(&algorithms),
                    SignatureScheme::Ed25519,
                    case,
                    (test.result, test.tc_id),
                );
            }
        }
    }
    assert!(judge.served > 200, "{}", judge.served);
}

#[test]
fn rsa_accepts_and_refuses_as_it_should() {
    let mut judge = Judge::default();
    for (_, algorithms) in providers() {
        let provider = signatures(&algorithms);
        for name in [
            rsa_pkcs1_verify::TestName::Rsa2048Sha256,
            rsa_pkcs1_verify::TestName::Rsa2048Sha384,
            rsa_pkcs1_verify::TestName::Rsa2048Sha512,
            rsa_pkcs1_verify::TestName::Rsa3072Sha256,
            rsa_pkcs1_verify::TestName::Rsa4096Sha512,
        ] {
            for group in rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups {
                let scheme = SignatureScheme::RsaPkcs1(hash(group.hash));
                for test in &group.tests {
                    judge.verify(
                        provider,
                        scheme,
                        (&group.der, &test.msg, &test.sig),
                        (test.result, test.tc_id),
                    );
                }
            }
        }
        for name in [
            rsa_pss_verify::TestName::RsaPss2048Sha256Mgf1SaltLen0,
            rsa_pss_verify::TestName::RsaPss2048Sha256Mgf1SaltLen32,
            rsa_pss_verify::TestName::RsaPss2048Sha384Mgf1SaltLen48,
            rsa_pss_verify::TestName::RsaPss4096Sha512Mgf1SaltLen64,
        ] {
            for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
                let salt_len = u16::try_from(group.salt_size).unwrap();
                let scheme = SignatureScheme::RsaPss(hash(group.hash), salt_len);
                for test in &group.tests {
                    judge.verify(
                        provider,
                        scheme,
                        (&group.der, &test.msg, &test.sig),
                        (test.result, test.tc_id),
                    );
                }
            }
        }
    }
    assert!(judge.served > 2000, "{}", judge.served);
}
