//! An operation through our plugin and by calling its library, in turn: what the traits between them cost.
#![expect(clippy::print_stdout, reason = "its output is a table")]

use std::hint::black_box;
use std::sync::Arc;

use aws_lc_rs as lc;
use charon_bench::race::{Operation, race, wanted};
use charon_crypto::hash::HashAlgorithm;
use charon_crypto::signature::{PrivateKeyDer, PrivateKeyForm, SignatureScheme};
use charon_crypto::{Algorithm, CryptoProvider, Order, ProviderBuilder};
use charon_types::Secret;
use charon_types::algorithm::{EncryptionId, IntegrityId, KeMethod};
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};

/// Octets of an inner packet that fills an Ethernet frame.
const PACKET_LEN: usize = 1408;

/// Name, through the plugin, by the library.
type Pair = (String, Operation, Operation);

fn main() {
    println!("| operation | plugin, µs | library, µs | plugin / library |\n|---|---|---|---|");
    let lc = provider(charon_crypto_aws_lc::algorithms());
    let ring = provider(charon_crypto_ring::algorithms());
    let all = [seals(&lc, &ring), macs(&lc, &ring), exchanges(&lc, &ring), signatures(&lc, &ring)];
    for (name, mut plugin, mut library) in all.into_iter().flatten().filter(|(name, ..)| wanted(name)) {
        let (library, plugin, ratio) = race(&mut library, &mut plugin);
        println!("| {name} | {plugin:.2} | {library:.2} | {ratio:.2} |");
    }
}

fn provider(algorithms: Vec<Algorithm>) -> CryptoProvider {
    let mut builder = ProviderBuilder::new(Order::AsAdded);
    for algorithm in algorithms {
        builder.add("only", algorithm).expect("the provider passes its self-test");
    }
    builder.freeze()
}

/// Sealing a packet with AES-GCM-128.
fn seals(lc: &CryptoProvider, ring: &CryptoProvider) -> Vec<Pair> {
    let plugin = |provider: &CryptoProvider| -> Operation {
        let material = Secret::from(vec![1; 20]);
        let suite = (EncryptionId::AES_GCM_16, Some(128), &material);
        let key = provider.packet_key(suite, None).expect("served");
        let mut packet = vec![9; PACKET_LEN + 16];
        Box::new(move || key.seal(black_box(b"12345678"), &[3; 8], &mut packet, &[]).expect("seals"))
    };
    let key = lc::aead::UnboundKey::new(&lc::aead::AES_128_GCM, &[1; 16]).expect("length");
    let key = lc::aead::LessSafeKey::new(key);
    let mut packet = vec![9; PACKET_LEN];
    let lc_itself: Operation = Box::new(move || {
        let nonce = lc::aead::Nonce::assume_unique_for_key([7; 12]);
        let aad = lc::aead::Aad::from(black_box(b"12345678"));
        let _ = black_box(key.seal_in_place_separate_tag(nonce, aad, &mut packet).expect("seals"));
    });
    let key = ring::aead::UnboundKey::new(&ring::aead::AES_128_GCM, &[1; 16]).expect("length");
    let key = ring::aead::LessSafeKey::new(key);
    let mut packet = vec![9; PACKET_LEN];
    let ring_itself: Operation = Box::new(move || {
        let nonce = ring::aead::Nonce::assume_unique_for_key([7; 12]);
        let aad = ring::aead::Aad::from(black_box(b"12345678"));
        let _ = black_box(key.seal_in_place_separate_tag(nonce, aad, &mut packet).expect("seals"));
    });
    vec![
        ("AES-GCM-128, 1408 octets, AWS-LC".into(), plugin(lc), lc_itself),
        ("AES-GCM-128, 1408 octets, ring".into(), plugin(ring), ring_itself),
    ]
}

