//! Whether a swanctl.conf is what it should be: every key known, every value of its kind, every file readable.
//!
//! The table of keys that `--load-all` sends by is the one that is checked against, and what identities, proposals and
//! selectors look like is read as the daemon reads it.

mod value;

use std::collections::HashSet;
use std::fmt;
use std::path::Path;

use charon_conf::options::swanctl_conf::{self, Key};
use charon_conf::{Location, Settings, Value, View};

use crate::convert;

/// Top-level sections that are loaded; others serve to be inherited from.
pub(crate) const SECTIONS: [&str; 4] = ["connections", "pools", "authorities", "secrets"];

/// Something wrong.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Finding {
    place: Option<Location>,
    path: String,
    what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}: {}", self.path, self.what)
    }
}

/// All that is wrong, in the order of the file. What many sections inherit is told once.
pub(crate) fn check(settings: &Settings, directory: &Path) -> Vec<Finding> {
    let mut checker = Checker { directory, findings: Vec::new(), seen: HashSet::new() };
    checker.root(settings);
    for name in SECTIONS {
        if let Some(section) = settings.section(name) {
            checker.section(&section, &mut vec![section.name()]);
        }
    }
    let mut findings = checker.findings;
    findings.sort_by_key(|finding| {
        finding.place.as_ref().map(|place| (place.file().to_owned(), place.line(), place.column()))
    });
    findings
}

struct Checker<'d> {
    directory: &'d Path,
    findings: Vec<Finding>,
    /// Places and what was found there.
    seen: HashSet<(Location, String)>,
}

impl Checker<'_> {
    fn root(&mut self, settings: &Settings) {
        let root = settings.root();
        for (key, value) in root.keys() {
            self.note(Some(value.location()), key.to_owned(), "belongs in no section".into());
        }
        let references = settings.references();
        for (path, place) in references.iter().cloned() {
            if settings.section(path).is_none() {
                let what = "no such section to inherit from".to_owned();
                self.note(Some(place), path.to_owned(), what);
            }
        }
        for section in root.sections() {
            let name = section.name();
            let is_template = || references.iter().any(|(path, _)| path.split('.').next() == Some(name));
            if !SECTIONS.contains(&name) && !is_template() {
                self.note(section.location(), name.to_owned(), "unknown section, not loaded".into());
            }
        }
    }

    /// The table bounds the depth: no unknown section is entered, so that references in a circle come to an end.
    fn section<'a>(&mut self, view: &View<'a>, path: &mut Vec<&'a str>) {
        let keys = swanctl_conf::keys_at(path);
        for (name, value) in view.keys() {
            let Some(key) = keys.and_then(|keys| keys.iter().find(|key| key.is(name))) else {
                self.note(Some(value.location()), below(view, name), "unknown option".into());
                continue;
            };
            self.value(view, name, key, value);
        }
        if keys.is_some() {
            self.indispensable(view, path);
        }
        for inner in view.sections() {
            path.push(inner.name());
            if let Err(what) = convert::name(inner.name()) {
                self.note(inner.location(), below(view, inner.name()), what);
            }
            if swanctl_conf::keys_at(path).is_some() || swanctl_conf::is_section(path) {
                self.section(&inner, path);
            } else {
                self.note(inner.location(), below(view, inner.name()), "unknown section".into());
            }
            path.pop();
        }
    }

    fn value(&mut self, view: &View<'_>, name: &str, key: &Key, value: Value<'_>) {
        let faults = match value.as_text() {
            Some(text) => value::faults(key.kind, text, self.directory),
            None => value::faults_of_bytes(key.kind),
        };
        for what in faults {
            self.note(Some(value.location()), below(view, name), what);
        }
    }

    /// Keys without which a section is of no use.
    fn indispensable(&mut self, view: &View<'_>, path: &[&str]) {
        let any_of: &[&str] = match path {
            ["secrets", name] => match name {
                _ if ["eap", "xauth", "ntlm", "ike", "ppk"].iter().any(|kind| name.starts_with(kind)) => {
                    &["secret"]
                }
                _ if name.starts_with("token") => &["handle"],
                _ => &["file"],
            },
            ["pools", _] => &["addrs"],
            ["authorities", _] => &["cacert", "file", "handle"],
            _ => return,
        };
        if !any_of.iter().any(|key| view.value(key).is_some()) {
            self.note(view.location(), view.path(), format!("{} is missing", any_of.join(" or ")));
        }
    }

    fn note(&mut self, place: Option<Location>, path: String, what: String) {
        if place.as_ref().is_none_or(|place| self.seen.insert((place.clone(), what.clone()))) {
            self.findings.push(Finding { place, path, what });
        }
    }
}

fn below(view: &View<'_>, name: &str) -> String {
    format!("{}.{name}", view.path())
}

#[cfg(test)]
mod tests;
