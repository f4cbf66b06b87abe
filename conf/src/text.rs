//! The texts that settings are kept in, and places within them.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use zeroize::optimization_barrier;

use crate::Location;

/// Bytes that may hold secrets: wiped when dropped, not shown.
#[derive(Default)]
pub(crate) struct Text(Box<[u8]>);

impl Text {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self(bytes.into())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Text {
    /// At once: to write each byte by itself takes as long as to read the settings.
    fn drop(&mut self) {
        self.0.fill(0);
        optimization_barrier(&*self.0);
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Text({} bytes)", self.0.len())
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
    pub(crate) start: u32,
    len: u32,
}

impl Span {
    /// Of a text that is known to have less than 4 GiB.
    pub(crate) fn new(range: &Range<usize>) -> Self {
        Self { start: narrow(range.start), len: narrow(range.len()) }
    }

    pub(crate) fn of(self, text: &[u8]) -> &[u8] {
        text.get(index(self.start)..).and_then(|rest| rest.get(..index(self.len))).unwrap_or_default()
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

    pub(crate) fn bytes(&self, file: u32, span: Span) -> &[u8] {
        self.0.get(index(file)).map(|file| span.of(file.text.bytes())).unwrap_or_default()
    }

    /// A name, which is known to be UTF-8.
    pub(crate) fn text(&self, file: u32, span: Span) -> &str {
        std::str::from_utf8(self.bytes(file, span)).unwrap_or_default()
    }

    pub(crate) fn location(&self, place: Place) -> Location {
        Location::new(&self.0[index(place.file)].path, place.line, place.column)
    }
}

/// Numbers of things in memory are kept small: there are very many of them.
pub(crate) fn narrow(number: usize) -> u32 {
    u32::try_from(number).expect("settings end long before 4 G of anything")
}

/// A number as an index.
pub(crate) fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
