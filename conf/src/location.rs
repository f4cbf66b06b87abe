//! Where in which file something was written.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A place in a settings file. Lines and columns count from 1; columns count bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Location {
    file: Arc<Path>,
    line: u32,
    column: u32,
}

impl Location {
    pub(crate) fn new(file: &Arc<Path>, line: u32, column: u32) -> Self {
        Self { file: Arc::clone(file), line, column }
    }

    /// The file, as it was named to the loader or found by an include.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The line, from 1.
    pub fn line(&self) -> u32 {
        self.line
    }

    /// The column in bytes, from 1.
    pub fn column(&self) -> u32 {
        self.column
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.line, self.column)
    }
}
