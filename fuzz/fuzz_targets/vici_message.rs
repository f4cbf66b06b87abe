//! Any bytes as a VICI message: all readers agree, and what is understood survives a round trip.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vici::{Elements, Message, Section, Value};

fuzz_target!(|bytes: &[u8]| {
    let elements = Elements::new(bytes).filter(|element| element.is_ok()).count();
    let prefix = Section::parse_prefix(bytes);
    assert!(entries(prefix.root) <= elements);
    match Message::decode(bytes) {
        Ok(message) => {
            assert_eq!(prefix.error, None);
            let encoded = message.encode().expect("what was decoded fits");
            assert!(encoded.starts_with(bytes));
            assert_eq!(encoded.len() > bytes.len(), prefix.unclosed);
            assert_eq!(Message::decode(encoded).expect("what was encoded decodes"), message);
            assert_eq!(rebuilt(message.root()), message);
        }
        Err(found) => assert_eq!(prefix.error, Some(found)),
    }
});

/// Entries and items.
fn entries(section: Section<'_>) -> usize {
    let count = |value| match value {
        Value::Data(_) => 1,
        Value::List(list) => 1 + list.iter().count(),
        Value::Section(section) => 1 + entries(section),
    };
    section.iter().map(|(_, value)| count(value)).sum()
}

fn rebuilt(section: Section<'_>) -> Message {
    let mut message = Message::new();
    for (name, value) in section {
        match value {
            Value::Data(data) => message.push(name.as_str(), data),
            Value::List(list) => message.push_list(name.as_str(), list.iter()),
            Value::Section(section) => message.push_section(name.as_str(), &rebuilt(section)),
        }
    }
    message
}
