//! ring against AWS-LC: every algorithm that both have must give the same octets, or understand each other.

use charon_crypto::hash::HashAlgorithm;
use charon_crypto::signature::{KeyKind, PrivateKeyDer, PrivateKeyForm, SignatureScheme};
use charon_crypto::{Algorithm, AlgorithmName, CryptoError, CryptoProvider, Order, ProviderBuilder};
use charon_types::Secret;

type Pairs = Vec<(Algorithm, Algorithm)>;

/// Every algorithm of ring with its twin.
fn pairs() -> Pairs {
    let twins = charon_crypto_aws_lc::algorithms();
    let twin = |name: AlgorithmName| twins.iter().find(|twin| twin.name() == name).cloned();
    crate::algorithms()
        .into_iter()
        .filter_map(|ours| twin(ours.name()).map(|theirs| (ours, theirs)))
        .collect()
}

fn provider(order: Order) -> CryptoProvider {
    let mut builder = ProviderBuilder::new(order);
    for algorithm in crate::algorithms() {
        builder.add(crate::NAME, algorithm).unwrap();
    }
    for algorithm in charon_crypto_aws_lc::algorithms() {
        builder.add(charon_crypto_aws_lc::NAME, algorithm).unwrap();
    }
    builder.freeze()
}

/// Octets that look like nothing in particular, the same in every run.
fn octets(seed: usize, len: usize) -> Vec<u8> {
    let mut state = u32::try_from(seed).unwrap().wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_be_bytes()[0]
    };
    (0..len).map(|_| next()).collect()
}

#[test]
fn every_algorithm_passes_its_self_test_and_has_a_twin() {
    assert_eq!(pairs().len(), crate::algorithms().len());
    provider(Order::AsAdded);
}

#[test]
fn sealed_packets_are_the_same_and_open_crosswise() {
    let mut seen = 0;
    for (ours, theirs) in pairs() {
        let (Algorithm::Aead(ours), Algorithm::Aead(theirs)) = (ours, theirs) else { continue };
        let material = Secret::from(octets(1, ours.key_material_len()));
        let (ours, theirs, icv_len) =
            (ours.key(&material).unwrap(), theirs.key(&material).unwrap(), ours.icv_len());
        for len in (0..70).chain([255, 1400, 9000]) {
            let (iv, aad) = (octets(len, 8), octets(len + 1, len % 33));
            let plain = octets(len + 2, len);
            let mut packet = plain.clone();
            packet.resize(len + icv_len, 0);
            let mut twin = packet.clone();
            ours.seal(&iv, &aad, &mut packet).unwrap();
            theirs.seal(&iv, &aad, &mut twin).unwrap();
            assert_eq!(packet, twin);
            ours.open(&iv, &aad, &mut twin).unwrap();
            theirs.open(&iv, &aad, &mut packet).unwrap();
            assert_eq!((&packet[..len], &twin[..len]), (&plain[..], &plain[..]));
        }
        seen += 1;
    }
    assert_eq!(seen, 3);
}

#[test]
fn integrity_values_prfs_and_digests_are_the_same() {
    let mut seen = 0;
    for (ours, theirs) in pairs() {
        for len in (0..140).chain([1000, 9000]) {
            let (head, tail) = (octets(len, len), octets(len + 1, len / 2));
            let parts: [&[u8]; 3] = [&head, &[], &tail];
            match (&ours, &theirs) {
                (Algorithm::Mac(ours), Algorithm::Mac(theirs)) => {
                    let key = Secret::from(octets(len + 2, ours.key_len()));
                    let (mut icv, mut twin) = (vec![0; ours.icv_len()], vec![0; theirs.icv_len()]);
                    ours.key(&key).unwrap().sign(&parts, &mut icv);
                    theirs.key(&key).unwrap().sign(&parts, &mut twin);
                    assert_eq!(icv, twin);
                }
                (Algorithm::Prf(ours), Algorithm::Prf(theirs)) => {
                    let key = octets(len + 2, len + 1);
                    assert_eq!(ours.once(&key, &parts), theirs.once(&key, &parts));
                    assert_eq!(ours.plus(&key, &parts, len + 1), theirs.plus(&key, &parts, len + 1));
                }
                (Algorithm::Hasher(ours), Algorithm::Hasher(theirs)) => {
                    assert_eq!(ours.hash(&parts), theirs.hash(&parts));
                }
                _ => continue,
            }
            seen += 1;
        }
    }
    assert_eq!(seen, (6 + 4 + 4) * 142);
}

