//! Sections, lists and values as views into the bytes of a message: nothing is copied or allocated.

use crate::decode::{DecodeError, Element, Elements};
use crate::name::Name;
use std::fmt;

/// How deep sections may be nested. VICI itself has no limit and uses five levels at most; whoever walks a tree as deep
/// as its sender likes risks the stack. [`Elements`] alone has no such limit.
pub const DEPTH_MAX: usize = 64;

/// A section, or the root of a message: named values in their order, duplicates included.
///
/// A look-up scans from the beginning and stops at what it finds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Section<'a> {
    /// Checked. What is open at the end counts as closed there.
    bytes: &'a [u8],
}

/// The part of a message before its first error.
#[derive(Debug, Clone, Copy)]
pub struct Prefix<'a> {
    /// What could be read.
    pub root: Section<'a>,
    /// What stopped the reading, if not the end.
    pub error: Option<DecodeError>,
    /// Whether the last entry of the root was still open there.
    pub unclosed: bool,
}

/// What a walk over all elements finds out.
pub(crate) struct Survey {
    pub(crate) error: Option<DecodeError>,
    /// How many bytes stand before the error.
    pub(crate) len: usize,
    pub(crate) open_sections: usize,
    pub(crate) open_lists: usize,
}

pub(crate) fn survey(bytes: &[u8]) -> Survey {
    let mut elements = Elements::new(bytes);
    let mut len = 0;
    let mut error = None;
    while let Some(element) = elements.next() {
        match element {
            Ok(Element::SectionStart(_)) if elements.open() > DEPTH_MAX => {
                return Survey {
                    error: Some(DecodeError::TooDeep { at: len }),
                    len,
                    open_sections: DEPTH_MAX,
                    open_lists: 0,
                };
            }
            Ok(_) => len = elements.offset(),
            Err(found) => error = Some(found),
        }
    }
    let open_lists = usize::from(elements.in_list());
    Survey { error, len, open_sections: elements.open() - open_lists, open_lists }
}

impl<'a> Section<'a> {
    /// Decodes a whole message. An open section or list at the end counts as closed.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        match survey(bytes).error {
            None => Ok(Self { bytes }),
            Some(error) => Err(error),
        }
    }

    /// Decodes what stands before the first error, and tells the error.
    ///
    /// charon looks keys up this way: those before an error are found, those after it count as absent.
    pub fn parse_prefix(bytes: &'a [u8]) -> Prefix<'a> {
        let survey = survey(bytes);
        let (bytes, _) = bytes.split_at(survey.len);
        let unclosed = survey.open_sections + survey.open_lists > 0;
        Prefix { root: Self { bytes }, error: survey.error, unclosed }
    }

    pub(crate) fn checked(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The entries as they stand in the message.
    pub fn as_bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The entries in order.
    pub fn iter(self) -> Entries<'a> {
        Entries { elements: Elements::new(self.bytes), bytes: self.bytes }
    }

    /// The first value of that name, be it data, a list or a section.
    pub fn get(self, name: &str) -> Option<Value<'a>> {
        self.iter().find_map(|(key, value)| (key == name).then_some(value))
    }

    /// The first data of that name.
    pub fn data(self, name: &str) -> Option<&'a [u8]> {
        self.iter().find_map(|(key, value)| match value {
            Value::Data(bytes) if key == name => Some(bytes),
            Value::Data(_) | Value::List(_) | Value::Section(_) => None,
        })
    }

    /// The first data of that name as text; `None` also if it is not UTF-8.
    pub fn text(self, name: &str) -> Option<&'a str> {
        self.data(name).and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// The first list of that name.
    pub fn list(self, name: &str) -> Option<List<'a>> {
        self.iter().find_map(|(key, value)| match value {
            Value::List(list) if key == name => Some(list),
            Value::Data(_) | Value::List(_) | Value::Section(_) => None,
        })
    }

    /// The first section of that name.
    pub fn section(self, name: &str) -> Option<Self> {
        self.sections().find_map(|(key, section)| (key == name).then_some(section))
    }

    /// All sections directly in this one, with their names.
    pub fn sections(self) -> impl Iterator<Item = (Name<'a>, Self)> {
        self.iter().filter_map(|(name, value)| match value {
            Value::Section(section) => Some((name, section)),
            Value::Data(_) | Value::List(_) => None,
        })
    }

    /// Whether there are no entries.
    pub fn is_empty(self) -> bool {
        self.bytes.is_empty()
    }
}

/// A value in a section.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// The value of a key: any bytes.
    Data(&'a [u8]),
    /// A list.
    List(List<'a>),
    /// A section.
    Section(Section<'a>),
}

/// A list of values.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct List<'a> {
    /// The list's items, with or without its start and end.
    bytes: &'a [u8],
}

impl<'a> List<'a> {
    /// The items in order.
    pub fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        Elements::inside_list(self.bytes).map_while(|element| match element {
            Ok(Element::ListItem(item)) => Some(item),
            _ => None,
        })
    }

    /// The items in order, as text; those that are not UTF-8 are left out.
    pub fn texts(self) -> impl Iterator<Item = &'a str> {
        self.iter().filter_map(|item| std::str::from_utf8(item).ok())
    }

    /// Whether there are no items.
    pub fn is_empty(self) -> bool {
        self.iter().next().is_none()
    }
}

