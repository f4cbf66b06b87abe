//! Messages as they are: on one line (`--raw`), indented (`--pretty`) or as JSON (`--json`).

use std::fmt;
use std::io::{self, Write};

use vici::{Section, Value};

use super::json;

/// How replies and events are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Human,
    Raw,
    Pretty,
    Json,
}

/// Writes a message under its label; JSON has none.
pub(crate) fn dump(
    out: &mut dyn Write,
    format: Format,
    label: impl fmt::Display,
    message: Section<'_>,
) -> io::Result<()> {
    match format {
        Format::Human => Ok(()),
        Format::Raw => {
            write!(out, "{label} {{")?;
            raw(out, message)?;
            writeln!(out, "}}")
        }
        Format::Json => {
            json::object(out, message)?;
            writeln!(out)
        }
        Format::Pretty => {
            writeln!(out, "{label} {{")?;
            pretty(out, message, 1)?;
            writeln!(out, "}}")
        }
    }
}

fn raw(out: &mut dyn Write, section: Section<'_>) -> io::Result<()> {
    for (at, (name, value)) in section.iter().enumerate() {
        if at > 0 {
            out.write_all(b" ")?;
        }
        match value {
            Value::Data(data) => write!(out, "{name}={}", Shown(data))?,
            Value::List(items) => {
                write!(out, "{name}=[")?;
                for (at, item) in items.iter().enumerate() {
                    write!(out, "{}{}", if at > 0 { " " } else { "" }, Shown(item))?;
                }
                out.write_all(b"]")?;
            }
            Value::Section(inner) => {
                write!(out, "{name} {{")?;
                raw(out, inner)?;
                out.write_all(b"}")?;
            }
        }
    }
    Ok(())
}

fn pretty(out: &mut dyn Write, section: Section<'_>, depth: usize) -> io::Result<()> {
    let indent = depth * 2;
    for (name, value) in section.iter() {
        match value {
            Value::Data(data) => writeln!(out, "{:indent$}{name} = {}", "", Shown(data))?,
            Value::List(items) => {
                writeln!(out, "{:indent$}{name} = [", "")?;
                for item in items.iter() {
                    writeln!(out, "{:indent$}  {}", "", Shown(item))?;
                }
                writeln!(out, "{:indent$}]", "")?;
            }
            Value::Section(inner) => {
                writeln!(out, "{:indent$}{name} {{", "")?;
                pretty(out, inner, depth + 1)?;
                writeln!(out, "{:indent$}}}", "")?;
            }
        }
    }
    Ok(())
}

/// Printable ASCII as it is, anything else as hexadecimal.
struct Shown<'a>(&'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(self.0) {
            Ok(text) if text.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) => f.write_str(text),
            _ => {
                f.write_str("0x")?;
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vici::Message;

    fn dumped(format: Format) -> String {
        let inner = Message::new()
            .with("x", "y")
            .with_list("l", ["p", "q"])
            .with_section("t", &Message::new().with("k", [0, 255]));
        let message =
            Message::new().with("a", "1").with_section("s", &inner).with_section("u", &Message::new());
        let mut out = Vec::new();
        dump(&mut out, format, "demo reply", message.root()).expect("memory is writable");
        String::from_utf8(out).expect("the output is text")
    }

    #[test]
    fn raw_messages_take_a_line() {
        assert_eq!(dumped(Format::Raw), "demo reply {a=1 s {x=y l=[p q] t {k=0x00ff}} u {}}\n");
    }

    #[test]
    fn pretty_messages_are_indented() {
        let expected = "demo reply {\n  a = 1\n  s {\n    x = y\n    l = [\n      p\n      q\n    ]\n    t {\n      k = 0x00ff\n    }\n  }\n  u {\n  }\n}\n";
        assert_eq!(dumped(Format::Pretty), expected);
    }
}
