use charon_crypto::signature::{KeyKind, PrivateKeyForm, SignatureScheme};
use charon_pki::key_file::KeyFileError;
use charon_pki::{PrivateKeyFile, PublicKey};
use proptest::prelude::*;

use crate::authority::crypto;

const RSA: &[u8] = include_bytes!("fixtures/rsa.pkcs1.pem");
const EC: &[u8] = include_bytes!("fixtures/ec.sec1.pem");
const EC_PKCS8: &[u8] = include_bytes!("fixtures/ec.pkcs8.pem");
const ED25519: &[u8] = include_bytes!("fixtures/ed25519.pkcs8.pem");
const ED448: &[u8] = include_bytes!("fixtures/ed448.pkcs8.pem");

fn error(file: &[u8]) -> KeyFileError {
    PrivateKeyFile::parse(file).expect_err("no usable key")
}

#[test]
fn all_forms_are_recognised_in_pem_and_der() {
    for (file, kind, form) in [
        (RSA, KeyKind::Rsa, PrivateKeyForm::Pkcs1),
        (EC, KeyKind::EcdsaP256, PrivateKeyForm::Sec1),
        (EC_PKCS8, KeyKind::EcdsaP256, PrivateKeyForm::Pkcs8),
        (ED25519, KeyKind::Ed25519, PrivateKeyForm::Pkcs8),
        (ED448, KeyKind::Ed448, PrivateKeyForm::Pkcs8),
    ] {
        let key = PrivateKeyFile::parse(file).expect("a key");
        assert_eq!((key.kind, key.key.form), (kind, form));
        let again = PrivateKeyFile::parse(key.key.der.expose()).expect("a key");
        assert_eq!((again.kind, again.key.form), (kind, form));
    }
}

#[test]
fn what_is_parsed_can_be_loaded_and_signs() {
    let crypto = crypto();
    for (file, scheme) in
        [(EC, ecdsa()), (EC_PKCS8, ecdsa()), (ED25519, SignatureScheme::Ed25519), (RSA, rsa())]
    {
        let parsed = PrivateKeyFile::parse(file).expect("a key");
        let key = crypto.load_private_key(&parsed.key).expect("it loads");
        let public = PublicKey::from_info_der(key.public_key_info()).expect("a public key");
        assert_eq!((public.kind(), Some(key.kind())), (Some(parsed.kind), public.kind()));
        let signature = key.sign(scheme, b"data").expect("it signs");
        assert_eq!(crypto.verify(scheme, public.info(), b"data", &signature), Ok(()));
    }
}

#[test]
fn both_forms_of_a_key_have_the_same_id() {
    let crypto = crypto();
    let id = |file| {
        let key =
            crypto.load_private_key(&PrivateKeyFile::parse(file).expect("a key").key).expect("it loads");
        PublicKey::from_info_der(key.public_key_info()).expect("a public key").key_hash(&crypto)
    };
    assert_eq!(id(EC), id(EC_PKCS8));
    assert_ne!(id(EC), id(ED25519));
}

#[test]
fn unusable_files_say_why() {
    assert_eq!(error(include_bytes!("fixtures/ec.encrypted.pem")), KeyFileError::Encrypted);
    assert_eq!(error(include_bytes!("fixtures/rsa.encrypted.pem")), KeyFileError::Encrypted);
    assert_eq!(error(include_bytes!("fixtures/brainpool.sec1.pem")), KeyFileError::UnsupportedCurve);
    assert_eq!(error(include_bytes!("fixtures/moon.pem")), KeyFileError::NotFound);
    assert_eq!(error(b"nothing"), KeyFileError::Malformed);
    assert_eq!(
        error(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"),
        KeyFileError::Malformed
    );
    assert!(matches!(error(&vec![0; 2 << 20]), KeyFileError::TooLong { .. }));
}

#[test]
fn debug_output_shows_no_key() {
    let shown = format!("{:?}", PrivateKeyFile::parse(ED25519).expect("a key"));
    assert!(shown.contains("octets") && !shown.contains("48, 46"), "{shown}");
}

fn ecdsa() -> SignatureScheme {
    SignatureScheme::EcdsaDer(charon_crypto::hash::HashAlgorithm::Sha256)
}

fn rsa() -> SignatureScheme {
    SignatureScheme::RsaPkcs1(charon_crypto::hash::HashAlgorithm::Sha256)
}

proptest! {
    #[test]
    fn any_octets_are_read_without_panic(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = PrivateKeyFile::parse(&octets);
    }

    #[test]
    fn any_text_in_a_block_is_read_without_panic(text in ".{0,100}") {
        let _ = PrivateKeyFile::parse(format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----").as_bytes());
    }
}
