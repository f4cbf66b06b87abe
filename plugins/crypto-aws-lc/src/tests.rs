//! What the plugin does beyond the known-answer tests that every algorithm passes when it is added.

use charon_crypto::hash::HashAlgorithm;
use charon_crypto::signature::{PrivateKeyDer, PrivateKeyForm, SignatureScheme};
use charon_crypto::{Algorithm, CryptoError, CryptoProvider, ProviderBuilder};
use charon_types::Secret;
use charon_types::algorithm::{EncryptionId, IntegrityId, KeMethod};

fn provider() -> CryptoProvider {
    let mut builder = ProviderBuilder::default();
    for algorithm in crate::algorithms() {
        builder.add(crate::NAME, algorithm).unwrap();
    }
    builder.freeze()
}

#[test]
fn short_icvs_are_the_front_of_long_ones() {
    let provider = provider();
    for bits in [128, 192, 256] {
        let material = Secret::from(vec![7; usize::from(bits / 8) + 4]);
        let sealed = |id, icv_len: usize| {
            let key = provider.aead(id, Some(bits)).unwrap().key(&material).unwrap();
            let mut packet = vec![9; 40 + icv_len];
            key.seal(&[1; 8], b"aad", &mut packet).unwrap();
            let original = packet.clone();
            key.open(&[1; 8], b"aad", &mut packet).unwrap();
            assert_eq!(packet[..40], [9; 40]);
            let mut forged = original.clone();
            forged[0] ^= 1;
            assert_eq!(key.open(&[1; 8], b"aad", &mut forged), Err(CryptoError::Forged));
            original
        };
        let full = sealed(EncryptionId::AES_GCM_16, 16);
        assert_eq!(full[..52], sealed(EncryptionId::AES_GCM_12, 12));
        assert_eq!(full[..48], sealed(EncryptionId::AES_GCM_8, 8));
    }
}

#[test]
fn modp_refuses_values_at_the_edges() {
    let provider = provider();
    let group = provider.key_exchange(KeMethod::MODP_2048).unwrap();
    let edge = |value: u8| {
        let mut public = vec![0; 256];
        public[255] = value;
        public
    };
    for public in [edge(0), edge(1), vec![0xff; 256], vec![2; 255], vec![2; 257], Vec::new()] {
        assert!(matches!(group.respond(&public), Err(CryptoError::InvalidPublicValue)));
    }
    assert!(group.respond(&edge(2)).is_ok());
}

#[test]
fn curves_refuse_points_that_are_not_on_them() {
    let provider = provider();
    for (method, len) in [(KeMethod::ECP_256, 64), (KeMethod::ECP_384, 96), (KeMethod::ECP_521, 132)] {
        let curve = provider.key_exchange(method).unwrap();
        for public in [vec![0; len], vec![1; len], vec![4; len + 1], Vec::new()] {
            assert!(matches!(curve.respond(&public), Err(CryptoError::InvalidPublicValue)), "{method}");
        }
    }
    let x25519 = provider.key_exchange(KeMethod::CURVE_25519).unwrap();
    assert!(matches!(x25519.respond(&[0; 32]), Err(CryptoError::InvalidPublicValue)));
}

#[test]
fn rsa_below_1024_bits_and_trailing_octets_are_refused() {
    let Some(Algorithm::Signature(signatures)) = crate::signature::algorithms().pop() else { panic!("none") };
    let key = |form, octets: &[u8]| PrivateKeyDer { form, der: Secret::copy_from(octets) };
    for form in [PrivateKeyForm::Pkcs8, PrivateKeyForm::Pkcs1, PrivateKeyForm::Sec1] {
        for octets in [&[][..], &[0x30, 0], &[0x30, 0x80], &[0xff; 64]] {
            assert!(matches!(signatures.load(&key(form, octets)), Err(CryptoError::InvalidKey)));
        }
    }
    let scheme = SignatureScheme::RsaPkcs1(HashAlgorithm::Sha256);
    assert_eq!(signatures.verify(scheme, &[0x30, 0], b"data", b"signature"), Err(CryptoError::InvalidKey));
}

#[test]
fn a_suite_of_cbc_and_hmac_makes_packet_keys() {
    let provider = provider();
    let lens = provider.key_lens(EncryptionId::AES_CBC, Some(256), Some(IntegrityId::HMAC_SHA2_256_128));
    assert_eq!(lens, Some((32, 32)));
    let encryption = Secret::from(vec![1; 32]);
    let integrity = Secret::from(vec![2; 32]);
    let key = provider
        .packet_key(
            (EncryptionId::AES_CBC, Some(256), &encryption),
            Some((IntegrityId::HMAC_SHA2_256_128, &integrity)),
        )
        .unwrap();
    let mut payload = vec![3; 32 + key.icv_len()];
    key.seal(b"header", &[5; 16], &mut payload, &[]).unwrap();
    key.open(b"header", &[5; 16], &mut payload, &[]).unwrap();
    assert_eq!(payload[..32], [3; 32]);
}

#[test]
fn a_key_at_rest_and_an_expanded_one_understand_each_other() {
    let provider = provider();
    let (encryption, integrity) = (Secret::from(vec![1; 36]), Secret::from(vec![2; 48]));
    let cbc = Secret::from(vec![1; 32]);
    let suites = [
        ((EncryptionId::AES_GCM_16, Some(256), &encryption), None),
        ((EncryptionId::AES_CBC, Some(256), &cbc), Some((IntegrityId::HMAC_SHA2_384_192, &integrity))),
        (
            (EncryptionId::NULL, None, &Secret::from(vec![])),
            Some((IntegrityId::HMAC_SHA2_384_192, &integrity)),
        ),
    ];
    for (encryption, integrity) in suites {
        let expanded = provider.packet_key(encryption, integrity).unwrap();
        let at_rest = provider.packet_key_at_rest(encryption, integrity).unwrap();
        assert_eq!(format!("{expanded:?}"), format!("{at_rest:?}"));
        assert_eq!(expanded.iv_may_count(), at_rest.iv_may_count());
        let iv = vec![5; expanded.iv_len()];
        let mut payload = vec![3; 32 + expanded.icv_len()];
        at_rest.seal(b"header", &iv, &mut payload, b"esn").unwrap();
        expanded.open(b"header", &iv, &mut payload, b"esn").unwrap();
        assert_eq!(payload[..32], [3; 32]);
        expanded.seal(b"header", &iv, &mut payload, b"esn").unwrap();
        payload[0] ^= 1;
        assert_eq!(at_rest.open(b"header", &iv, &mut payload, b"esn"), Err(CryptoError::Forged));
    }
    let short = Secret::from(vec![1; 35]);
    assert!(provider.packet_key_at_rest((EncryptionId::AES_GCM_16, Some(256), &short), None).is_err());
}
