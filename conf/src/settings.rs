//! Loaded settings, and views of their sections with references followed.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use crate::error::{LoadError, SyntaxError, SyntaxErrorKind};
use crate::source::{Memory, Source};
use crate::text::{File, Text};
use crate::tree::{ROOT, SectionId, Tree};
use crate::{Location, Value, parse};

/// References that lead to references. More than any hand has written; the limit bounds the recursion.
const REFERENCE_DEPTH_MAX: usize = 64;

/// All settings of a file and of the files that it includes. Equality ignores where things were written.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub(crate) tree: Tree,
}

impl Settings {
    /// Reads a file and all that it includes.
    ///
    /// # Errors
    /// The first fault, with its place.
    pub fn load(source: &dyn Source, path: &Path) -> Result<Self, LoadError> {
        let settings = Self { tree: parse::load(source, path)? };
        match settings.too_deep() {
            None => Ok(settings),
            Some(location) => Err(LoadError::Syntax(Box::new(SyntaxError {
                location,
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
        let nowhere = File { path: Arc::from(Path::new("")), text: Arc::new(Text::new(Vec::new())) };
        Self { tree: Tree::new(nowhere) }
    }

    /// The root, which holds the top-level sections.
    pub fn root(&self) -> View<'_> {
        View { tree: &self.tree, name: "", own: Some(ROOT), inherited: Vec::new() }
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
            add_all(&mut layers, section.layers());
        }
        View::new(&self.tree, "", layers)
    }

    /// All references as written, each with its place: the paths of sections from which others inherit.
    pub fn references(&self) -> Vec<(&str, Location)> {
        let mut found = Vec::new();
        self.tree.all_references(ROOT, &mut found);
        found.into_iter().map(|one| (self.tree.referenced(one), self.tree.place_of(one))).collect()
    }

    /// The first reference whose chain exceeds the limit.
    fn too_deep(&self) -> Option<Location> {
        let mut references = Vec::new();
        self.tree.all_references(ROOT, &mut references);
        let first = references.into_iter().find(|reference| {
            let mut resolver = Resolver::new(&self.tree);
            resolver.resolve(self.tree.referenced(reference));
            resolver.exceeded
        });
        first.map(|reference| self.tree.place_of(reference))
    }
}

/// A section as a reader sees it: its own content first, then that of the sections it refers to.
#[derive(Debug, Clone)]
pub struct View<'a> {
    tree: &'a Tree,
    name: &'a str,
    /// The section itself; `None` for a fallback view of nothing.
    own: Option<SectionId>,
    inherited: Vec<SectionId>,
}

impl<'a> View<'a> {
    fn new(tree: &'a Tree, name: &'a str, layers: Vec<SectionId>) -> Self {
        let mut inherited = layers;
        let own = if inherited.is_empty() { None } else { Some(inherited.remove(0)) };
        Self { tree, name, own, inherited }
    }

    /// The name of the section; empty for the root and for a fallback view.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The path from the root of the section itself; empty for the root and where nothing exists.
    pub fn path(&self) -> String {
        self.own.map_or_else(String::new, |section| self.tree.path(section))
    }

    /// Where the section starts; `None` for a fallback view of nothing.
    pub fn location(&self) -> Option<Location> {
        self.own.map(|section| self.tree.location(section))
    }

    /// Whether there is neither a key nor a section.
    pub fn is_empty(&self) -> bool {
        self.keys().next().is_none() && self.sections().next().is_none()
    }

    /// A value by key, or by the path to it with dots. A `key =` without a value hides what is inherited.
    pub fn value(&self, path: &str) -> Option<Value<'a>> {
        match path.rsplit_once('.') {
            Some((section, key)) => Some(self.section(section)?.own_value(key)?.1),
            None => Some(self.own_value(path)?.1),
        }
    }

    /// A sub-section by name, or by the path to it with dots.
    pub fn section(&self, path: &str) -> Option<Self> {
        let mut names = path.split('.');
        let mut view = self.child(names.next()?)?;
        for name in names {
            view = view.child(name)?;
        }
        Some(view)
    }

    /// All keys that have a value: own ones in the order of the file, then inherited ones.
    pub fn keys(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        self.layers().enumerate().flat_map(move |(depth, section)| {
            self.tree.keys(section).filter_map(move |(name, value)| {
                let hidden = self.layers().take(depth).any(|above| self.tree.key(above, name).is_some());
                value.filter(|_| !hidden).map(|value| (name, value))
            })
        })
    }

    /// All sub-sections: own ones in the order of the file, then inherited ones.
    pub fn sections(&self) -> impl Iterator<Item = Self> {
        self.layers().enumerate().flat_map(move |(depth, section)| {
            self.tree.sections(section).filter_map(move |child| {
                let name = self.tree.name(child);
                let shown = self.layers().take(depth).any(|above| self.tree.section(above, name).is_some());
                if shown {
                    None
                } else if self.inherited.is_empty() && self.tree.references(child).is_empty() {
                    Some(View { tree: self.tree, name, own: Some(child), inherited: Vec::new() })
                } else {
                    self.child(name)
                }
            })
        })
    }

    /// A value, with the path of its key from the root.
    pub(crate) fn find(&self, path: &str) -> Option<(String, Value<'a>)> {
        let (section, value) = match path.rsplit_once('.') {
            Some((section, key)) => self.section(section)?.own_value(key)?,
            None => self.own_value(path)?,
        };
        let name = path.rsplit('.').next().unwrap_or(path);
        Some((self.tree.path_of(section, name), value))
    }

    /// A value by key, with the section that holds it.
    fn own_value(&self, key: &str) -> Option<(SectionId, Value<'a>)> {
        let (section, value) =
            self.layers().find_map(|section| Some((section, self.tree.key(section, key)?)))?;
        Some((section, value?))
    }

    fn child(&self, name: &str) -> Option<Self> {
        let (layers, own_name) = Resolver::new(self.tree).child(self.layers(), name);
        Some(View::new(self.tree, own_name?, layers))
    }

    fn layers(&self) -> impl Iterator<Item = SectionId> {
        self.own.into_iter().chain(self.inherited.iter().copied())
    }
}

/// Follows references. Each path is resolved once; one that is met again while it is being resolved is a loop
/// and counts for nothing.
struct Resolver<'a> {
    tree: &'a Tree,
    resolved: HashMap<&'a str, Vec<SectionId>>,
    depth: usize,
    exceeded: bool,
}

