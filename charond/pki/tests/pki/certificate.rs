use charon_pki::{Certificate, ParseError, PublicKey};
use charon_types::identity::{Identity, MatchQuality};
use proptest::prelude::*;

use crate::authority::{Holder, crypto};

const MOON: &[u8] = include_bytes!("fixtures/moon.pem");
const RSA_PUBLIC: &[u8] = include_bytes!("fixtures/rsa.public.pem");
const RSA_PUBLIC_PKCS1: &[u8] = include_bytes!("fixtures/rsa.public.pkcs1.pem");

fn moon() -> Certificate {
    Certificate::from_file(MOON).expect("a certificate")
}

fn id(text: &str) -> Identity {
    Identity::parse(text).expect(text)
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[test]
fn a_certificate_shows_what_openssl_put_into_it() {
    let moon = moon();
    assert_eq!(moon.subject().to_string(), "C=CH, O=Example, CN=moon.example.org, E=moon@example.org");
    assert!(moon.is_self_issued() && !moon.is_ca());
    assert_eq!(hex(moon.serial()), "3ecaf9ce507dce620eb85f6791a318e526a9423d");
    let names: Vec<_> = moon.alternative_names().iter().map(ToString::to_string).collect();
    assert_eq!(
        names,
        [
            "moon.example.org",
            "moon@example.org",
            "192.0.2.1",
            "fec0::1",
            "https://moon.example.org/",
            "C=CH, CN=alternative",
            "(ASN.1 general name)"
        ]
    );
    assert_eq!(moon.ocsp_uris(), ["http://ocsp.example.org/"]);
    assert_eq!(moon.crl_uris(), ["http://crl.example.org/root.crl"]);
    assert_eq!(moon.extended_key_usages().len(), 2);
    assert!(moon.key_usage().is_some_and(|usage| usage.signs_data() && !usage.signs_certificates()));
    assert_eq!(moon.unknown_critical_extension(), None);
    assert_eq!((moon.public_key().bits(), moon.subject_key_id()), (256, moon.authority_key_id()));
}

#[test]
fn key_ids_are_hashes_of_the_key_and_of_its_info() {
    let (moon, crypto) = (moon(), crypto());
    let key_hash = moon.public_key().key_hash(&crypto).expect("SHA-1");
    assert_eq!(hex(&key_hash), "8231f8033fd1e2aaedda11736e0be338435259f1");
    assert_eq!(Some(key_hash.as_slice()), moon.subject_key_id());
    let info_hash = moon.public_key().info_hash(&crypto).expect("SHA-1");
    assert_eq!(hex(&info_hash), "95ca519e85f7aea58a85812010b417a3104c44b5");
}

#[test]
fn it_confirms_its_alternative_names_its_subject_and_its_key_id() {
    let moon = moon();
    for confirmed in [
        "moon.example.org",
        "MOON.example.org",
        "moon@example.org",
        "192.0.2.1",
        "fec0::1",
        "uri:https://moon.example.org/",
        "xmppaddr:moon@example.org",
        "C=CH, CN=alternative",
        "C=CH, O=Example, CN=moon.example.org, E=moon@example.org",
        "keyid:#8231f8033fd1e2aaedda11736e0be338435259f1",
    ] {
        assert!(moon.has_identity(&id(confirmed)), "{confirmed}");
    }
}

#[test]
fn it_confirms_nothing_else() {
    let moon = moon();
    for foreign in [
        "sun.example.org",
        "example.org",
        "*.example.org",
        "%any",
        "192.0.2.2",
        "192.0.2.0/24",
        "keyid:moon.example.org",
        "CN=moon.example.org",
        "C=CH, O=Example, CN=*, E=moon@example.org",
        "fqdn:moon@example.org",
    ] {
        assert!(!moon.has_identity(&id(foreign)), "{foreign}");
    }
}

#[test]
fn the_common_name_alone_confirms_no_name() {
    let root = Holder::root("root.example.org");
    assert!(!root.certificate.has_identity(&id("root.example.org")));
    assert!(root.certificate.has_identity(&id("C=CH, CN=root.example.org")));
}

#[test]
fn patterns_find_it_by_any_of_its_identities() {
    let moon = moon();
    assert_eq!(moon.matches(&id("*.example.org")), Some(MatchQuality::with_wildcards(1)));
    assert_eq!(moon.matches(&id("C=CH, O=*, CN=*, E=*")), Some(MatchQuality::with_wildcards(3)));
    assert_eq!(moon.matches(&id("sun.example.org")), None);
}

#[test]
fn pem_and_der_give_the_same_certificate() {
    let moon = moon();
    assert_eq!(Certificate::from_file(moon.der()), Ok(moon));
    let two = [MOON, b"\n", MOON].concat();
    assert_eq!(Certificate::all_from_pem(&two).map(|all| all.len()), Ok(2));
}

#[test]
fn files_without_a_certificate_say_so() {
    assert_eq!(Certificate::from_file(RSA_PUBLIC), Err(ParseError::NotFound));
    assert_eq!(Certificate::from_file(b""), Err(ParseError::Malformed));
    assert!(matches!(Certificate::from_der(&vec![0x30; 1 << 20]), Err(ParseError::TooLong { .. })));
}

#[test]
fn a_cut_or_extended_certificate_is_refused() {
    let der = moon().der().to_vec();
    for end in 0..der.len() {
        assert!(Certificate::from_der(&der[..end]).is_err(), "{end}");
    }
    assert_eq!(Certificate::from_der(&[der, vec![0]].concat()), Err(ParseError::Malformed));
}

#[test]
fn raw_public_keys_are_read_in_both_forms() {
    let info = PublicKey::from_file(RSA_PUBLIC).expect("a key");
    assert_eq!(info.bits(), 2048);
    assert_eq!(PublicKey::from_file(RSA_PUBLIC_PKCS1).expect("a key"), info);
    assert_eq!(PublicKey::from_file(info.info()).expect("a key"), info);
    assert_eq!(PublicKey::from_file(MOON), Err(ParseError::NotFound));
}

proptest! {
    #[test]
    fn any_octets_are_read_without_panic(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = (Certificate::from_file(&octets), PublicKey::from_file(&octets), charon_pki::Crl::from_file(&octets));
    }

    #[test]
    fn changed_octets_are_read_without_panic(
        changes in prop::collection::vec((0usize..900, any::<u8>()), 1..4),
    ) {
        let mut der = moon().der().to_vec();
        for (at, octet) in changes {
            if let Some(place) = der.get_mut(at) {
                *place = octet;
            }
        }
        if let Ok(certificate) = Certificate::from_der(&der) {
            let _ = (certificate.has_identity(&id("moon.example.org")), format!("{certificate:?}"));
        }
    }
}

#[test]
fn a_signature_found_good_is_not_checked_again_unless_another_key_is_said_to_have_made_it() {
    let (root, other) = (Holder::root("root"), Holder::root("root"));
    let moon = root.end_entity("moon").certificate;
    let nothing = charon_crypto::ProviderBuilder::default().freeze();
    assert!(moon.verify_signature(&root.certificate, &nothing).is_err());
    assert_eq!(moon.verify_signature(&root.certificate, &crypto()), Ok(()));
    assert_eq!(moon.verify_signature(&root.certificate, &nothing), Ok(()));
    assert!(moon.verify_signature(&other.certificate, &crypto()).is_err());
}
