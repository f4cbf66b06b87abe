//! The named things of all sections, those of each in the order in which their names first appeared.

use std::collections::HashMap;
use std::iter;

use crate::text::{Files, Place, Span, index, narrow};

/// A list of things for each section. All stand in one vector and are linked: a section costs no memory of its own, and there may
/// be a hundred thousand.
#[derive(Debug, Clone)]
pub(crate) struct Lists<T> {
    entries: Vec<Entry<T>>,
    /// By the number of the section.
    lists: Vec<List>,
    /// Of the sections that hold many, by their numbers: the numbers of their entries by name.
    indexes: HashMap<u32, HashMap<Box<[u8]>, u32>>,
}

/// A thing with its name.
#[derive(Debug, Clone)]
pub(crate) struct Entry<T> {
    /// In the file of `place`.
    name: Span,
    pub(crate) place: Place,
    next: u32,
    pub(crate) item: T,
}

#[derive(Debug, Clone)]
struct List {
    first: u32,
    last: u32,
    len: u32,
}

/// No entry: there are not so many.
const NONE: u32 = u32::MAX;
/// So many are found sooner by looking at all.
const UNINDEXED_MAX: u32 = 12;

impl<T> Entry<T> {
    pub(crate) fn new(name: Span, place: Place, item: T) -> Self {
        Self { name, place, next: NONE, item }
    }

    pub(crate) fn name<'a>(&self, files: &'a Files) -> &'a str {
        files.name(self.place.file, self.name)
    }

    fn bytes<'a>(&self, files: &'a Files) -> &'a [u8] {
        self.name.bytes(files.text(self.place.file))
    }
}

impl<T> Lists<T> {
    pub(crate) fn new() -> Self {
        Self { entries: Vec::new(), lists: Vec::new(), indexes: HashMap::new() }
    }

    /// Makes the empty list of the next section.
    pub(crate) fn add_list(&mut self) {
        self.lists.push(List { first: NONE, last: NONE, len: 0 });
    }

    /// An entry by its number.
    pub(crate) fn entry(&self, number: u32) -> Option<&Entry<T>> {
        self.entries.get(index(number))
    }

    pub(crate) fn entry_mut(&mut self, number: u32) -> Option<&mut Entry<T>> {
        self.entries.get_mut(index(number))
    }

    /// The entries of a section with their numbers.
    pub(crate) fn iter(&self, section: u32) -> impl Iterator<Item = (u32, &Entry<T>)> {
        let numbered = |number| self.entry(number).map(|entry| (number, entry));
        let first = self.lists.get(index(section)).map_or(NONE, |list| list.first);
        iter::successors(numbered(first), move |(_, entry)| numbered(entry.next))
    }

    /// The number of the entry of that name.
    pub(crate) fn find(&self, files: &Files, section: u32, name: &[u8]) -> Option<u32> {
        if self.lists.get(index(section))?.len > UNINDEXED_MAX {
            return self.indexes.get(&section)?.get(name).copied();
        }
        self.iter(section).find(|(_, entry)| entry.bytes(files) == name).map(|(number, _)| number)
    }

    /// Puts an entry in the place of the one of its name, or at the end.
    pub(crate) fn set(&mut self, files: &Files, section: u32, entry: Entry<T>) {
        let old = self.find(files, section, entry.bytes(files));
        match old.and_then(|number| self.entry_mut(number)) {
            Some(old) => *old = Entry { next: old.next, ..entry },
            None => {
                self.push(files, section, entry);
            }
        }
    }

    /// Adds what is not there, and gives its number.
    pub(crate) fn push(&mut self, files: &Files, section: u32, entry: Entry<T>) -> u32 {
        let number = narrow(self.entries.len());
        let list = &mut self.lists[index(section)];
        match self.entries.get_mut(index(list.last)) {
            Some(last) => last.next = number,
            None => list.first = number,
        }
        list.last = number;
        list.len += 1;
        let len = list.len;
        if len > UNINDEXED_MAX + 1 {
            self.indexes.entry(section).or_default().insert(entry.bytes(files).into(), number);
        }
        self.entries.push(entry);
        if len == UNINDEXED_MAX + 1 {
            let all = self.iter(section).map(|(number, entry)| (entry.bytes(files).into(), number)).collect();
            self.indexes.insert(section, all);
        }
        number
    }
}
