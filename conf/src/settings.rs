//! Loaded settings, and views of their sections with references followed.

use std::collections::HashMap;
use std::path::Path;

use crate::error::{LoadError, SyntaxError, SyntaxErrorKind};
use crate::section::{Section, Value};
use crate::source::{Memory, Source};
use crate::{Location, parse};

/// References that lead to references. More than any hand has written; the limit bounds the recursion.
const REFERENCE_DEPTH_MAX: usize = 64;

/// All settings of a file and of the files that it includes. Equality ignores where things were written.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub(crate) root: Section,
}

impl Settings {
    /// Reads a file and all that it includes.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn load(source: &dyn Source, path: &Path) -> Result<Self, LoadError> {
        let settings = Self { root: parse::load(source, path)? };
        match settings.too_deep(&settings.root) {
            None => Ok(settings),
            Some(location) => Err(LoadError::Syntax(Box::new(SyntaxError {
                location: location.clone(),
                kind: SyntaxErrorKind::ReferencedTooDeeply,
                line: String::new(),
                indent: String::new(),
            }))),
        }
    }

    /// Reads settings from memory, under a name for error messages. Includes find nothing.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn parse(name: &str, text: &[u8]) -> Result<Self, LoadError> {
        Self::load(&Memory::new([(name, text)]), Path::new(name))
    }

    /// No settings at all.
    pub fn empty() -> Self {
        let nowhere = Location::new(&std::sync::Arc::from(Path::new("")), 1, 1);
        Self { root: Section::new(String::new(), nowhere) }
    }

    /// The root, which holds the top-level sections.
    pub fn root(&self) -> View<'_> {
        View { root: &self.root, name: "", layers: vec![&self.root] }
    }

    /// A section by its path from the root, names joined by dots.
    pub fn section(&self, path: &str) -> Option<View<'_>> {
        self.root().section(path)
    }

    /// The top-level sections of these names seen as one, earlier ones first: what `charond` does not say is
    /// looked up in `charon-systemd`, then in `charon`. Empty if none of them exists.
    pub fn fallback(&self, names: &[&str]) -> View<'_> {
        let mut layers = Vec::new();
        for section in names.iter().filter_map(|name| self.section(name)) {
            add_all(&mut layers, &section.layers);
        }
        View { root: &self.root, name: "", layers }
    }

    /// All references as written, each with its place: the paths of sections from which others inherit.
    pub fn references(&self) -> Vec<(&str, &Location)> {
        fn collect<'a>(section: &'a Section, found: &mut Vec<(&'a str, &'a Location)>) {
            found.extend(section.references.iter().map(|one| (one.path.as_str(), &one.location)));
            section.sections.iter().for_each(|(_, child)| collect(child, found));
        }
        let mut found = Vec::new();
        collect(&self.root, &mut found);
        found
    }

    /// The first reference whose chain exceeds the limit.
    fn too_deep<'a>(&'a self, section: &'a Section) -> Option<&'a Location> {
        for reference in &section.references {
            let mut resolver = Resolver::new(&self.root);
            resolver.resolve(&reference.path);
            if resolver.exceeded {
                return Some(&reference.location);
            }
        }
        section.sections.iter().find_map(|(_, child)| self.too_deep(child))
    }
}

/// A section as a reader sees it: its own content first, then that of the sections it refers to.
#[derive(Debug, Clone)]
pub struct View<'a> {
    root: &'a Section,
    name: &'a str,
    layers: Vec<&'a Section>,
}