#[test]
fn key_exchanges_agree_crosswise() {
    let mut seen = 0;
    for (ours, theirs) in pairs() {
        let (Algorithm::KeyExchange(ours), Algorithm::KeyExchange(theirs)) = (ours, theirs) else { continue };
        for (initiator, responder) in [(&ours, &theirs), (&theirs, &ours)] {
            let initiated = initiator.initiate().unwrap();
            let response = responder.respond(initiated.public()).unwrap();
            assert_eq!(initiated.finish(&response.public), Ok(response.secret));
        }
        let mut off_curve = ours.initiate().unwrap().public().to_vec();
        if off_curve.len() > 32 {
            off_curve[0] ^= 1;
            assert!(matches!(ours.respond(&off_curve), Err(CryptoError::InvalidPublicValue)));
            assert!(matches!(theirs.respond(&off_curve), Err(CryptoError::InvalidPublicValue)));
        }
        seen += 1;
    }
    assert_eq!(seen, 3);
}

/// A fresh PKCS#8 key of that kind.
fn fresh_key(kind: KeyKind) -> PrivateKeyDer {
    use ring::rand::SystemRandom;
    use ring::signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    };
    let random = SystemRandom::new();
    let der = match kind {
        KeyKind::EcdsaP256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random),
        KeyKind::EcdsaP384 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_ASN1_SIGNING, &random),
        _ => Ed25519KeyPair::generate_pkcs8(&random),
    };
    PrivateKeyDer { form: PrivateKeyForm::Pkcs8, der: Secret::copy_from(der.unwrap().as_ref()) }
}

#[test]
fn signatures_verify_crosswise() {
    let signatures = |algorithms: Vec<Algorithm>| {
        algorithms.into_iter().find_map(|algorithm| match algorithm {
            Algorithm::Signature(signatures) => Some(signatures),
            _ => None,
        })
    };
    let ours = signatures(crate::algorithms()).unwrap();
    let theirs = signatures(charon_crypto_aws_lc::algorithms()).unwrap();
    let cases = [
        (KeyKind::EcdsaP256, SignatureScheme::EcdsaDer(HashAlgorithm::Sha256)),
        (KeyKind::EcdsaP256, SignatureScheme::EcdsaFixed(HashAlgorithm::Sha256)),
        (KeyKind::EcdsaP384, SignatureScheme::EcdsaDer(HashAlgorithm::Sha384)),
        (KeyKind::EcdsaP384, SignatureScheme::EcdsaFixed(HashAlgorithm::Sha384)),
        (KeyKind::Ed25519, SignatureScheme::Ed25519),
    ];
    for (kind, scheme) in cases {
        for round in 0..20 {
            let der = fresh_key(kind);
            let (our_key, their_key) = (ours.load(&der).unwrap(), theirs.load(&der).unwrap());
            assert_eq!(our_key.public_key_info(), their_key.public_key_info());
            assert_eq!((our_key.kind(), our_key.bits()), (their_key.kind(), their_key.bits()));
            let message = octets(round, round * 7);
            let info = our_key.public_key_info();
            let signature = our_key.sign(scheme, &message).unwrap();
            theirs.verify(scheme, info, &message, &signature).unwrap();
            let signature = their_key.sign(scheme, &message).unwrap();
            ours.verify(scheme, info, &message, &signature).unwrap();
            let other = octets(round + 1, round * 7 + 1);
            assert_eq!(ours.verify(scheme, info, &other, &signature), Err(CryptoError::Forged));
            assert_eq!(theirs.verify(scheme, info, &other, &signature), Err(CryptoError::Forged));
        }
    }
}

#[test]
fn a_scheme_that_the_first_provider_lacks_is_signed_by_the_next() {
    let provider = provider(Order::AsAdded);
    assert_eq!(provider.signatures[0].plugin, crate::NAME);
    let key = provider.load_private_key(&fresh_key(KeyKind::EcdsaP256)).unwrap();
    let scheme = SignatureScheme::EcdsaDer(HashAlgorithm::Sha512);
    let signature = key.sign(scheme, b"message").unwrap();
    provider.verify(scheme, key.public_key_info(), b"message", &signature).unwrap();
}

#[test]
fn by_default_each_algorithm_is_served_by_the_faster_provider() {
    let mut builder = ProviderBuilder::default();
    for algorithm in crate::algorithms() {
        builder.add_ranked(crate::NAME, crate::rank(algorithm.name()), algorithm).unwrap();
    }
    for algorithm in charon_crypto_aws_lc::algorithms() {
        builder.add(charon_crypto_aws_lc::NAME, algorithm).unwrap();
    }
    let provider = builder.freeze();
    assert_eq!(provider.prfs[0].plugin, crate::NAME);
    assert_eq!(provider.key_exchanges[0].plugin, charon_crypto_aws_lc::NAME);
    assert_eq!(provider.aeads[0].plugin, charon_crypto_aws_lc::NAME);
    assert_eq!(provider.signatures[0].plugin, charon_crypto_aws_lc::NAME);
}
