//! The same algorithm by two providers, in turn, block by block: the ratio holds although the machine's speed drifts.
//! These ratios are where the ranks in the plugins come from.
#![expect(clippy::print_stdout, reason = "its output is a table")]

use std::hint::black_box;

use charon_bench::race::{Operation, race, wanted};
use charon_crypto::hash::HashAlgorithm;
use charon_crypto::signature::{PrivateKeyDer, PrivateKeyForm, SignatureScheme};
use charon_crypto::{Algorithm, CryptoProvider, Order, ProviderBuilder};
use charon_types::Secret;

/// Octets of a packet that fills an Ethernet frame, and of a small one.
const PACKET_LENS: [usize; 2] = [1408, 96];

fn main() {
    println!("| operation | AWS-LC, µs | ring, µs | ring / AWS-LC |\n|---|---|---|---|");
    for (name, mut lc, mut ring) in pairs().into_iter().filter(|(name, ..)| wanted(name)) {
        let (lc, ring, ratio) = race(&mut lc, &mut ring);
        println!("| {name} | {lc:.2} | {ring:.2} | {ratio:.2} |");
    }
}

fn pairs() -> Vec<(String, Operation, Operation)> {
    let lc = charon_crypto_aws_lc::algorithms();
    let mut pairs = Vec::new();
    for ring in charon_crypto_ring::algorithms() {
        let name = ring.name();
        let Some(lc) = lc.iter().find(|lc| lc.name() == name) else { continue };
        let operations = |algorithm: &Algorithm| operations(algorithm);
        for ((what, lc), (_, ring)) in operations(lc).into_iter().zip(operations(&ring)) {
            pairs.push((format!("{name}: {what}"), lc, ring));
        }
    }
    pairs
}

fn operations(algorithm: &Algorithm) -> Vec<(String, Operation)> {
    match algorithm.clone() {
        Algorithm::Aead(aead) => PACKET_LENS
            .iter()
            .flat_map(|&len| {
                let material = Secret::from(vec![1; aead.key_material_len()]);
                let key = aead.key(&material).expect("length");
                let mut packet = vec![9; len + aead.icv_len()];
                let seal: Operation = Box::new(move || {
                    key.seal(&[3; 8], b"12345678", black_box(&mut packet)).expect("seals");
                });
                let key = aead.key(&material).expect("length");
                let mut sealed = vec![9; len + aead.icv_len()];
                key.seal(&[3; 8], b"12345678", &mut sealed).expect("seals");
                let mut packet = sealed.clone();
                let open: Operation = Box::new(move || {
                    packet.copy_from_slice(&sealed);
                    key.open(&[3; 8], b"12345678", black_box(&mut packet)).expect("opens");
                });
                [(format!("seal {len} octets"), seal), (format!("open {len} octets"), open)]
            })
            .collect(),
        Algorithm::Mac(mac) => PACKET_LENS
            .iter()
            .map(|&len| {
                let key = mac.key(&Secret::from(vec![1; mac.key_len()])).expect("length");
                let packet = vec![9; len];
                let mut icv = vec![0; mac.icv_len()];
                let sign: Operation = Box::new(move || key.sign(&[black_box(&packet)], &mut icv));
                (format!("sign {len} octets"), sign)
            })
            .collect(),
        Algorithm::Prf(prf) => {
            let keys: Operation = Box::new(move || {
                black_box(prf.plus(&[1; 32], &[&[2; 64], &[3; 16]], 7 * prf.output_len()).expect("prf+"));
            });
            vec![("prf+ of 7 keys".into(), keys)]
        }
        Algorithm::Hasher(hasher) => {
            let hash: Operation = Box::new(move || {
                black_box(hasher.hash(&[black_box(&[1; 22])]));
            });
            vec![("22 octets".into(), hash)]
        }
        Algorithm::KeyExchange(method) => {
            let public = method.initiate().expect("keys").public().to_vec();
            let respond: Operation = Box::new(move || {
                black_box(method.respond(&public).expect("valid"));
            });
            vec![("respond".into(), respond)]
        }
        Algorithm::Random(random) => {
            let mut out = [0; 32];
            let fill: Operation = Box::new(move || random.fill(black_box(&mut out)));
            vec![("32 octets".into(), fill)]
        }
        Algorithm::Signature(_) => signatures(algorithm),
        Algorithm::Cipher(_) => Vec::new(),
    }
}

fn signatures(algorithm: &Algorithm) -> Vec<(String, Operation)> {
    let mut all = Vec::new();
    for (name, scheme, pkcs8) in keys() {
        let provider: CryptoProvider = {
            let mut builder = ProviderBuilder::new(Order::AsAdded);
            builder.add("only", algorithm.clone()).expect("self-test");
            builder.freeze()
        };
        let der = PrivateKeyDer { form: PrivateKeyForm::Pkcs8, der: Secret::from(pkcs8) };
        let key = provider.load_private_key(&der).expect("served");
        let message = vec![5; 600];
        let signature = key.sign(scheme, &message).expect("signs");
        let info = key.public_key_info().to_vec();
        let signed = message.clone();
        let sign: Operation = Box::new(move || {
            black_box(key.sign(scheme, &signed).expect("signs"));
        });
        let verify: Operation = Box::new(move || {
            provider.verify(scheme, &info, black_box(&message), &signature).expect("verifies");
        });
        all.push((format!("sign by {name}"), sign));
        all.push((format!("verify by {name}"), verify));
    }
    all
}

fn keys() -> Vec<(&'static str, SignatureScheme, Vec<u8>)> {
    use ring::signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    };
    let random = ring::rand::SystemRandom::new();
    let rsa = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).expect("keys");
    let rsa = aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&rsa).expect("der");
    let ecdsa = |algorithm| EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("keys").as_ref().to_vec();
    vec![
        (
            "ECDSA P-256",
            SignatureScheme::EcdsaDer(HashAlgorithm::Sha256),
            ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING),
        ),
        (
            "ECDSA P-384",
            SignatureScheme::EcdsaDer(HashAlgorithm::Sha384),
            ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING),
        ),
        (
            "Ed25519",
            SignatureScheme::Ed25519,
            Ed25519KeyPair::generate_pkcs8(&random).expect("keys").as_ref().to_vec(),
        ),
        ("RSA 2048", SignatureScheme::RsaPkcs1(HashAlgorithm::Sha256), rsa.as_ref().to_vec()),
    ]
}
