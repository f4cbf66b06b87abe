use proptest::prelude::*;

use super::*;

fn id(text: &str) -> Identity {
    Identity::parse(text).expect(text)
}

fn quality(own: &str, pattern: &str) -> Option<MatchQuality> {
    id(own).matches(&id(pattern))
}

#[test]
fn texts_are_read_by_strongswans_rules() {
    let address = |text: &str| text.parse::<IpAddr>().expect(text);
    for any in ["", "%any", "%any6", "0.0.0.0", "*", "::", "0::0"] {
        assert_eq!(id(any), Identity::Any, "{any}");
    }
    assert_eq!(id("192.0.2.1"), Identity::Address(address("192.0.2.1")));
    assert_eq!(id("fec0::1"), Identity::Address(address("fec0::1")));
    assert_eq!(id("10.1.2.3/16"), Identity::Subnet(address("10.1.0.0"), 16));
    assert_eq!(id("10.0.0.1-10.0.0.9"), Identity::Range(address("10.0.0.1"), address("10.0.0.9")));
    assert_eq!(id("moon.example.org"), Identity::Fqdn("moon.example.org".into()));
    assert_eq!(id("10.1.2.3/99"), Identity::Fqdn("10.1.2.3/99".into()));
    assert_eq!(id("a:b"), Identity::KeyId(b"a:b".to_vec()));
    assert_eq!(id("carol@example.org"), Identity::Rfc822("carol@example.org".into()));
    assert_eq!(id("@moon"), Identity::Fqdn("moon".into()));
    assert_eq!(id("@@carol"), Identity::Rfc822("carol".into()));
    assert_eq!(id("@#0aff"), Identity::KeyId(vec![0x0a, 0xff]));
    assert!(matches!(id("C=CH, O=X, CN=Y"), Identity::Dn(_)));
    assert!(matches!(id("/C=CH/O=X"), Identity::Dn(_)));
    assert_eq!(id("a=b"), Identity::KeyId(b"a=b".to_vec()));
}

#[test]
fn explicit_types_take_the_value_as_it_is() {
    assert_eq!(id("fqdn:a@b"), Identity::Fqdn("a@b".into()));
    assert_eq!(id("EMAIL:x"), Identity::Rfc822("x".into()));
    assert_eq!(id("ipv4:10.0.0.1"), Identity::Other(1, b"10.0.0.1".to_vec()));
    assert_eq!(id("ipv4:#0a000001"), id("10.0.0.1"));
    assert_eq!(id("ipv4net:#0a000000ff000000"), id("10.0.0.0/8"));
    assert_eq!(id("keyid:abc"), Identity::KeyId(b"abc".to_vec()));
    assert_eq!(id("{2}:moon"), Identity::Fqdn("moon".into()));
    assert_eq!(id("{200}:#01"), Identity::Other(200, vec![1]));
    assert_eq!(id("uri:https://x"), Identity::uri("https://x"));
}

#[test]
fn what_cannot_be_read_says_why() {
    assert_eq!(Identity::parse("fqdn:^.*$"), Err(IdentityError::Regex));
    assert_eq!(Identity::parse("asn1dn:^C=CH.*$"), Err(IdentityError::Regex));
    assert_eq!(Identity::parse("@#xyz"), Err(IdentityError::Hex));
    assert_eq!(Identity::parse("keyid:#1"), Err(IdentityError::Hex));
    assert_eq!(Identity::parse("{256}:x"), Err(IdentityError::TypeNumber));
}

#[test]
fn identities_show_as_strongswan_prints_them() {
    assert_eq!(Identity::Any.to_string(), "%any");
    assert_eq!(id("@#6d6f6f6e").to_string(), "moon");
    assert_eq!(Identity::KeyId(vec![b'a'; 20]).to_string(), ["61"; 20].join(":"));
    assert_eq!(id("@#00ff").to_string(), "00:ff");
    assert_eq!(id("uri:https://x").to_string(), "https://x");
    assert_eq!(Identity::Gn(vec![1]).to_string(), "(ASN.1 general name)");
    assert_eq!(Identity::Other(13, vec![]).to_string(), "(unknown ID type: 13)");
    assert_eq!(Identity::Fqdn("a\nb".into()).to_string(), "a?b");
}

