//! Sections of swanctl.conf as VICI sections.

use std::fmt;
use std::fs;
use std::path::Path;

use charon_conf::options::swanctl_conf::{self, Kind};
use charon_conf::{Location, Value, View, scalar};
use vici::Message;

use crate::credentials::text::{decoded, is_coded};
use crate::failure::words;

/// Sections within sections of what is loaded; the daemon knows three levels. References in a circle end here.
const NESTING_MAX: usize = 8;
/// Longest name that a message can carry.
const NAME_BYTES_MAX: usize = 255;

const NOT_TEXT: &str = "is not UTF-8 text";

/// How the value of a key is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// As it is.
    Text,
    /// As the list of its comma-separated items.
    List,
    /// As the content of the file that it names, relative to this directory.
    File(&'static str),
    /// As the list of the contents of the files that it names, relative to this directory.
    Files(&'static str),
}

impl Form {
    /// As the table of keys has it, for a key anywhere in the sections below this one. Those of connections may be
    /// written in capitals.
    pub(crate) fn of(section: &str, name: &str) -> Self {
        let found = swanctl_conf::key_in(section, name)
            .filter(|key| section == "connections" || key.name.split(", ").any(|exact| exact == name));
        match found.map(|key| key.kind) {
            Some(Kind::File(within)) => Self::File(within),
            Some(Kind::Files(within)) => Self::Files(within),
            Some(kind) if kind.is_list() => Self::List,
            _ => Self::Text,
        }
    }
}

/// What of the file cannot be sent, and where it stands.
#[derive(Debug)]
pub(crate) struct Unsendable {
    place: Option<Location>,
    path: String,
    what: String,
}

impl Unsendable {
    fn new(view: &View<'_>, place: Option<Location>, name: &str, what: String) -> Self {
        Self { place: place.or_else(|| view.location()), path: format!("{}.{name}", view.path()), what }
    }
}

impl fmt::Display for Unsendable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        write!(f, "{}: {}", self.path, self.what)
    }
}

/// What becomes of sections within a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Inner {
    Sent,
    /// There is nothing that they could mean.
    Ignored,
}

/// Makes messages of sections of one kind.
pub(crate) struct Converter<'d> {
    forms: Forms,
    inner: Inner,
    directory: &'d Path,
}

/// The forms of the keys of a kind of section, looked up once for each name.
struct Forms {
    of: fn(&str) -> Form,
    known: Vec<(String, Form)>,
    /// Where to look first: sections are alike, so the key that comes next is most often the one that came next before.
    next: usize,
}

impl Forms {
    /// The form of a key, whose name must be one that can be sent.
    fn form(&mut self, key: &str) -> Result<Form, String> {
        let (before, behind) = self.known.split_at(self.next);
        let found = behind.iter().chain(before).position(|(known, _)| known == key);
        let at = match found {
            Some(steps) if steps < behind.len() => self.next + steps,
            Some(steps) => steps - behind.len(),
            None => {
                name(key)?;
                self.known.push((key.to_owned(), (self.of)(key)));
                self.known.len() - 1
            }
        };
        self.next = at + 1;
        Ok(self.known[at].1)
    }
}

impl<'d> Converter<'d> {
    /// For sections whose keys have these forms. Names of files are relative to the directory.
    pub(crate) fn new(of: fn(&str) -> Form, inner: Inner, directory: &'d Path) -> Self {
        Self { forms: Forms { of, known: Vec::new(), next: 0 }, inner, directory }
    }

    /// Adds the content of a section with all that it inherits. Keys come in the order of the file, before sub-sections.
    pub(crate) fn section(&mut self, view: &View<'_>, into: &mut Message) -> Result<(), Unsendable> {
        self.nested(view, into, 0)
    }

    fn nested(&mut self, view: &View<'_>, into: &mut Message, depth: usize) -> Result<(), Unsendable> {
        for (key, value) in view.keys() {
            let pushed = self.key(key, value, into);
            pushed.map_err(|what| Unsendable::new(view, Some(value.location()), key, what))?;
        }
        if self.inner == Inner::Ignored {
            return Ok(());
        }
        for inner in view.sections() {
            let fits = name(inner.name()).and_then(|()| match depth {
                NESTING_MAX.. => Err("sections are nested too deeply".into()),
                _ => Ok(()),
            });
            fits.map_err(|what| Unsendable::new(view, inner.location(), inner.name(), what))?;
            let mut filled = Ok(());
            into.nest(inner.name(), |into| filled = self.nested(&inner, into, depth + 1));
            filled?;
        }
        Ok(())
    }