/// HMAC-SHA2-256 of a packet.
fn macs(lc: &CryptoProvider, ring: &CryptoProvider) -> Vec<Pair> {
    let plugin = |provider: &CryptoProvider| -> Operation {
        let mac = provider.mac(IntegrityId::HMAC_SHA2_256_128).expect("served");
        let key = mac.key(&Secret::from(vec![1; 32])).expect("length");
        let packet = vec![9; PACKET_LEN];
        Box::new(move || key.sign(&[black_box(&packet)], &mut [0; 16]))
    };
    let packet = vec![9; PACKET_LEN];
    let key = lc::hmac::Key::new(lc::hmac::HMAC_SHA256, &[1; 32]);
    let lc_itself: Operation = Box::new(move || {
        black_box(lc::hmac::sign(&key, black_box(&packet)));
    });
    let packet = vec![9; PACKET_LEN];
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &[1; 32]);
    let ring_itself: Operation = Box::new(move || {
        black_box(ring::hmac::sign(&key, black_box(&packet)));
    });
    vec![
        ("HMAC-SHA2-256, 1408 octets, AWS-LC".into(), plugin(lc), lc_itself),
        ("HMAC-SHA2-256, 1408 octets, ring".into(), plugin(ring), ring_itself),
    ]
}

/// Answering a key exchange: a key pair and an agreement.
fn exchanges(lc: &CryptoProvider, ring: &CryptoProvider) -> Vec<Pair> {
    let plugin = |provider: &CryptoProvider, method| -> (Vec<u8>, Operation) {
        let exchange = Arc::clone(provider.key_exchange(method).expect("served"));
        let public = exchange.initiate().expect("keys").public().to_vec();
        let peer = public.clone();
        let respond = move || {
            black_box(exchange.respond(black_box(&public)).expect("valid"));
        };
        (peer, Box::new(respond))
    };
    let mut pairs: Vec<Pair> = Vec::new();
    for (method, lc_curve, ring_curve) in [
        (KeMethod::CURVE_25519, &lc::agreement::X25519, &ring::agreement::X25519),
        (KeMethod::ECP_256, &lc::agreement::ECDH_P256, &ring::agreement::ECDH_P256),
    ] {
        let point =
            |public: Vec<u8>| if method == KeMethod::ECP_256 { [vec![4], public].concat() } else { public };
        let (public, through) = plugin(lc, method);
        let peer = point(public);
        let itself: Operation = Box::new(move || {
            let own = lc::agreement::PrivateKey::generate(lc_curve).expect("keys");
            black_box(own.compute_public_key().expect("public"));
            let peer = lc::agreement::UnparsedPublicKey::new(lc_curve, black_box(&peer));
            black_box(lc::agreement::agree(&own, peer, (), |secret| Ok(secret[0])).expect("valid"));
        });
        pairs.push((format!("{method}, AWS-LC"), through, itself));
        let (public, through) = plugin(ring, method);
        let peer = point(public);
        let random = ring::rand::SystemRandom::new();
        let itself: Operation = Box::new(move || {
            let own = ring::agreement::EphemeralPrivateKey::generate(ring_curve, &random).expect("keys");
            black_box(own.compute_public_key().expect("public"));
            let peer = ring::agreement::UnparsedPublicKey::new(ring_curve, black_box(&peer));
            black_box(ring::agreement::agree_ephemeral(own, &peer, |secret| secret[0]).expect("valid"));
        });
        pairs.push((format!("{method}, ring"), through, itself));
    }
    pairs
}

/// Signing with ECDSA on P-256.
fn signatures(lc: &CryptoProvider, ring: &CryptoProvider) -> Vec<Pair> {
    let random = ring::rand::SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).expect("keys");
    let plugin = |provider: &CryptoProvider| -> Operation {
        let der = PrivateKeyDer { form: PrivateKeyForm::Pkcs8, der: Secret::copy_from(pkcs8.as_ref()) };
        let key = provider.load_private_key(&der).expect("served");
        let scheme = SignatureScheme::EcdsaDer(HashAlgorithm::Sha256);
        Box::new(move || {
            black_box(key.sign(scheme, black_box(&[5; 600])).expect("signs"));
        })
    };
    let algorithm = &lc::signature::ECDSA_P256_SHA256_ASN1_SIGNING;
    let pair = lc::signature::EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref()).expect("key");
    let system = lc::rand::SystemRandom::new();
    let lc_itself: Operation = Box::new(move || {
        black_box(pair.sign(&system, black_box(&[5; 600])).expect("signs"));
    });
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).expect("key");
    let system = ring::rand::SystemRandom::new();
    let ring_itself: Operation = Box::new(move || {
        black_box(pair.sign(&system, black_box(&[5; 600])).expect("signs"));
    });
    vec![
        ("sign ECDSA P-256, AWS-LC".into(), plugin(lc), lc_itself),
        ("sign ECDSA P-256, ring".into(), plugin(ring), ring_itself),
    ]
}