#[test]
fn octets_that_a_type_does_not_allow_are_kept_apart() {
    assert_eq!(Identity::from_wire(1, &[1, 2, 3]), Identity::Other(1, vec![1, 2, 3]));
    assert_eq!(Identity::from_wire(1, &[0; 16]), Identity::Other(1, vec![0; 16]));
    assert_eq!(Identity::from_wire(2, &[0xff]), Identity::Other(2, vec![0xff]));
    assert_eq!(Identity::from_wire(2, b""), Identity::Other(2, vec![]));
    assert_eq!(Identity::from_wire(9, &[0x30]), Identity::Other(9, vec![0x30]));
    assert_eq!(Identity::from_wire(4, &[0; 8]), Identity::Other(4, vec![0; 8]));
}

#[test]
fn closer_patterns_match_better() {
    assert_eq!(quality("moon.example.org", "MOON.example.org"), Some(MatchQuality::PERFECT));
    assert!(quality("moon.example.org", "*.example.org") > quality("moon.example.org", "%any"));
    assert!(quality("C=CH, CN=x", "C=CH, CN=*") > quality("C=CH, CN=x", "C=*, CN=*"));
    assert!(quality("10.1.2.3", "10.1.2.0/24") > quality("10.1.2.3", "10.0.0.0/8"));
    assert!(quality("10.1.2.3", "0.0.0.0/0") > quality("10.1.2.3", "%any"));
    assert_eq!(quality("10.1.2.3", "10.1.2.3/32"), Some(MatchQuality::PERFECT));
    assert_eq!(quality("carol@Example.org", "*@example.org"), Some(MatchQuality::with_wildcards(1)));
}

#[test]
fn kinds_do_not_match_each_other() {
    assert_eq!(quality("fqdn:carol@example.org", "carol@example.org"), None);
    assert_eq!(quality("keyid:moon", "moon"), None);
    assert_eq!(quality("10.1.2.3", "::/0"), None);
    assert_eq!(quality("moon.example.com", "*.example.org"), None);
    assert_eq!(quality("x", "*.example.org"), None);
}

#[test]
fn a_peer_cannot_claim_to_be_a_pattern() {
    assert_eq!(quality("fqdn:*.example.org", "moon.example.org"), None);
    assert_eq!(Identity::Any.matches(&id("moon")), None);
    assert_eq!(Identity::from_wire(4, &[0; 8]).matches(&id("10.0.0.0/8")), None);
}

#[test]
fn multi_byte_text_does_not_break_the_comparison_of_tails() {
    assert_eq!(quality("fqdn:ü.x", "fqdn:*\u{bc}.x"), None);
    assert_eq!(quality("ab@ü", "*@ü"), Some(MatchQuality::with_wildcards(1)));
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in ".{0,60}") {
        if let Ok(identity) = Identity::parse(&text) {
            let _ = identity.to_string();
        }
    }

    #[test]
    fn any_payload_is_read_and_sent_back_as_it_was(kind in any::<u8>(), octets in prop::collection::vec(any::<u8>(), 0..40)) {
        let identity = Identity::from_wire(kind, &octets);
        let _ = identity.to_string();
        let (again, sent) = identity.to_wire().expect("what was received can be sent");
        prop_assert_eq!((again, sent.as_ref()), (kind, octets.as_slice()));
        prop_assert_eq!(identity.matches(&identity), Some(MatchQuality::PERFECT));
    }

    #[test]
    fn names_match_themselves_perfectly(text in "[a-z*.@]{1,20}") {
        let identity = id(&text);
        prop_assume!(identity != Identity::Any);
        prop_assert_eq!(identity.matches(&identity), Some(MatchQuality::PERFECT));
    }
}
