//! Messages as owned trees. Order and duplicates are kept; what is built here always encodes to balanced sections.

use crate::data::Data;
use crate::decode::{DecodeError, Element, Elements};
use crate::encode::{EncodeError, Encoder};
use crate::tree::{SectionRef, ValueRef};
use bytes::BufMut;
use std::fmt;
use std::ops::{Deref, DerefMut};

/// How deep sections may be nested in an owned message. VICI itself has no limit and uses five levels at most; a tree
/// as deep as its sender likes would overflow the stack of whoever walks or drops it.
pub const DEPTH_MAX: usize = 64;

/// A message: its root section.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message(Section);

impl Message {
    /// An empty message.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends an entry, for building in one expression.
    #[must_use]
    pub fn with(self, name: impl Into<Data>, value: impl Into<Value>) -> Self {
        Self(self.0.with(name, value))
    }

    /// Decodes a whole message. An open section or list at the end counts as closed.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut elements = Elements::new(bytes);
        // The sections around the current one, each with the name of the section that is open in it.
        let mut outer: Vec<(Data, Section)> = Vec::new();
        let mut current = Section::with_capacity(ENTRIES_GUESS);
        loop {
            let at = elements.offset();
            let Some(element) = elements.next() else { break };
            match element? {
                Element::KeyValue(name, value) => {
                    current.entries.push((name.as_bytes().into(), Value::Data(value.into())));
                }
                Element::ListStart(name) => {
                    current.entries.push((name.as_bytes().into(), Value::List(Vec::new())));
                }
                Element::ListItem(item) => {
                    if let Some((_, Value::List(items))) = current.entries.last_mut() {
                        items.push(item.into());
                    }
                }
                Element::ListEnd => {}
                Element::SectionStart(name) => {
                    if outer.len() == DEPTH_MAX {
                        return Err(DecodeError::TooDeep { at });
                    }
                    outer.push((name.as_bytes().into(), std::mem::take(&mut current)));
                }
                Element::SectionEnd => current = close(&mut outer, current),
            }
        }
        while !outer.is_empty() {
            current = close(&mut outer, current);
        }
        Ok(Self(current))
    }

    /// The message as bytes.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut buffer = Vec::with_capacity(self.encoded_len());
        self.encode_to(&mut buffer)?;
        Ok(buffer)
    }

    /// Appends the message to `buffer`. After an error `buffer` holds a useless part of it.
    pub fn encode_to(&self, buffer: &mut impl BufMut) -> Result<(), EncodeError> {
        self.0.encode_to(&mut Encoder::new(buffer))
    }

    /// The number of bytes that [`encode`](Self::encode) yields.
    pub fn encoded_len(&self) -> usize {
        self.0.encoded_len()
    }

    /// The root section.
    pub fn into_section(self) -> Section {
        self.0
    }
}

fn close(outer: &mut Vec<(Data, Section)>, inner: Section) -> Section {
    let (name, mut parent) = outer.pop().expect("the decoder refuses a surplus section end");
    parent.entries.push((name, Value::Section(inner)));
    parent
}

impl Deref for Message {
    type Target = Section;

    fn deref(&self) -> &Section {
        &self.0
    }
}

impl DerefMut for Message {
    fn deref_mut(&mut self) -> &mut Section {
        &mut self.0
    }
}

impl From<Section> for Message {
    fn from(root: Section) -> Self {
        Self(root)
    }
}

/// A value in a section.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// The value of a key: any bytes.
    Data(Data),
    /// The items of a list.
    List(Vec<Data>),
    /// A section.
    Section(Section),
}

impl Value {
    fn encode_to<B: BufMut>(&self, name: &[u8], encoder: &mut Encoder<'_, B>) -> Result<(), EncodeError> {
        match self {
            Self::Data(value) => encoder.key_value(name, value)?,
            Self::List(items) => {
                encoder.list_start(name)?;
                for item in items {
                    encoder.list_item(item)?;
                }
                encoder.list_end();
            }
            Self::Section(section) => {
                encoder.section_start(name)?;
                section.encode_to(encoder)?;
                encoder.section_end();
            }
        }
        Ok(())
    }

    /// Without the name.
    fn encoded_len(&self) -> usize {
        match self {
            Self::Data(value) => 1 + 1 + 2 + value.len(),
            Self::List(items) => 1 + 1 + 1 + items.iter().map(|item| 1 + 2 + item.len()).sum::<usize>(),
            Self::Section(section) => 1 + 1 + 1 + section.encoded_len(),
        }
    }
}

