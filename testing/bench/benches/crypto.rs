//! Cryptographic operations through our providers.

use std::hint::black_box;
use std::sync::Arc;

use aws_lc_rs as lc;
use charon_crypto::hash::HashAlgorithm;
use charon_crypto::packet_key::PacketKey;
use charon_crypto::signature::{PrivateKeyDer, PrivateKeyForm, SignatureScheme};
use charon_crypto::{Algorithm, CryptoProvider, Order, ProviderBuilder};
use charon_types::Secret;
use charon_types::algorithm::{EncryptionId, IntegrityId, KeMethod, PrfId};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Octets of an inner packet that fills an Ethernet frame.
const PACKET_LEN: usize = 1408;

fn provider(plugin: &'static str, algorithms: Vec<Algorithm>) -> CryptoProvider {
    let mut builder = ProviderBuilder::new(Order::AsAdded);
    for algorithm in algorithms {
        builder.add(plugin, algorithm).expect("the provider passes its self-test");
    }
    builder.freeze()
}

fn providers() -> [(&'static str, CryptoProvider); 2] {
    [
        ("aws-lc", provider(charon_crypto_aws_lc::NAME, charon_crypto_aws_lc::algorithms())),
        ("ring", provider(charon_crypto_ring::NAME, charon_crypto_ring::algorithms())),
    ]
}

fn packet_key(
    provider: &CryptoProvider,
    id: EncryptionId,
    bits: Option<u16>,
    mac: Option<IntegrityId>,
) -> PacketKey {
    let (encryption, integrity) = provider.key_lens(id, bits, mac).expect("the suite is served");
    let encryption = Secret::from(vec![1; encryption]);
    let integrity = Secret::from(vec![2; integrity]);
    provider.packet_key((id, bits, &encryption), mac.map(|mac| (mac, &integrity))).expect("the lengths fit")
}

fn packets(c: &mut Criterion) {
    let mut group = c.benchmark_group("seal a packet of 1408 octets");
    group.throughput(Throughput::Bytes(1408));
    let suites = [
        ("AES-GCM-128", EncryptionId::AES_GCM_16, Some(128), None),
        ("AES-GCM-256", EncryptionId::AES_GCM_16, Some(256), None),
        ("ChaCha20-Poly1305", EncryptionId::CHACHA20_POLY1305, None, None),
        ("AES-CBC-256 HMAC-SHA2-256", EncryptionId::AES_CBC, Some(256), Some(IntegrityId::HMAC_SHA2_256_128)),
        ("AES-CBC-128 HMAC-SHA1", EncryptionId::AES_CBC, Some(128), Some(IntegrityId::HMAC_SHA1_96)),
        ("NULL HMAC-SHA2-256", EncryptionId::NULL, None, Some(IntegrityId::HMAC_SHA2_256_128)),
        ("NULL HMAC-SHA2-512", EncryptionId::NULL, None, Some(IntegrityId::HMAC_SHA2_512_256)),
    ];
    for (name, provider) in &providers() {
        for (suite, id, bits, mac) in suites {
            if provider.key_lens(id, bits, mac).is_none() {
                continue;
            }
            let key = packet_key(provider, id, bits, mac);
            let mut packet = vec![9; PACKET_LEN + key.icv_len()];
            let iv = vec![3; key.iv_len()];
            group.bench_function(format!("{suite}, {name} plugin"), |b| {
                b.iter(|| key.seal(black_box(b"12345678"), &iv, &mut packet, &[]));
            });
        }
    }
    group.finish();
}

fn key_exchanges(c: &mut Criterion) {
    let mut group = c.benchmark_group("answer a key exchange");
    for (name, provider) in &providers() {
        for method in [
            KeMethod::CURVE_25519,
            KeMethod::ECP_256,
            KeMethod::ECP_384,
            KeMethod::ECP_521,
            KeMethod::ML_KEM_768,
            KeMethod::MODP_2048,
            KeMethod::MODP_3072,
            KeMethod::MODP_4096,
        ] {
            let Some(exchange) = provider.key_exchange(method) else { continue };
            let initiator = exchange.initiate().expect("keys");
            group.bench_function(format!("{method}, {name} plugin"), |b| {
                b.iter(|| exchange.respond(black_box(initiator.public())).expect("valid").secret);
            });
        }
    }
    group.finish();
}

fn signatures(c: &mut Criterion) {
    use ring::signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    };
    let random = ring::rand::SystemRandom::new();
    let rsa = lc::rsa::KeyPair::generate(lc::rsa::KeySize::Rsa2048).expect("keys");
    let rsa = lc::encoding::AsDer::<lc::encoding::Pkcs8V1Der<'_>>::as_der(&rsa).expect("der");
    let keys = [
        (
            "ECDSA P-256",
            SignatureScheme::EcdsaDer(HashAlgorithm::Sha256),
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random)
                .expect("keys")
                .as_ref()
                .to_vec(),
        ),
        (
            "ECDSA P-384",
            SignatureScheme::EcdsaDer(HashAlgorithm::Sha384),
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_ASN1_SIGNING, &random)
                .expect("keys")
                .as_ref()
                .to_vec(),
        ),
        (
            "Ed25519",
            SignatureScheme::Ed25519,
            Ed25519KeyPair::generate_pkcs8(&random).expect("keys").as_ref().to_vec(),
        ),
        ("RSA 2048", SignatureScheme::RsaPkcs1(HashAlgorithm::Sha256), rsa.as_ref().to_vec()),
    ];
    let mut group = c.benchmark_group("signatures");
    let message = vec![5; 600];
    for (name, provider) in &providers() {
        for (scheme_name, scheme, pkcs8) in &keys {
            let der = PrivateKeyDer { form: PrivateKeyForm::Pkcs8, der: Secret::copy_from(pkcs8) };
            let key = provider.load_private_key(&der).expect("the key is served");
            let signature = key.sign(*scheme, &message).expect("signs");
            group.bench_function(format!("sign {scheme_name}, {name} plugin"), |b| {
                b.iter(|| key.sign(*scheme, black_box(&message)));
            });
            group.bench_function(format!("verify {scheme_name}, {name} plugin"), |b| {
                b.iter(|| provider.verify(*scheme, key.public_key_info(), black_box(&message), &signature));
            });
        }
    }
    group.finish();
}

