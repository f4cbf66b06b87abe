use super::*;
use crate::tree::Tree;
use proptest::prelude::*;

fn name() -> impl Strategy<Value = Data> {
    proptest::collection::vec(0x20u8..=0x7e, 0..40).prop_map(Data::from)
}

fn data() -> impl Strategy<Value = Data> {
    proptest::collection::vec(any::<u8>(), 0..80).prop_map(Data::from)
}

fn section() -> impl Strategy<Value = Section> {
    let leaf = prop_oneof![
        data().prop_map(Value::Data),
        proptest::collection::vec(data(), 0..5).prop_map(Value::List),
    ];
    let value = leaf.prop_recursive(5, 60, 8, |inner| {
        proptest::collection::vec((name(), inner), 0..8)
            .prop_map(|entries| Value::Section(entries.into_iter().collect()))
    });
    proptest::collection::vec((name(), value), 0..8).prop_map(|entries| entries.into_iter().collect())
}

/// Bytes that look like a message, with a few of them changed and the end cut off.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    (section(), proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4), any::<u16>())
        .prop_map(|(section, changes, cut)| {
            let mut bytes = Message::from(section).encode().unwrap();
            bytes.truncate(bytes.len().saturating_sub(usize::from(cut % 8)));
            for (index, byte) in changes {
                if !bytes.is_empty() {
                    let at = index.index(bytes.len());
                    bytes[at] = byte;
                }
            }
            bytes
        })
}

/// All decoders see the same: the same entries, or an error of the same place.
fn decoders_agree(bytes: &[u8]) {
    let (tree, error) = Tree::parse_prefix(bytes);
    match Message::decode(bytes) {
        Ok(message) => {
            assert_eq!(error, None);
            assert_eq!(message.into_section(), copied_section(tree.root(), DEPTH_MAX));
        }
        Err(DecodeError::TooDeep { .. }) => {}
        Err(found) => assert_eq!(error, Some(found)),
    }
}

proptest! {
    #[test]
    fn decoding_what_was_encoded_gives_the_same_message(root in section()) {
        let message = Message::from(root);
        let bytes = message.encode().unwrap();
        prop_assert_eq!(bytes.len(), message.encoded_len());
        decoders_agree(&bytes);
        prop_assert_eq!(Message::decode(&bytes).unwrap(), message);
    }

    #[test]
    fn any_bytes_are_decoded_or_refused_alike_by_all_decoders(
        bytes in proptest::collection::vec(any::<u8>(), 0..200)
    ) {
        decoders_agree(&bytes);
    }

    #[test]
    fn damaged_messages_are_decoded_or_refused_alike_by_all_decoders(bytes in damaged()) {
        decoders_agree(&bytes);
        if let Ok(message) = Message::decode(&bytes) {
            prop_assert_eq!(Message::decode(&message.encode().unwrap()).unwrap(), message);
        }
    }
}

#[test]
fn the_first_of_several_entries_of_a_name_is_found_and_all_are_kept() {
    let message = Message::new().with("k", vec!["list"]).with("k", "1").with("k", "2");
    assert_eq!(message.text("k"), Some("1"));
    assert_eq!(message.list("k").map(<[Data]>::len), Some(1));
    assert_eq!(message.len(), 3);
    assert_eq!(Message::decode(&message.encode().unwrap()).unwrap(), message);
}

#[test]
fn data_that_ends_inside_sections_is_taken_as_if_they_were_closed() {
    let message = Message::decode(b"\x01\x01a\x01\x01b\x04\x01l\x05\x00\x01x").unwrap();
    let list = message.section("a").and_then(|a| a.section("b")).and_then(|b| b.list("l"));
    assert_eq!(list, Some([Data::from("x")].as_slice()));
}

#[test]
fn nesting_is_limited_in_the_owned_tree_only() {
    let nested = |depth: usize| b"\x01\x00".repeat(depth);
    assert!(Message::decode(&nested(DEPTH_MAX)).is_ok());
    let deeper = nested(DEPTH_MAX + 1);
    assert_eq!(Message::decode(&deeper), Err(DecodeError::TooDeep { at: 2 * DEPTH_MAX }));
    assert!(Tree::parse(&nested(100_000)).is_ok());
}

#[test]
fn what_does_not_fit_into_the_length_fields_is_refused() {
    let message = Message::new().with("k", vec![0u8; 65_536]);
    assert_eq!(message.encode(), Err(EncodeError::ValueTooLong { len: 65_536 }));
    let message = Message::new().with("n".repeat(256), Section::new());
    assert_eq!(message.encode(), Err(EncodeError::NameTooLong { len: 256 }));
}

#[test]
fn debug_does_not_show_secrets() {
    let message = Message::new().with("type", "ike").with("data", "swordfish");
    assert_eq!(format!("{message:?}"), r#"Message({"type": "ike", "data": <9 bytes not shown>})"#);
}
