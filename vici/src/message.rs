//! Messages that own their bytes.

use crate::decode::{DecodeError, LIST_END, SECTION_END};
use crate::encode::{EncodeError, Encoder};
use crate::section::{Section, survey};
use std::fmt;
use std::fmt::Write;

/// A message: a tree of keys, lists and sections, in order and with duplicates.
///
/// It is kept as the bytes that go on the wire, checked and balanced, so decoding is one pass and a copy, encoding is
/// none, and building appends. What was read or built is looked at through [`root`](Self::root).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Message {
    bytes: Vec<u8>,
    /// The first thing pushed that does not fit on the wire.
    misfit: Option<EncodeError>,
}

impl Message {
    /// An empty message.
    pub fn new() -> Self {
        Self::default()
    }

    /// Decodes a whole message. An open section or list at the end counts as closed.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let survey = survey(bytes);
        if let Some(error) = survey.error {
            return Err(error);
        }
        let mut balanced = Vec::with_capacity(bytes.len() + survey.open_sections + survey.open_lists);
        balanced.extend_from_slice(bytes);
        balanced.extend(std::iter::repeat_n(LIST_END, survey.open_lists));
        balanced.extend(std::iter::repeat_n(SECTION_END, survey.open_sections));
        Ok(Self { bytes: balanced, misfit: None })
    }

    /// A message of bytes that are balanced and without fault.
    #[cfg(feature = "serde")]
    pub(crate) fn from_encoded(bytes: Vec<u8>) -> Self {
        Self { bytes, misfit: None }
    }

    /// The message as it goes on the wire. Fails if a name or value was pushed that does not fit.
    pub fn encode(&self) -> Result<&[u8], EncodeError> {
        match self.misfit {
            Some(misfit) => Err(misfit),
            None => Ok(&self.bytes),
        }
    }

    /// The root section. It lacks what did not fit.
    pub fn root(&self) -> Section<'_> {
        Section::checked(&self.bytes)
    }

    /// Forgets all entries and keeps the memory, for the next message.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.misfit = None;
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Appends a key with its value, whether or not there is one of that name.
    pub fn push(&mut self, name: &str, value: impl AsRef<[u8]>) {
        let pushed = self.encoder().key_value(name.as_bytes(), value.as_ref());
        self.note(pushed);
    }

    /// Appends a key with a value as it is displayed, without a copy in between.
    pub fn push_display(&mut self, name: &str, value: impl fmt::Display) {
        let mark = self.bytes.len();
        let mut pushed = self.encoder().key_value(name.as_bytes(), b"");
        if pushed.is_ok() {
            let start = self.bytes.len();
            pushed = self.display(start, value);
        }
        if pushed.is_err() {
            self.bytes.truncate(mark);
        }
        self.note(pushed);
    }

    /// Appends a key with a whole number in decimal.
    pub fn push_number(&mut self, name: &str, number: impl Into<i128>) {
        let number = number.into();
        let Ok(mut rest) = u64::try_from(number) else { return self.push_display(name, number) };
        let mut digits = [0; DIGITS_MAX];
        let mut first = DIGITS_MAX;
        loop {
            first -= 1;
            digits[first] = b'0' + u8::try_from(rest % 10).expect("a digit");
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.push(name, &digits[first..]);
    }

    /// Appends a list of values as they are displayed, without a copy in between.
    pub fn push_list_display<I>(&mut self, name: &str, items: I)
    where
        I: IntoIterator,
        I::Item: fmt::Display,
    {
        let mut pushed = self.encoder().list_start(name.as_bytes());
        if pushed.is_ok() {
            for item in items {
                let mark = self.bytes.len();
                let written = self.encoder().list_item(b"");
                let written = written.and_then(|()| self.display(self.bytes.len(), item));
                if written.is_err() {
                    self.bytes.truncate(mark);
                }
                pushed = pushed.and(written);
            }
            self.encoder().list_end();
        }
        self.note(pushed);
    }

    /// Appends a list.
    pub fn push_list<I>(&mut self, name: &str, items: I)
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        let mut encoder = self.encoder();
        let mut pushed = encoder.list_start(name.as_bytes());
        if pushed.is_ok() {
            for item in items {
                pushed = pushed.and_then(|()| encoder.list_item(item.as_ref()));
            }
            encoder.list_end();
        }
        self.note(pushed);
    }

    /// Appends a section with the entries of `content`.
    pub fn push_section(&mut self, name: &str, content: &Self) {
        self.note(content.misfit.map_or(Ok(()), Err));
        self.nest(name, |section| section.bytes.extend_from_slice(&content.bytes));
    }

    /// Appends a section with the entries that `fill` pushes.
    pub fn nest(&mut self, name: &str, fill: impl FnOnce(&mut Self)) {
        let started = self.encoder().section_start(name.as_bytes());
        if started.is_ok() {
            fill(self);
            self.encoder().section_end();
        }
        self.note(started);
    }

    /// [`push`](Self::push), for building in one expression.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.push(name, value);
        self
    }

    /// [`push_list`](Self::push_list), for building in one expression.
    #[must_use]
    pub fn with_list<I>(mut self, name: &str, items: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        self.push_list(name, items);
        self
    }

    /// [`push_section`](Self::push_section), for building in one expression.
    #[must_use]
    pub fn with_section(mut self, name: &str, content: &Self) -> Self {
        self.push_section(name, content);
        self
    }

    /// The first value of that name.
    pub fn data(&self, name: &str) -> Option<&[u8]> {
        self.root().data(name)
    }

    /// The first value of that name as text; `None` also if it is not UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.root().text(name)
    }

    /// The first section of that name.
    pub fn section(&self, name: &str) -> Option<Section<'_>> {
        self.root().section(name)
    }

    /// Writes a value behind its length, which ends at `start`.
    fn display(&mut self, start: usize, value: impl fmt::Display) -> Result<(), EncodeError> {
        // Writing into a growing buffer does not fail; a value that says that it does is cut where it stopped.
        let _cut = write!(Text(&mut self.bytes), "{value}");
        let len = self.bytes.len() - start;
        let encoded = u16::try_from(len).map_err(|_| EncodeError::ValueTooLong { len })?;
        if let Some(place) = self.bytes[..start].last_chunk_mut() {
            *place = encoded.to_be_bytes();
        }
        Ok(())
    }

    fn encoder(&mut self) -> Encoder<'_, Vec<u8>> {
        if self.bytes.capacity() == 0 {
            self.bytes.reserve(BUILT_LEN_GUESS);
        }
        Encoder::new(&mut self.bytes)
    }

    fn note(&mut self, pushed: Result<(), EncodeError>) {
        self.misfit = self.misfit.or_else(|| pushed.err());
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root().fmt(f)
    }
}

impl From<Section<'_>> for Message {
    /// A copy of the section's entries.
    fn from(section: Section<'_>) -> Self {
        Self::decode(section.as_bytes()).expect("a section was checked when it was made")
    }
}

/// Text appended to bytes.
struct Text<'b>(&'b mut Vec<u8>);

impl Write for Text<'_> {
    #[inline]
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// Digits of the greatest number of 64 bits.
const DIGITS_MAX: usize = 20;
/// Room, in bytes, for a usual reply or event, so that building one seldom reallocates.
const BUILT_LEN_GUESS: usize = 512;

#[cfg(test)]
mod tests;