/// The entries of a section, in order.
#[derive(Debug, Clone)]
pub struct Entries<'a> {
    elements: Elements<'a>,
    bytes: &'a [u8],
}

impl<'a> Entries<'a> {
    /// The bytes up to where the element that was just opened is closed again.
    fn inside(&mut self) -> &'a [u8] {
        let start = self.elements.offset();
        let mut end = start;
        while self.elements.open() > 0 {
            end = self.elements.offset();
            if self.elements.next().is_none() {
                break;
            }
        }
        self.bytes.get(start..end).unwrap_or_default()
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = (Name<'a>, Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        match self.elements.next()? {
            Ok(Element::KeyValue(name, value)) => Some((name, Value::Data(value))),
            Ok(Element::ListStart(name)) => Some((name, Value::List(List { bytes: self.inside() }))),
            Ok(Element::SectionStart(name)) => Some((name, Value::Section(Section { bytes: self.inside() }))),
            // Checked bytes hold no error, and what was opened is closed above.
            Ok(Element::SectionEnd | Element::ListItem(_) | Element::ListEnd) | Err(_) => None,
        }
    }
}

impl<'a> IntoIterator for Section<'a> {
    type Item = (Name<'a>, Value<'a>);
    type IntoIter = Entries<'a>;

    fn into_iter(self) -> Entries<'a> {
        self.iter()
    }
}

/// A map in order. Values that may be secrets (`data`, `pin`) are not shown.
impl fmt::Debug for Section<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (name, value) in self.iter() {
            match value {
                Value::Data(data) if SECRET.iter().any(|secret| name == *secret) => {
                    map.entry(&name, &format_args!("<{} bytes not shown>", data.len()))
                }
                Value::Data(_) | Value::List(_) | Value::Section(_) => map.entry(&name, &value),
            };
        }
        map.finish()
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(bytes) => Shown(bytes).fmt(f),
            Self::List(list) => list.fmt(f),
            Self::Section(section) => section.fmt(f),
        }
    }
}

impl fmt::Debug for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(Shown)).finish()
    }
}

/// Text where it is printable, else the number of bytes.
struct Shown<'a>(&'a [u8]);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(self.0) {
            Ok(text) if !text.contains(|c: char| c.is_control() && c != '\n') => text.fmt(f),
            _ => write!(f, "<{} bytes>", self.0.len()),
        }
    }
}

/// Keys under which commands carry private keys, shared secrets and passwords.
const SECRET: [&str; 2] = ["data", "pin"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_entries_are_found_by_name_and_skipped_by_iteration() {
        let bytes =
            b"\x01\x01a\x03\x01k\x00\x01v\x01\x01b\x02\x02\x04\x01l\x05\x00\x01i\x06\x03\x01k\x00\x01w";
        let root = Section::parse(bytes).unwrap();
        let names: Vec<_> = root.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "l", "k"]);
        let a = root.section("a").unwrap();
        assert_eq!(a.text("k"), Some("v"));
        assert!(a.section("b").unwrap().is_empty());
        assert_eq!(root.list("l").unwrap().texts().collect::<Vec<_>>(), ["i"]);
        assert_eq!(root.text("k"), Some("w"));
        assert_eq!(root.get("k"), Some(Value::Data(b"w")));
    }

    #[test]
    fn what_is_open_at_the_end_is_read_as_if_it_were_closed() {
        let root = Section::parse(b"\x01\x01a\x01\x01b\x04\x01l\x05\x00\x01x").unwrap();
        let list = root.section("a").and_then(|a| a.section("b")).and_then(|b| b.list("l"));
        assert_eq!(list.unwrap().texts().collect::<Vec<_>>(), ["x"]);
    }

    #[test]
    fn what_stands_before_an_error_is_found() {
        let prefix = Section::parse_prefix(b"\x03\x04name\x00\x04nope\xff\xff");
        assert_eq!(prefix.root.text("name"), Some("nope"));
        assert_eq!(prefix.error, Some(DecodeError::ElementType { at: 12, found: 0xff }));
        assert!(!prefix.unclosed);
    }

    #[test]
    fn a_section_cut_by_an_error_is_known_to_be_unclosed() {
        let prefix = Section::parse_prefix(b"\x01\x01x\x03\x01k\x00\x01v\x09");
        assert_eq!(prefix.root.section("x").and_then(|x| x.text("k")), Some("v"));
        assert!(prefix.error.is_some());
        assert!(prefix.unclosed);
    }

    #[test]
    fn debug_shows_text_but_neither_binary_nor_secrets() {
        let message =
            crate::Message::new().with("type", "ike").with("data", "swordfish").with("raw", b"\x30\x82");
        assert_eq!(
            format!("{message:?}"),
            r#"{"type": "ike", "data": <9 bytes not shown>, "raw": <2 bytes>}"#
        );
    }
}