    fn key(&mut self, key: &str, value: Value<'_>, into: &mut Message) -> Result<(), String> {
        match self.forms.form(key)? {
            Form::Text => into.push(key, value.as_bytes()),
            Form::List => into.push_list(key, scalar::split_list(text(value)?)),
            Form::File(within) => into.push(key, file(text(value)?, &self.directory.join(within))?),
            Form::Files(within) => {
                let directory = self.directory.join(within);
                let contents = scalar::split_list(text(value)?).map(|item| content(item, &directory));
                into.push_list(key, contents.collect::<Result<Vec<_>, _>>()?);
            }
        }
        Ok(())
    }
}

/// Checks that a name can stand in a message: the daemon would drop the message without a word.
pub(crate) fn name(name: &str) -> Result<(), String> {
    if name.len() > NAME_BYTES_MAX {
        return Err(format!("names may have {NAME_BYTES_MAX} bytes at most"));
    }
    if name.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) {
        Ok(())
    } else {
        Err("names must be ASCII".into())
    }
}

fn text(value: Value<'_>) -> Result<&str, String> {
    value.as_text().ok_or_else(|| NOT_TEXT.into())
}

/// The file that an item names, or the bytes that it spells with 0x or 0s.
pub(crate) fn content(item: &str, directory: &Path) -> Result<Vec<u8>, String> {
    if is_coded(item) {
        return decoded(item.as_bytes()).map(|bytes| bytes.to_vec());
    }
    file(item, directory)
}

/// The content of a file.
pub(crate) fn file(name: &str, directory: &Path) -> Result<Vec<u8>, String> {
    let path = directory.join(name);
    fs::read(&path).map_err(|error| format!("reading '{}' failed: {}", path.display(), words(&error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use charon_conf::Settings;

    fn form(key: &str) -> Form {
        match key {
            "list" => Form::List,
            "file" => Form::File("x509"),
            "files" => Form::Files("x509"),
            _ => Form::Text,
        }
    }

    fn converted(text: &str, directory: &Path) -> Result<Message, String> {
        let settings = Settings::parse("t.conf", text.as_bytes()).expect("the test writes valid settings");
        let view = settings.section("c").expect("the test writes a section c");
        let mut message = Message::new();
        let converted = Converter::new(form, Inner::Sent, directory).section(&view, &mut message);
        converted.map(|()| message).map_err(|unsendable| unsendable.to_string())
    }

    #[test]
    fn keys_become_values_lists_and_the_contents_of_files() {
        let directory = tempfile::tempdir().expect("a directory for the test");
        fs::create_dir(directory.path().join("x509")).expect("writable");
        fs::write(directory.path().join("x509/a.pem"), "cert a").expect("writable");
        let text = "c { k = v w\n list = a , b\n file = a.pem\n files = a.pem, 0x00ff, 0sAP8=\n hidden =\n s { t { l = 1 } } }";
        let expected = Message::new()
            .with("k", "v w")
            .with_list("list", ["a", "b"])
            .with("file", "cert a")
            .with_list("files", [b"cert a".as_slice(), &[0, 255], &[0, 255]])
            .with_section("s", &Message::new().with_section("t", &Message::new().with("l", "1")));
        assert_eq!(converted(text, directory.path()), Ok(expected));
    }

    #[test]
    fn what_cannot_be_sent_is_named_with_its_line() {
        let here = Path::new("/nowhere");
        assert_eq!(
            converted("c {\n s {\n files = a } }", here),
            Err("t.conf:3: c.s.files: reading '/nowhere/x509/a' failed: No such file or directory".into())
        );
        assert_eq!(
            converted("c {\n k\u{e9} = v\n}", here),
            Err("t.conf:2: c.k\u{e9}: names must be ASCII".into())
        );
        assert_eq!(
            converted("c { d : c { } }", here),
            Err("t.conf:1: c.d.d: sections are nested too deeply".into())
        );
    }
}