fn small(c: &mut Criterion) {
    let mut group = c.benchmark_group("small operations");
    for (name, provider) in &providers() {
        for id in [PrfId::HMAC_SHA1, PrfId::HMAC_SHA2_256, PrfId::HMAC_SHA2_384, PrfId::HMAC_SHA2_512] {
            let prf = provider.prf(id).expect("served");
            group.bench_function(format!("{id}, key and 64 octets, {name} plugin"), |b| {
                b.iter(|| prf.once(black_box(&[1; 64]), &[&[2; 64]]));
            });
            group.bench_function(format!("{id}, prf+ of 7 keys, {name} plugin"), |b| {
                b.iter(|| prf.plus(black_box(&[1; 32]), &[&[2; 64], &[3; 16]], 7 * prf.output_len()));
            });
        }
        for hash in [HashAlgorithm::Sha1, HashAlgorithm::Sha256] {
            group.bench_function(format!("{hash:?} of 22 octets, {name} plugin"), |b| {
                b.iter(|| provider.hash(hash, &[black_box(&[1; 22])]));
            });
        }
        let random = provider.random();
        group.bench_function(format!("32 random octets, {name} plugin"), |b| {
            let mut out = [0; 32];
            b.iter(|| random.fill(black_box(&mut out)));
        });
        let aead = provider.aead(EncryptionId::AES_GCM_16, Some(256)).expect("served");
        let material = Secret::from(vec![1; 36]);
        group.bench_function(format!("AES-GCM-256 key, {name} plugin"), |b| {
            b.iter(|| aead.key(black_box(&material)))
        });
        let mac = provider.mac(IntegrityId::HMAC_SHA2_256_128).expect("served");
        let material = Secret::from(vec![1; 32]);
        group.bench_function(format!("HMAC-SHA2-256 key, {name} plugin"), |b| {
            b.iter(|| mac.key(black_box(&material)))
        });
    }
    group.finish();
}

/// All the cryptography of a responder with a pre-shared key: the floor of a handshake's cost.
fn handshake(c: &mut Criterion) {
    let mut group = c.benchmark_group("cryptography of a responder, PSK and X25519");
    for (name, provider) in &providers() {
        let exchange = Arc::clone(provider.key_exchange(KeMethod::CURVE_25519).expect("served"));
        let initiator = exchange.initiate().expect("keys");
        group.bench_function(format!("{name} plugin"), |b| {
            b.iter(|| respond(provider, &*exchange, black_box(initiator.public())));
        });
    }
    group.finish();
}

fn respond(
    provider: &CryptoProvider,
    exchange: &dyn charon_crypto::kex::KeyExchange,
    public: &[u8],
) -> usize {
    let prf = provider.prf(PrfId::HMAC_SHA2_256).expect("served");
    // NAT detection: two hashes to check, two to send.
    for _ in 0..4 {
        black_box(provider.hash(HashAlgorithm::Sha1, &[&[1; 8], &[2; 8], &[3; 4], &[4; 2]]));
    }
    let mut nonce = [0; 32];
    provider.random().fill(&mut nonce);
    let response = exchange.respond(public).expect("valid");
    let seed = prf.once(&[1; 64], &[response.secret.expose()]).expect("prf");
    let keys = prf.plus(seed.expose(), &[&[1; 64], &[2; 16]], 3 * 32 + 2 * 36).expect("prf+");
    let key = |at: usize| Secret::copy_from(&keys.expose()[at..at + 36]);
    let aead = |material: &Secret| {
        provider.packet_key((EncryptionId::AES_GCM_16, Some(256), material), None).expect("suite")
    };
    let (inbound, outbound) = (aead(&key(32)), aead(&key(68)));
    // IKE_AUTH: open the request, check and make AUTH, derive the child's keys, seal the response.
    let mut message = vec![0; 300];
    outbound.seal(&[0; 32], &[1; 8], &mut message, &[]).expect("seals");
    for _ in 0..2 {
        let secret = prf.once(b"secret", &[b"Key Pad for IKEv2"]).expect("prf");
        let id = prf.once(&[3; 32], &[&[4; 12]]).expect("prf");
        black_box(prf.once(secret.expose(), &[&[5; 500], &nonce, id.expose()]).expect("prf"));
    }
    black_box(prf.plus(&[6; 32], &[&[7; 64]], 2 * 36).expect("prf+"));
    inbound.seal(&[0; 32], &[1; 8], &mut message, &[]).expect("seals");
    message.len()
}

/// What the self-tests add to the start of the daemon.
fn start(c: &mut Criterion) {
    let mut group = c.benchmark_group("all self-tests");
    group.bench_function("aws-lc plugin", |b| {
        b.iter(|| provider(charon_crypto_aws_lc::NAME, charon_crypto_aws_lc::algorithms()));
    });
    group.bench_function("ring plugin", |b| {
        b.iter(|| provider(charon_crypto_ring::NAME, charon_crypto_ring::algorithms()));
    });
    group.finish();
}

criterion_group!(benches, packets, key_exchanges, signatures, small, handshake, start);
criterion_main!(benches);
