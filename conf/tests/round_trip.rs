//! Any bytes parse or fail cleanly, and what was parsed survives printing.

use charon_conf::Settings;
use proptest::prelude::*;

/// Text made of what the language is made of, so that much of it parses.
fn fragments() -> impl Strategy<Value = Vec<u8>> {
    let fragment = prop_oneof![
        Just(" ".to_owned()),
        Just("\n".to_owned()),
        Just("\t\r\n".to_owned()),
        Just(" = ".to_owned()),
        Just(" {\n".to_owned()),
        Just("}\n".to_owned()),
        Just(" : ".to_owned()),
        Just(", ".to_owned()),
        Just("\"".to_owned()),
        Just("\\".to_owned()),
        Just("#".to_owned()),
        Just("include ".to_owned()),
        Just("include{".to_owned()),
        "[a-c]{1,2}",
        "[a-c] = [a-z\"\\\\ ]{0,6}\n",
        "[a-c] : [a-c](\\.[a-c])?, [a-c] \\{\n",
        "[a-c] = \"([^\"\\\\]|\\\\.){0,6}\"\n",
    ];
    prop::collection::vec(fragment, 0..40).prop_map(|fragments| fragments.concat().into_bytes())
}

fn visit_all(settings: &Settings) {
    for section in settings.root().sections() {
        for (name, value) in section.keys() {
            assert_eq!(section.value(name).map(|found| found.as_bytes()), Some(value.as_bytes()));
        }
        for inner in section.sections() {
            let _ = (inner.keys().count(), inner.sections().count());
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_parse_or_fail_with_a_place(text in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Err(error) = Settings::parse("any", &text) {
            prop_assert!(error.to_string().starts_with("any:"));
            prop_assert!(!error.picture().is_empty());
        }
    }

    #[test]
    fn printed_settings_parse_to_the_same(text in fragments()) {
        if let Ok(settings) = Settings::parse("any", &text) {
            visit_all(&settings);
            let printed = settings.to_bytes();
            let again = Settings::parse("any", &printed);
            prop_assert_eq!(again.ok(), Some(settings), "{}", String::from_utf8_lossy(&printed));
        }
    }

    #[test]
    fn any_value_survives_printing(value in prop::collection::vec(any::<u8>(), 0..40)) {
        let mut text = b"k = \"".to_vec();
        for byte in &value {
            match byte {
                b'\r' => text.extend(b"\\r"),
                b'"' | b'\\' => text.extend([b'\\', *byte]),
                _ => text.push(*byte),
            }
        }
        text.push(b'"');
        let settings = Settings::parse("any", &text).expect("a quoted string is a value");
        prop_assert_eq!(settings.root().value("k").map(|found| found.as_bytes().to_vec()), Some(value));
        prop_assert_eq!(Settings::parse("any", &settings.to_bytes()).ok(), Some(settings));
    }
}
