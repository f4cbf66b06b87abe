//! The tree as written: sections, keys and references, each in the order of the files.

use std::collections::HashMap;
use std::fmt;

use zeroize::Zeroizing;

use crate::Location;

/// One section as written, before references are followed. Equality ignores where things were written.
#[derive(Debug, Clone)]
pub struct Section {
    path: String,
    location: Location,
    pub(crate) keys: Ordered<Option<Value>>,
    pub(crate) sections: Ordered<Self>,
    pub(crate) references: Vec<Reference>,
}

impl Section {
    pub(crate) fn new(path: String, location: Location) -> Self {
        Self { path, location, keys: Ordered::new(), sections: Ordered::new(), references: Vec::new() }
    }

    /// The path from the root, with dots; empty for the root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where the section was first opened.
    pub fn location(&self) -> &Location {
        &self.location
    }

    pub(crate) fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// The own section of that name, made if it is new.
    pub(crate) fn open(&mut self, name: &str, location: Location) -> &mut Self {
        let path = self.path_of(name);
        self.sections.entry(name, || Self::new(path, location))
    }
}

impl PartialEq for Section {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
            && self.keys == other.keys
            && self.sections == other.sections
            && self.references == other.references
    }
}

/// A value as written, with its place. Any bytes; most are text. Equality ignores the place.
///
/// Values may be secrets: they are wiped when dropped, and `Debug` shows only the place.
#[derive(Clone)]
pub struct Value {
    bytes: Zeroizing<Vec<u8>>,
    location: Location,
}

impl Value {
    pub(crate) fn new(bytes: Zeroizing<Vec<u8>>, location: Location) -> Self {
        Self { bytes, location }
    }

    /// The value, escapes resolved.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The value as text, if it is UTF-8.
    pub fn as_text(&self) -> Option<&str> {
        std::str::from_utf8(&self.bytes).ok()
    }

    /// Where the value was written.
    pub fn location(&self) -> &Location {
        &self.location
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({:?})", self.location)
    }
}

/// A section whose content another one takes as its defaults.
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    pub(crate) path: String,
    pub(crate) location: Location,
}

impl PartialEq for Reference {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
    }
}

/// Named things in the order in which their names first appeared.
#[derive(Debug, Clone)]
pub(crate) struct Ordered<T> {
    entries: Vec<(String, T)>,
    /// Of all entries, or of none while they are few.
    index: HashMap<String, usize>,
}

/// So many are found sooner by looking at all.
const UNINDEXED_MAX: usize = 12;

impl<T> Ordered<T> {
    fn new() -> Self {
        Self { entries: Vec::new(), index: HashMap::new() }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&T> {
        self.get_entry(name).map(|(_, item)| item)
    }

    /// The item with its name as stored.
    pub(crate) fn get_entry(&self, name: &str) -> Option<(&str, &T)> {
        self.position(name).and_then(|at| self.entries.get(at)).map(|(name, item)| (name.as_str(), item))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.entries.iter().map(|(name, item)| (name.as_str(), item))
    }

    /// Puts an item at the place of the first one of that name.
    pub(crate) fn set(&mut self, name: &str, item: T) {
        match self.position(name).and_then(|at| self.entries.get_mut(at)) {
            Some((_, old)) => *old = item,
            None => {
                self.push(name, item);
            }
        }
    }

    fn entry(&mut self, name: &str, make: impl FnOnce() -> T) -> &mut T {
        let at = match self.position(name) {
            Some(at) => at,
            None => self.push(name, make()),
        };
        &mut self.entries[at].1
    }

    fn position(&self, name: &str) -> Option<usize> {
        if self.entries.len() <= UNINDEXED_MAX {
            self.entries.iter().position(|(known, _)| known == name)
        } else {
            self.index.get(name).copied()
        }
    }

    /// Adds one that is not there, and says at which place.
    fn push(&mut self, name: &str, item: T) -> usize {
        let at = self.entries.len();
        self.entries.push((name.to_owned(), item));
        if self.entries.len() > UNINDEXED_MAX {
            let unindexed = self.entries.iter().enumerate().skip(self.index.len());
            self.index.extend(unindexed.map(|(at, (name, _))| (name.clone(), at)));
        }
        at
    }
}

impl<T: PartialEq> PartialEq for Ordered<T> {
    fn eq(&self, other: &Self) -> bool {
        self.entries == other.entries
    }
}
