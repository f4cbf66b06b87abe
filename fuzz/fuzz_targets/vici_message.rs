//! Any bytes as a VICI message: all decoders agree, and what is understood survives a round trip.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vici::{DecodeError, Element, Elements, Message, SectionRef, Tree, ValueRef};

fuzz_target!(|bytes: &[u8]| {
    let elements = Elements::new(bytes).filter(|element| element.is_ok()).count();
    let (tree, error) = Tree::parse_prefix(bytes);
    assert!(count(tree.root(), 0) <= elements);
    assert_eq!(error, Elements::new(bytes).find_map(Result::err));
    match Message::decode(bytes) {
        Ok(message) => {
            assert_eq!(error, None);
            let encoded = message.encode().expect("what was decoded fits");
            assert_eq!(encoded.len(), message.encoded_len());
            assert_eq!(Message::decode(&encoded).expect("what was encoded decodes"), message);
            let closed = Elements::new(bytes).fold(0usize, |open, element| match element {
                Ok(Element::SectionStart(_) | Element::ListStart(_)) => open + 1,
                Ok(Element::SectionEnd | Element::ListEnd) => open - 1,
                _ => open,
            }) == 0;
            if closed {
                assert_eq!(encoded, bytes);
            }
        }
        Err(DecodeError::TooDeep { .. }) => {}
        Err(found) => assert_eq!(error, Some(found)),
    }
});

/// Entries and items, to a depth that the stack allows.
fn count(section: SectionRef<'_, '_>, depth: usize) -> usize {
    section
        .iter()
        .map(|entry| match entry.value {
            ValueRef::Data(_) => 1,
            ValueRef::List(list) => 1 + list.iter().count(),
            ValueRef::Section(section) if depth < 64 => 1 + count(section, depth + 1),
            ValueRef::Section(_) => 1,
        })
        .sum()
}