impl From<Data> for Value {
    fn from(value: Data) -> Self {
        Self::Data(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Data(value.into())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Data(value.into())
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Data(value.into())
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Data(value.into())
    }
}

impl From<Vec<&str>> for Value {
    fn from(items: Vec<&str>) -> Self {
        Self::List(items.into_iter().map(Data::from).collect())
    }
}

impl From<Vec<String>> for Value {
    fn from(items: Vec<String>) -> Self {
        Self::List(items.into_iter().map(Data::from).collect())
    }
}

impl From<Vec<Data>> for Value {
    fn from(items: Vec<Data>) -> Self {
        Self::List(items)
    }
}

impl From<Section> for Value {
    fn from(section: Section) -> Self {
        Self::Section(section)
    }
}

impl From<ValueRef<'_, '_>> for Value {
    /// A copy. Sections below [`DEPTH_MAX`] are left out.
    fn from(value: ValueRef<'_, '_>) -> Self {
        copied(value, DEPTH_MAX)
    }
}

fn copied(value: ValueRef<'_, '_>, depth: usize) -> Value {
    match value {
        ValueRef::Data(bytes) => Value::Data(bytes.into()),
        ValueRef::List(list) => Value::List(list.iter().map(Data::from).collect()),
        ValueRef::Section(section) => Value::Section(copied_section(section, depth.saturating_sub(1))),
    }
}

fn copied_section(section: SectionRef<'_, '_>, depth: usize) -> Section {
    let entries = section.iter().filter(|entry| depth > 0 || !matches!(entry.value, ValueRef::Section(_)));
    Section {
        entries: entries.map(|entry| (entry.name.as_bytes().into(), copied(entry.value, depth))).collect(),
    }
}

/// A section: named values in their order, duplicates included.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Section {
    entries: Vec<(Data, Value)>,
}

impl Section {
    /// An empty section.
    pub fn new() -> Self {
        Self::default()
    }

    fn with_capacity(entries: usize) -> Self {
        Self { entries: Vec::with_capacity(entries) }
    }

    /// Appends an entry, for building in one expression.
    #[must_use]
    pub fn with(mut self, name: impl Into<Data>, value: impl Into<Value>) -> Self {
        self.push(name, value);
        self
    }

    /// Appends an entry, whether or not there is one of that name. Names that cannot be sent are found by
    /// [`encode`](Message::encode).
    pub fn push(&mut self, name: impl Into<Data>, value: impl Into<Value>) {
        self.entries.push((name.into(), value.into()));
    }

    /// The first value of that name, be it data, a list or a section.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.entries.iter().find(|(key, _)| *key == *name).map(|(_, value)| value)
    }

    /// The first data of that name.
    pub fn data(&self, name: &str) -> Option<&Data> {
        self.iter().find_map(|(key, value)| match value {
            Value::Data(data) if *key == *name => Some(data),
            Value::Data(_) | Value::List(_) | Value::Section(_) => None,
        })
    }

    /// The first data of that name as text; `None` also if it is not UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.data(name).and_then(Data::as_str)
    }

    /// The items of the first list of that name.
    pub fn list(&self, name: &str) -> Option<&[Data]> {
        self.iter().find_map(|(key, value)| match value {
            Value::List(items) if *key == *name => Some(items.as_slice()),
            Value::Data(_) | Value::List(_) | Value::Section(_) => None,
        })
    }

    /// The first section of that name.
    pub fn section(&self, name: &str) -> Option<&Self> {
        self.iter().find_map(|(key, value)| match value {
            Value::Section(section) if *key == *name => Some(section),
            Value::Data(_) | Value::List(_) | Value::Section(_) => None,
        })
    }

    /// All sections directly in this one, with their names.
    pub fn sections(&self) -> impl Iterator<Item = (&Data, &Self)> {
        self.iter().filter_map(|(name, value)| match value {
            Value::Section(section) => Some((name, section)),
            Value::Data(_) | Value::List(_) => None,
        })
    }

    /// All entries in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Data, &Value)> {
        self.entries.iter().map(|(name, value)| (name, value))
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn encode_to<B: BufMut>(&self, encoder: &mut Encoder<'_, B>) -> Result<(), EncodeError> {
        self.entries.iter().try_for_each(|(name, value)| value.encode_to(name, encoder))
    }

    fn encoded_len(&self) -> usize {
        self.entries.iter().map(|(name, value)| name.len() + value.encoded_len()).sum()
    }
}

impl IntoIterator for Section {
    type Item = (Data, Value);
    type IntoIter = std::vec::IntoIter<(Data, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl<N: Into<Data>, V: Into<Value>> FromIterator<(N, V)> for Section {
    fn from_iter<T: IntoIterator<Item = (N, V)>>(entries: T) -> Self {
        Self { entries: entries.into_iter().map(|(name, value)| (name.into(), value.into())).collect() }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(data) => data.fmt(f),
            Self::List(items) => items.fmt(f),
            Self::Section(section) => section.fmt(f),
        }
    }
}

/// A map in order. Values that may be secrets (`data`, `pin`) are not shown.
impl fmt::Debug for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (name, value) in self.iter() {
            match value {
                Value::Data(data) if SECRET.iter().any(|secret| *name == **secret) => {
                    map.entry(name, &format_args!("<{} bytes not shown>", data.len()))
                }
                Value::Data(_) | Value::List(_) | Value::Section(_) => map.entry(name, value),
            };
        }
        map.finish()
    }
}

/// Keys under which commands carry private keys, shared secrets and passwords.
const SECRET: [&str; 2] = ["data", "pin"];
/// Room for the entries of a usual message, so that decoding seldom reallocates.
const ENTRIES_GUESS: usize = 8;

#[cfg(test)]
mod tests;