impl<'a> Resolver<'a> {
    fn new(tree: &'a Tree) -> Self {
        Self { tree, resolved: HashMap::new(), depth: 0, exceeded: false }
    }

    /// The layers of a sub-section, and its name as stored if there is any.
    fn child(
        &mut self,
        layers: impl IntoIterator<Item = SectionId>,
        name: &str,
    ) -> (Vec<SectionId>, Option<&'a str>) {
        let mut found = Vec::new();
        let mut own_name = None;
        for section in layers {
            if let Some(child) = self.tree.section(section, name) {
                own_name = own_name.or_else(|| Some(self.tree.name(child)));
                self.expand(child, &mut found);
            }
        }
        (found, own_name)
    }

    fn expand(&mut self, section: SectionId, into: &mut Vec<SectionId>) {
        add_all(into, [section]);
        for reference in self.tree.references(section) {
            let referenced = self.resolve(self.tree.referenced(reference));
            add_all(into, referenced);
        }
    }

    fn resolve(&mut self, path: &'a str) -> Vec<SectionId> {
        if let Some(known) = self.resolved.get(path) {
            return known.clone();
        }
        if self.depth >= REFERENCE_DEPTH_MAX {
            self.exceeded = true;
            return Vec::new();
        }
        self.resolved.insert(path, Vec::new());
        self.depth += 1;
        let mut layers = vec![ROOT];
        for name in path.split('.') {
            (layers, _) = self.child(layers, name);
        }
        self.depth -= 1;
        self.resolved.insert(path, layers.clone());
        layers
    }
}

fn add_all(layers: &mut Vec<SectionId>, more: impl IntoIterator<Item = SectionId>) {
    for section in more {
        if !layers.contains(&section) {
            layers.push(section);
        }
    }
}
