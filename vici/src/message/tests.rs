use super::*;
use crate::section::{DEPTH_MAX, Value};
use proptest::prelude::*;

/// What a test expects in a message.
#[derive(Debug, Clone, PartialEq)]
enum Node {
    Data(Vec<u8>),
    List(Vec<Vec<u8>>),
    Section(Vec<(String, Self)>),
}

fn nodes() -> impl Strategy<Value = Vec<(String, Node)>> {
    let name = || "[ -~]{0,40}";
    let data = || proptest::collection::vec(any::<u8>(), 0..80);
    let leaf = prop_oneof![
        data().prop_map(Node::Data),
        proptest::collection::vec(data(), 0..5).prop_map(Node::List),
    ];
    let node = leaf.prop_recursive(5, 60, 8, move |inner| {
        proptest::collection::vec((name(), inner), 0..8).prop_map(Node::Section)
    });
    proptest::collection::vec((name(), node), 0..8)
}

fn build(message: &mut Message, nodes: &[(String, Node)]) {
    for (name, node) in nodes {
        match node {
            Node::Data(data) => message.push(name, data),
            Node::List(items) => message.push_list(name, items),
            Node::Section(nodes) => message.nest(name, |section| build(section, nodes)),
        }
    }
}

fn seen(section: Section<'_>) -> Vec<(String, Node)> {
    let node = |value| match value {
        Value::Data(bytes) => Node::Data(bytes.to_vec()),
        Value::List(list) => Node::List(list.iter().map(<[u8]>::to_vec).collect()),
        Value::Section(section) => Node::Section(seen(section)),
    };
    section.iter().map(|(name, value)| (name.to_string(), node(value))).collect()
}

/// Bytes that look like a message, with a few of them changed and the end cut off.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (nodes(), changes, 0usize..8).prop_map(|(nodes, changes, cut)| {
        let mut message = Message::new();
        build(&mut message, &nodes);
        let mut bytes = message.encode().unwrap().to_vec();
        bytes.truncate(bytes.len().saturating_sub(cut));
        for (index, byte) in changes {
            if !bytes.is_empty() {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
        }
        bytes
    })
}

/// Whatever the bytes are: they are refused, or all ways to read them see the same.
fn readers_agree(bytes: &[u8]) {
    let prefix = Section::parse_prefix(bytes);
    let read = seen(prefix.root);
    match Message::decode(bytes) {
        Ok(message) => {
            assert_eq!(prefix.error, None);
            assert_eq!(seen(message.root()), read);
            assert_eq!(Message::decode(message.encode().unwrap()).unwrap(), message);
            let mut built = Message::new();
            build(&mut built, &read);
            assert_eq!(built, message);
        }
        Err(error) => assert_eq!(prefix.error, Some(error)),
    }
}

proptest! {
    #[test]
    fn decoding_what_was_encoded_gives_the_same_message(nodes in nodes()) {
        let mut message = Message::new();
        build(&mut message, &nodes);
        let decoded = Message::decode(message.encode().unwrap()).unwrap();
        prop_assert_eq!(seen(decoded.root()), nodes);
        prop_assert_eq!(decoded, message);
    }

    #[test]
    fn any_bytes_are_refused_or_read_alike_by_all_readers(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        readers_agree(&bytes);
    }

    #[test]
    fn damaged_messages_are_refused_or_read_alike_by_all_readers(bytes in damaged()) {
        readers_agree(&bytes);
    }
}

#[test]
fn the_first_of_several_entries_of_a_name_is_found_and_all_are_kept() {
    let message = Message::new().with_list("k", ["list"]).with("k", "1").with("k", "2");
    assert_eq!(message.text("k"), Some("1"));
    assert!(message.root().list("k").is_some());
    assert_eq!(message.root().iter().count(), 3);
}

#[test]
fn what_was_left_open_is_closed_when_it_is_encoded_again() {
    let message = Message::decode(b"\x01\x01a\x01\x01b\x04\x01l\x05\x00\x01x").unwrap();
    assert_eq!(message.encode().unwrap(), b"\x01\x01a\x01\x01b\x04\x01l\x05\x00\x01x\x06\x02\x02");
}

#[test]
fn nesting_is_limited() {
    let nested = |depth: usize| b"\x01\x00".repeat(depth);
    assert!(Message::decode(&nested(DEPTH_MAX)).is_ok());
    let deeper = nested(100_000);
    assert_eq!(Message::decode(&deeper), Err(DecodeError::TooDeep { at: 2 * DEPTH_MAX }));
    assert_eq!(Section::parse_prefix(&deeper).root.as_bytes().len(), 2 * DEPTH_MAX);
}

#[test]
fn what_does_not_fit_into_the_length_fields_is_told_when_encoding() {
    let message = Message::new().with("k", vec![0u8; 65_536]).with("l", "v");
    assert_eq!(message.encode(), Err(EncodeError::ValueTooLong { len: 65_536 }));
    let message = Message::new().with_section(&"n".repeat(256), &Message::new());
    assert_eq!(message.encode(), Err(EncodeError::NameTooLong { len: 256 }));
    let message = Message::new().with_list("l", ["ok", &"v".repeat(65_536)]);
    let message = Message::new().with_section("s", &message);
    assert_eq!(message.encode(), Err(EncodeError::ValueTooLong { len: 65_536 }));
}

#[test]
fn what_is_displayed_is_pushed_as_if_it_had_been_text_before() {
    let mut message = Message::new();
    message.push_display("number", 4500);
    message.push_display("empty", "");
    assert_eq!(message, Message::new().with("number", "4500").with("empty", ""));
    message.clear();
    assert!(message.is_empty());
    message.push_display("long", "x".repeat(65_535));
    assert!(message.encode().is_ok());
    message.push_display("too-long", "x".repeat(65_536));
    assert_eq!(message.encode(), Err(EncodeError::ValueTooLong { len: 65_536 }));
    assert_eq!(message.root().iter().count(), 1);
}

#[test]
fn numbers_and_lists_are_written_as_they_are_displayed() {
    let mut message = Message::new();
    let numbers = [0, 9, 10, i128::from(u64::MAX), -1, i128::from(i64::MIN), i128::MAX];
    for number in numbers {
        message.push_number("n", number);
    }
    message.push_list_display("l", numbers);
    let mut plain = Message::new();
    for number in numbers {
        plain.push("n", number.to_string());
    }
    plain.push_list("l", numbers.map(|number| number.to_string()));
    assert_eq!(message, plain);
}

#[test]
fn an_item_that_is_too_long_is_left_out_and_noted() {
    let mut message = Message::new();
    message.push_list_display("l", ["a".to_owned(), "b".repeat(crate::VALUE_LEN_MAX + 1), "c".to_owned()]);
    assert_eq!(message.encode(), Err(EncodeError::ValueTooLong { len: crate::VALUE_LEN_MAX + 1 }));
    assert_eq!(message.root().list("l").unwrap().texts().collect::<Vec<_>>(), ["a", "c"]);
}
