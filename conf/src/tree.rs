//! The tree as written: sections, keys and references, each in the order of the files.
//!
//! A swanctl.conf may hold ten thousand connections. So what stands in a file as it is meant is not copied: names and values are
//! spans of its text.

use std::fmt;
use std::sync::Arc;

use crate::Location;
use crate::lexer::Written;
use crate::lists::{Entry, Lists};
use crate::text::{File, Files, Place, Span, Text, index, narrow};

/// All sections of some settings, before references are followed. Equality ignores where things were written.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    files: Files,
    /// Values that stand in no file as they are meant.
    made: Vec<Arc<Text>>,
    keys: Lists<Stored>,
    sections: Lists<Section>,
}

/// A section by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SectionId(u32);

/// The root is no entry of a list; all others are, the first one has number 1.
pub(crate) const ROOT: SectionId = SectionId(0);

/// What a section holds beside its keys and sections.
#[derive(Debug, Clone)]
struct Section {
    parent: SectionId,
    references: Vec<Reference>,
}

/// A section whose content another one takes as its defaults: its path, in the file of the place.
#[derive(Debug, Clone)]
pub(crate) struct Reference {
    path: Span,
    place: Place,
}

/// The value of a key; its place is that of the entry.
#[derive(Debug, Clone, Copy)]
enum Stored {
    /// None, which hides what is inherited.
    Nothing,
    /// In the file of the entry.
    Here(Span),
    Made(u32),
}

/// A value as written, with its place. Any bytes; most are text. Equality ignores the place.
///
/// Values may be secrets: they are wiped with the settings, and `Debug` shows only the place.
#[derive(Clone, Copy)]
pub struct Value<'a> {
    text: &'a Text,
    span: Span,
    files: &'a Files,
    place: Place,
}

impl Tree {
    /// Nothing but a root, which begins with this file.
    pub(crate) fn new(file: File) -> Self {
        let mut files = Files::default();
        files.push(file);
        let mut tree = Self { files, made: Vec::new(), keys: Lists::new(), sections: Lists::new() };
        tree.add_lists();
        tree
    }

    /// Adds a file and gives its number.
    pub(crate) fn add_file(&mut self, file: File) -> u32 {
        self.files.push(file)
    }

    /// Gives a key its value, which stands at that place, in the place of the one that it had.
    pub(crate) fn set(&mut self, section: SectionId, name: Span, place: Place, value: Written) {
        let item = match value {
            Written::Nothing => Stored::Nothing,
            Written::Here(range) => Stored::Here(Span::new(&range)),
            Written::Made(bytes) => {
                self.made.push(Arc::new(bytes));
                Stored::Made(narrow(self.made.len() - 1))
            }
        };
        self.keys.set(&self.files, section.0, Entry::new(name, place, item));
    }

    /// The own section of that name, made if it is new.
    pub(crate) fn open(&mut self, parent: SectionId, name: Span, place: Place) -> SectionId {
        let written = name.bytes(self.files.text(place.file));
        if let Some(number) = self.sections.find(&self.files, parent.0, written) {
            return SectionId(number + 1);
        }
        let section = Section { parent, references: Vec::new() };
        self.add_lists();
        SectionId(self.sections.push(&self.files, parent.0, Entry::new(name, place, section)) + 1)
    }

    /// Adds to what a section inherits from.
    pub(crate) fn refer(&mut self, section: SectionId, references: Vec<Reference>) {
        if let Some(entry) = section.0.checked_sub(1).and_then(|number| self.sections.entry_mut(number)) {
            entry.item.references.extend(references);
        }
    }

    /// The keys of a section; those without a value hide what is inherited.
    pub(crate) fn keys(&self, section: SectionId) -> impl Iterator<Item = (&str, Option<Value<'_>>)> {
        self.keys.iter(section.0).map(|(_, entry)| (entry.name(&self.files), self.value(entry)))
    }

