//! What the crypto library alone needs for a responder's handshake: the floor of its cost, whatever the daemon is.
//!
//! AWS-LC is called as it is, without our plugins, on one core. Each operation is repeated in blocks; the median block counts, in
//! processor time. A certificate counts as verified before, as in a run in which all clients show the same.
#![expect(clippy::print_stdout, reason = "its output is a table")]
#![expect(clippy::expect_used, reason = "a broken library ends the measurement")]

use std::hint::black_box;
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{EphemeralPrivateKey, PrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey as VerifyingKey,
};
use aws_lc_rs::{digest, hmac, rand, rsa};

const BLOCKS: usize = 7;
/// Operations between two looks at the clock, which cost some microseconds.
const CHECKED_EVERY: u32 = 40;
/// Long beside the ticks at which the kernel counts.
const BLOCK: Duration = Duration::from_millis(60);
/// Octets that an AUTH payload covers: a message of IKE_SA_INIT, the other's nonce and a hashed identity.
const SIGNED: [u8; 400] = [5; 400];

fn main() {
    let x25519 = median(x25519());
    let keys = median(symmetric());
    let (sign_ecdsa, verify_ecdsa) = ecdsa();
    let (sign_rsa, verify_rsa) = rsa();
    println!("| X25519, key pair and agreement | {x25519:.1} |\n| hashes, prf, keys, AEAD | {keys:.1} |");
    for (name, sign, verify) in
        [("psk", 0.0, 0.0), ("ecdsa256", sign_ecdsa, verify_ecdsa), ("rsa", sign_rsa, verify_rsa)]
    {
        println!("| ceiling {name} | {:.1} |", x25519 + keys + sign + verify);
    }
}

/// Microseconds that an operation takes.
fn median(mut operation: impl FnMut()) -> f64 {
    let mut blocks: Vec<f64> = (0..BLOCKS)
        .map(|_| {
            let (begun, mut times) = (processor_time(), 0_u32);
            loop {
                (0..CHECKED_EVERY).for_each(|_| operation());
                times += CHECKED_EVERY;
                let spent = processor_time() - begun;
                if spent >= BLOCK {
                    return spent.as_secs_f64() * 1e6 / f64::from(times);
                }
            }
        })
        .collect();
    blocks.sort_by(f64::total_cmp);
    blocks.get(BLOCKS / 2).copied().unwrap_or(f64::NAN)
}

/// Of this thread, as of the kernel's last tick.
fn processor_time() -> Duration {
    let shown = std::fs::read_to_string("/proc/thread-self/schedstat").expect("the kernel counts");
    let nanoseconds = shown.split_whitespace().next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanoseconds.expect("a number comes first"))
}

fn x25519() -> impl FnMut() {
    let random = SystemRandom::new();
    let peer = PrivateKey::generate(&X25519).expect("keys").compute_public_key().expect("public key");
    move || {
        let own = EphemeralPrivateKey::generate(&X25519, &random).expect("keys");
        black_box(own.compute_public_key().expect("public key"));
        let peer = UnparsedPublicKey::new(&X25519, peer.as_ref());
        let secret = agree_ephemeral(own, peer, "no agreement", |secret| Ok(secret.first().copied()));
        black_box(secret.expect("a valid public key"));
    }
}

/// Everything else that a pre-shared key and AES-GCM-256 with HMAC-SHA2-256 need.
fn symmetric() -> impl FnMut() {
    let random = SystemRandom::new();
    move || {
        // NAT detection: two hashes to check, two to send.
        for _ in 0..4 {
            black_box(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &[1; 22]));
        }
        let mut nonce_and_spi = [0; 40];
        rand::SecureRandom::fill(&random, &mut nonce_and_spi).expect("random octets");
        let seed = prf(&[1; 64], &[2; 32]);
        // SK_d, SK_pi, SK_pr of 32 octets, SK_ei and SK_er of 36: six blocks, under one key.
        let key = hmac::Key::new(hmac::HMAC_SHA256, seed.as_ref());
        for block in 1..=6 {
            black_box(hmac::sign(&key, &[block; 113]));
        }
        let aead = |octet| {
            LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[octet; 32]).expect("a key of its length"))
        };
        for (octet, len) in [(1, 250), (2, 200)] {
            let mut message = vec![octet; len];
            let nonce = Nonce::assume_unique_for_key([octet; 12]);
            let tag = aead(octet).seal_in_place_separate_tag(nonce, Aad::from([3; 32]), &mut message);
            black_box(tag.expect("seals").as_ref().len());
        }
        // Both AUTH payloads: the hashed identity, the padded key, what is signed.
        for octet in 1..=2 {
            black_box(prf(&[octet; 32], &[4; 12]));
            let secret = prf(b"a pre-shared key that everybody here shares", b"Key Pad for IKEv2");
            black_box(prf(secret.as_ref(), &SIGNED));
        }
    }
}

fn prf(key: &[u8], data: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), data)
}

/// Microseconds to sign and to verify.
fn ecdsa() -> (f64, f64) {
    let random = SystemRandom::new();
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("keys");
    let sign = || pair.sign(&random, black_box(&SIGNED)).expect("signs");
    let signature = sign();
    let public = VerifyingKey::new(&ECDSA_P256_SHA256_ASN1, pair.public_key().as_ref());
    let verify = || public.verify(&SIGNED, black_box(signature.as_ref())).expect("verifies");
    let signing = median(|| {
        black_box(sign());
    });
    (signing, median(verify))
}

/// Microseconds to sign and to verify.
fn rsa() -> (f64, f64) {
    let random = SystemRandom::new();
    let pair = RsaKeyPair::generate(rsa::KeySize::Rsa2048).expect("keys");
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &random, &SIGNED, &mut signature).expect("signs");
    let mut out = signature.clone();
    let sign = || {
        pair.sign(&RSA_PKCS1_SHA256, &random, black_box(&SIGNED), &mut out).expect("signs");
    };
    let signing = median(sign);
    let public = VerifyingKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref());
    (signing, median(|| public.verify(&SIGNED, black_box(&signature)).expect("verifies")))
}
