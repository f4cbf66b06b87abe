use proptest::prelude::*;

use super::*;

fn name(text: &str) -> DistinguishedName {
    text.parse().expect(text)
}

#[test]
fn names_show_in_the_order_of_their_encoding() {
    assert_eq!(
        name("C=CH,O=Example ,  CN=moon.example.org").to_string(),
        "C=CH, O=Example, CN=moon.example.org"
    );
    assert_eq!(name("/C=CH/O=X, Inc./CN=Y").to_string(), "C=CH, O=X, Inc., CN=Y");
    assert_eq!(name("email=a@b.c, 1.2.3.4=x").to_string(), "E=a@b.c, 1.2.3.4=x");
    assert_eq!(name("CN=#6d6f6f6e").to_string(), "CN=moon");
    assert_eq!(name("CN=Zürich").to_string(), "CN=Zürich");
    assert_eq!(name("CN=").to_string(), "CN=");
}

#[test]
fn the_encoding_is_a_sequence_of_sets_of_one_attribute() {
    assert_eq!(
        name("C=CH, O=Ex").as_der(),
        [
            0x30, 0x1a, 0x31, 0x0b, 0x30, 0x09, 0x06, 0x03, 0x55, 0x04, 0x06, 0x13, 0x02, b'C', b'H', 0x31,
            0x0b, 0x30, 0x09, 0x06, 0x03, 0x55, 0x04, 0x0a, 0x13, 0x02, b'E', b'x'
        ]
    );
}

#[test]
fn texts_that_are_no_names_say_where() {
    assert_eq!("C=CH, Moon".parse::<DistinguishedName>(), Err(NameError::Part { position: 2 }));
    assert_eq!("FOO=CH".parse::<DistinguishedName>(), Err(NameError::Part { position: 1 }));
    assert_eq!("CN=#abc".parse::<DistinguishedName>(), Err(NameError::Part { position: 1 }));
    assert_eq!("".parse::<DistinguishedName>(), Err(NameError::Part { position: 1 }));
    let long = format!("CN={}", "x".repeat(NAME_DER_MAX));
    assert_eq!(long.parse::<DistinguishedName>(), Err(NameError::TooLong));
}

#[test]
fn a_star_matches_any_value_of_its_type() {
    let moon = name("C=CH, O=Example, CN=moon");
    assert_eq!(moon.matches(&name("C=CH, O=Example, CN=*")), Some(1));
    assert_eq!(moon.matches(&name("C=*, O=example, CN=*")), Some(2));
    assert_eq!(moon.matches(&name("C=CH, O=Example, CN=Moon")), Some(0));
    assert_eq!(moon.matches(&name("C=CH, O=Example, OU=*, CN=moon")), None);
    assert_eq!(moon.matches(&name("O=Example, C=CH, CN=*")), None);
    assert_eq!(moon.matches(&name("C=CH, O=Example")), None);
    assert_eq!(name("C=CH, O=Example").matches(&moon), None);
}

#[test]
fn a_name_lies_within_the_subtree_of_its_beginning() {
    let moon = name("C=CH, O=Example, CN=moon");
    assert!(moon.starts_with(&name("C=CH, O=example")));
    assert!(moon.starts_with(&moon));
    assert!(!moon.starts_with(&name("C=CH, CN=moon")));
    assert!(!name("C=CH").starts_with(&moon));
    assert_eq!(name("C=CH, E=a@b.c, CN=x").email_addresses(), ["a@b.c"]);
}

#[test]
fn a_peer_cannot_use_a_star_of_its_own() {
    assert_eq!(name("CN=*").matches(&name("CN=moon")), None);
    assert!(!name("CN=moon").is_equivalent(&name("CN=*")));
}

#[test]
fn kinds_of_strings_do_not_make_names_differ() {
    let printable = name("CN=moon");
    let mut octets = printable.as_der().to_vec();
    let tag = octets.iter().rposition(|octet| *octet == der::PRINTABLE_STRING).expect("a tag");
    octets[tag] = der::UTF8_STRING;
    let utf8 = DistinguishedName::from_der(&octets).expect("a name");
    assert_ne!(printable, utf8);
    assert!(printable.is_equivalent(&utf8));
}

#[test]
fn octets_that_are_no_name_are_refused() {
    let good = name("C=CH, CN=x").as_der().to_vec();
    for end in 0..good.len() {
        assert_eq!(DistinguishedName::from_der(&good[..end]), Err(NameError::Der), "{end}");
    }
    assert_eq!(DistinguishedName::from_der(&[0x30, 2, 0x31, 0]), Err(NameError::Der));
    assert_eq!(DistinguishedName::from_der(&[good, vec![0]].concat()), Err(NameError::Der));
    assert!(DistinguishedName::from_der(&[0x30, 0]).expect("the empty name").is_empty());
}

proptest! {
    #[test]
    fn any_octets_are_read_without_panic(octets in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(name) = DistinguishedName::from_der(&octets) {
            let _ = name.to_string();
        }
    }

    #[test]
    fn changed_octets_are_read_without_panic(at in 0usize..40, octet in any::<u8>()) {
        let mut octets = name("C=CH, O=Example, CN=moon.example.org").as_der().to_vec();
        octets[at] = octet;
        if let Ok(name) = DistinguishedName::from_der(&octets) {
            let _ = (name.to_string(), name.matches(&name), name.has_wildcard());
        }
    }

    #[test]
    fn any_text_is_read_without_panic(text in ".{0,60}") {
        let _ = text.parse::<DistinguishedName>();
    }

    #[test]
    fn names_read_back_from_what_they_show(o in "[A-Za-z0-9.* -]{0,20}", cn in "[A-Za-z0-9@.ü-]{1,200}") {
        let first = name(&format!("C=CH, O={o}, CN={cn}"));
        prop_assert_eq!(name(&first.to_string()), first);
    }
}