    /// The value of a key; that of one without is `Some(None)`.
    pub(crate) fn key(&self, section: SectionId, name: &str) -> Option<Option<Value<'_>>> {
        let number = self.keys.find(&self.files, section.0, name.as_bytes())?;
        self.keys.entry(number).map(|entry| self.value(entry))
    }

    /// The sections within a section.
    pub(crate) fn sections(&self, section: SectionId) -> impl Iterator<Item = SectionId> {
        self.sections.iter(section.0).map(|(number, _)| SectionId(number + 1))
    }

    /// The section of that name within a section.
    pub(crate) fn section(&self, section: SectionId, name: &str) -> Option<SectionId> {
        self.sections.find(&self.files, section.0, name.as_bytes()).map(|number| SectionId(number + 1))
    }

    /// The name of a section; empty for the root.
    pub(crate) fn name(&self, section: SectionId) -> &str {
        self.entry(section).map_or("", |entry| entry.name(&self.files))
    }

    /// The path of a section from the root, with dots; empty for the root.
    pub(crate) fn path(&self, section: SectionId) -> String {
        self.entry(section)
            .map_or_else(String::new, |entry| self.path_of(entry.item.parent, entry.name(&self.files)))
    }

    /// The path of something in a section.
    pub(crate) fn path_of(&self, section: SectionId, name: &str) -> String {
        let path = self.path(section);
        if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
    }

    /// Where a section was first opened.
    pub(crate) fn location(&self, section: SectionId) -> Location {
        self.files
            .location(self.entry(section).map_or(Place { file: 0, line: 1, column: 1 }, |entry| entry.place))
    }

    /// What a section inherits from: paths with their places.
    pub(crate) fn references(&self, section: SectionId) -> &[Reference] {
        self.entry(section).map_or(&[], |entry| &entry.item.references)
    }

    /// What this section and all within it inherit from, in their order.
    pub(crate) fn all_references<'t>(&'t self, section: SectionId, found: &mut Vec<&'t Reference>) {
        found.extend(self.references(section));
        self.sections(section).for_each(|inner| self.all_references(inner, found));
    }

    /// The path that a reference names.
    pub(crate) fn referenced(&self, reference: &Reference) -> &str {
        self.files.name(reference.place.file, reference.path)
    }

    /// Where a reference was written.
    pub(crate) fn place_of(&self, reference: &Reference) -> Location {
        self.files.location(reference.place)
    }

    fn entry(&self, section: SectionId) -> Option<&Entry<Section>> {
        self.sections.entry(section.0.checked_sub(1)?)
    }

    fn value(&self, entry: &Entry<Stored>) -> Option<Value<'_>> {
        let (text, span) = match entry.item {
            Stored::Nothing => return None,
            Stored::Here(span) => (self.files.text(entry.place.file), span),
            Stored::Made(number) => {
                let text = self.made.get(index(number))?;
                (&**text, Span::new(&(0..text.bytes().len())))
            }
        };
        Some(Value { text, span, files: &self.files, place: entry.place })
    }

    /// Makes the lists of the next section.
    fn add_lists(&mut self) {
        self.keys.add_list();
        self.sections.add_list();
    }

    fn equal(&self, section: SectionId, other: &Self, of_other: SectionId) -> bool {
        let paths = |tree: &'_ Self, section| -> Vec<String> {
            tree.references(section).iter().map(|one| tree.referenced(one).to_owned()).collect()
        };
        let (mut inner, mut of_other_inner) = (self.sections(section), other.sections(of_other));
        self.name(section) == other.name(of_other)
            && self.keys(section).eq(other.keys(of_other))
            && paths(self, section) == paths(other, of_other)
            && loop {
                match (inner.next(), of_other_inner.next()) {
                    (None, None) => break true,
                    (Some(one), Some(another)) if self.equal(one, other, another) => {}
                    _ => break false,
                }
            }
    }
}

impl PartialEq for Tree {
    fn eq(&self, other: &Self) -> bool {
        self.equal(ROOT, other, ROOT)
    }
}

impl Reference {
    pub(crate) fn new(path: Span, place: Place) -> Self {
        Self { path, place }
    }
}

impl<'a> Value<'a> {
    /// The value, escapes resolved.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.span.bytes(self.text)
    }

    /// The value as text, if it is UTF-8.
    pub fn as_text(&self) -> Option<&'a str> {
        self.span.text(self.text)
    }

    /// Where the value was written.
    pub fn location(&self) -> Location {
        self.files.location(self.place)
    }
}

impl PartialEq for Value<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({:?})", self.location())
    }
}
