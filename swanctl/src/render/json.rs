//! Messages as JSON.
//!
//! A section is an object in the order of the message, a list an array, a value a string: as text if it is UTF-8, else
//! `0x` and hexadecimal digits, as `--raw` has it. A key that a section holds again carries `#2`, `#3` behind its name, so
//! that no reader loses it.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Write};

use vici::{Section, Value};

/// Writes a section as an object.
pub(crate) fn object(out: &mut dyn Write, section: Section<'_>) -> io::Result<()> {
    let mut seen: HashMap<&str, u32> = HashMap::new();
    out.write_all(b"{")?;
    for (at, (name, value)) in section.iter().enumerate() {
        if at > 0 {
            out.write_all(b",")?;
        }
        let times = seen.entry(name.as_str()).and_modify(|times| *times += 1).or_insert(1);
        match *times {
            1 => write!(out, "{}:", Quoted(name.as_bytes()))?,
            times => write!(out, "{}:", Quoted(format!("{name}#{times}").as_bytes()))?,
        }
        match value {
            Value::Data(data) => write!(out, "{}", Quoted(data))?,
            Value::List(items) => {
                out.write_all(b"[")?;
                for (at, item) in items.iter().enumerate() {
                    write!(out, "{}{}", if at > 0 { "," } else { "" }, Quoted(item))?;
                }
                out.write_all(b"]")?;
            }
            Value::Section(inner) => object(out, inner)?,
        }
    }
    out.write_all(b"}")
}

/// A value as a JSON string.
struct Quoted<'a>(&'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        match std::str::from_utf8(self.0) {
            Ok(text) => text.chars().try_for_each(|c| match c {
                '"' => f.write_str("\\\""),
                '\\' => f.write_str("\\\\"),
                '\n' => f.write_str("\\n"),
                '\t' => f.write_str("\\t"),
                c if c.is_control() => write!(f, "\\u{:04x}", u32::from(c)),
                c => write!(f, "{c}"),
            })?,
            Err(_) => {
                f.write_str("0x")?;
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
            }
        }
        f.write_str("\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vici::Message;

    #[test]
    fn any_message_is_valid_json_that_loses_nothing() {
        let message = Message::new()
            .with("quote\"", "a\\b\n\u{1}\u{7f}\u{85}é")
            .with("binary", [0xff, 0])
            .with_list("empty", [""; 0])
            .with_list("list", ["x", "y z"])
            .with_section("s", &Message::new().with_section("t", &Message::new()))
            .with("k", "1")
            .with("k", "2")
            .with("k", "3");
        let mut out = Vec::new();
        object(&mut out, message.root()).expect("memory is writable");
        let read: serde_json::Value = serde_json::from_slice(&out).expect("it is JSON");
        let expected = serde_json::json!({
            "quote\"": "a\\b\n\u{1}\u{7f}\u{85}é", "binary": "0xff00", "empty": [], "list": ["x", "y z"],
            "s": {"t": {}}, "k": "1", "k#2": "2", "k#3": "3",
        });
        assert_eq!(read, expected);
    }
}