impl<'a> View<'a> {
    /// The name of the section; empty for the root and for a fallback view.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The path from the root of the section itself; empty for the root and where nothing exists.
    pub fn path(&self) -> &'a str {
        self.layers.first().map_or("", |section| section.path())
    }

    /// Where the section starts; `None` for a fallback view of nothing.
    pub fn location(&self) -> Option<&'a Location> {
        self.layers.first().map(|section| section.location())
    }

    /// Whether there is neither a key nor a section.
    pub fn is_empty(&self) -> bool {
        self.keys().is_empty() && self.sections().is_empty()
    }

    /// A value by key, or by the path to it with dots. A `key =` without a value hides what is inherited.
    pub fn value(&self, path: &str) -> Option<&'a Value> {
        self.find(path).map(|(_, value)| value)
    }

    /// A sub-section by name, or by the path to it with dots.
    pub fn section(&self, path: &str) -> Option<Self> {
        let mut view = self.clone();
        for name in path.split('.') {
            view = view.child(name)?;
        }
        Some(view)
    }

    /// All keys that have a value: own ones in the order of the file, then inherited ones.
    pub fn keys(&self) -> Vec<(&'a str, &'a Value)> {
        if let [section] = *self.layers {
            let keys = section.keys.iter();
            return keys.filter_map(|(name, value)| Some((name, value.as_ref()?))).collect();
        }
        let mut seen = HashMap::new();
        let mut keys = Vec::new();
        for (name, value) in self.layers.iter().flat_map(|section| section.keys.iter()) {
            if seen.insert(name, ()).is_none() {
                keys.extend(value.as_ref().map(|value| (name, value)));
            }
        }
        keys
    }

    /// All sub-sections: own ones in the order of the file, then inherited ones.
    pub fn sections(&self) -> Vec<Self> {
        if let [section] = *self.layers {
            return section.sections.iter().filter_map(|(name, _)| self.child(name)).collect();
        }
        let mut seen = HashMap::new();
        let mut sections = Vec::new();
        for (name, _) in self.layers.iter().flat_map(|section| section.sections.iter()) {
            if seen.insert(name, ()).is_none() {
                sections.extend(self.child(name));
            }
        }
        sections
    }

    /// A value, with the section that holds it.
    pub(crate) fn find(&self, path: &str) -> Option<(&'a Section, &'a Value)> {
        if let Some((section, key)) = path.rsplit_once('.') {
            return self.section(section)?.find(key);
        }
        let (section, value) =
            self.layers.iter().find_map(|section| section.keys.get(path).map(|value| (*section, value)))?;
        value.as_ref().map(|value| (section, value))
    }

    fn child(&self, name: &str) -> Option<Self> {
        let (layers, own_name) = Resolver::new(self.root).child(&self.layers, name);
        Some(View { root: self.root, name: own_name?, layers })
    }
}

/// Follows references. Each path is resolved once; one that is met again while it is being resolved is a loop
/// and counts for nothing.
struct Resolver<'a> {
    root: &'a Section,
    resolved: HashMap<&'a str, Vec<&'a Section>>,
    depth: usize,
    exceeded: bool,
}

impl<'a> Resolver<'a> {
    fn new(root: &'a Section) -> Self {
        Self { root, resolved: HashMap::new(), depth: 0, exceeded: false }
    }

    /// The layers of a sub-section, and its name as stored if there is any.
    fn child(&mut self, layers: &[&'a Section], name: &str) -> (Vec<&'a Section>, Option<&'a str>) {
        let mut found = Vec::new();
        let mut own_name = None;
        for section in layers {
            if let Some((stored, child)) = section.sections.get_entry(name) {
                own_name = own_name.or(Some(stored));
                self.expand(child, &mut found);
            }
        }
        (found, own_name)
    }

    fn expand(&mut self, section: &'a Section, into: &mut Vec<&'a Section>) {
        add_all(into, &[section]);
        for reference in &section.references {
            let referenced = self.resolve(&reference.path);
            add_all(into, &referenced);
        }
    }

    fn resolve(&mut self, path: &'a str) -> Vec<&'a Section> {
        if let Some(known) = self.resolved.get(path) {
            return known.clone();
        }
        if self.depth >= REFERENCE_DEPTH_MAX {
            self.exceeded = true;
            return Vec::new();
        }
        self.resolved.insert(path, Vec::new());
        self.depth += 1;
        let mut layers = vec![self.root];
        for name in path.split('.') {
            (layers, _) = self.child(&layers, name);
        }
        self.depth -= 1;
        self.resolved.insert(path, layers.clone());
        layers
    }
}

fn add_all<'a>(layers: &mut Vec<&'a Section>, more: &[&'a Section]) {
    for section in more {
        if !layers.iter().any(|known| std::ptr::eq(*known, *section)) {
            layers.push(section);
        }
    }
}
