//! The texts that settings are kept in, and places within them.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use zeroize::optimization_barrier;

use crate::Location;

/// Bytes that may hold secrets: wiped when dropped, not shown. Whether they are UTF-8 is found out once for all.
pub(crate) enum Text {
    Utf8(Box<str>),
    Other(Box<[u8]>),
}

impl Text {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::Utf8(text.into()),
            Err(error) => Self::Other(error.into_bytes().into()),
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Utf8(text) => text.as_bytes(),
            Self::Other(bytes) => bytes,
        }
    }

    /// A part of it, if that is UTF-8.
    pub(crate) fn part(&self, range: Range<usize>) -> Option<&str> {
        match self {
            Self::Utf8(text) => text.get(range),
            Self::Other(bytes) => std::str::from_utf8(bytes.get(range)?).ok(),
        }
    }
}

impl Drop for Text {
    /// At once: to write each byte by itself takes as long as to read the settings.
    fn drop(&mut self) {
        let mut bytes = match self {
            Self::Utf8(text) => std::mem::take(text).into_boxed_bytes(),
            Self::Other(bytes) => std::mem::take(bytes),
        };
        bytes.fill(0);
        optimization_barrier(&*bytes);
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.bytes().len())
    }
}

/// A file that was read.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) path: Arc<Path>,
    pub(crate) text: Arc<Text>,
}

/// A part of the text of a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    start: u32,
    len: u32,
}

impl Span {
    /// Of a text that is known to have less than 4 GiB.
    pub(crate) fn new(range: &Range<usize>) -> Self {
        Self { start: narrow(range.start), len: narrow(range.len()) }
    }

    /// The bytes of it.
    pub(crate) fn bytes(self, text: &Text) -> &[u8] {
        text.bytes().get(self.range()).unwrap_or_default()
    }

    /// The text of it, if it is UTF-8.
    pub(crate) fn text(self, text: &Text) -> Option<&str> {
        text.part(self.range())
    }

    fn range(self) -> Range<usize> {
        let start = index(self.start);
        start..start + index(self.len)
    }
}

/// Where something stands: the file by its number, line and column from 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) file: u32,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// The files of some settings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Files(Vec<File>);

impl Files {
    /// Adds one and gives its number.
    pub(crate) fn push(&mut self, file: File) -> u32 {
        self.0.push(file);
        narrow(self.0.len() - 1)
    }

    /// The text of a file.
    pub(crate) fn text(&self, file: u32) -> &Text {
        &self.0[index(file)].text
    }

    /// A name, which is known to be UTF-8.
    pub(crate) fn name(&self, file: u32, span: Span) -> &str {
        span.text(self.text(file)).unwrap_or_default()
    }

    pub(crate) fn location(&self, place: Place) -> Location {
        Location::new(&self.0[index(place.file)].path, place.line, place.column)
    }
}

/// Numbers of things in memory are kept small: there are very many of them.
pub(crate) fn narrow(number: usize) -> u32 {
    // A file has 64 MiB at most; of all, each thing takes an octet of text and more for itself, so that memory ends first.
    u32::try_from(number).expect("settings end long before 4 G of anything")
}

/// A number as an index.
pub(crate) fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
