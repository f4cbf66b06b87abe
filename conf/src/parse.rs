//! From the text of a file, and of the files that it includes, to the tree as written.

use std::ffi::OsStr;
use std::io;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{LoadError, SyntaxError, SyntaxErrorKind};
use crate::lexer::{Fault, Lexer, Position};
use crate::text::{File, Place, Span, Text};
use crate::tree::{ROOT, Reference, SectionId, Tree};
use crate::{Location, Source};

/// Sections within sections. The real world needs six; the limit keeps every walk of the tree shallow.
const NESTING_MAX: usize = 64;
/// Files within files.
const INCLUDE_DEPTH_MAX: usize = 16;
/// Files altogether: a directory with a file per connection may be large.
const FILES_MAX: usize = 100_000;

/// Reads a file and all that it includes into a tree.
pub(crate) fn load(source: &dyn Source, path: &Path) -> Result<Tree, LoadError> {
    let file = read(source, path, None)?;
    let mut parser = Parser { source, files: 1, tree: Tree::new(file.clone()) };
    parser.file(&file, 0, ROOT, Depth { includes: 0, sections: 0 })?;
    Ok(parser.tree)
}

fn read(source: &dyn Source, path: &Path, included_from: Option<&Location>) -> Result<File, LoadError> {
    let text = source.read(path).and_then(|text| match u32::try_from(text.len()) {
        Ok(_) => Ok(Text::new(text)),
        Err(_) => Err(io::ErrorKind::FileTooLarge.into()),
    });
    let text = text.map_err(|error| LoadError::Read {
        path: path.to_owned(),
        error,
        included_from: included_from.cloned(),
    })?;
    Ok(File { path: Arc::from(path), text: Arc::new(text) })
}

struct Parser<'s> {
    source: &'s dyn Source,
    files: usize,
    tree: Tree,
}

#[derive(Clone, Copy)]
struct Depth {
    includes: usize,
    sections: usize,
}

/// One file at work.
struct Open<'f> {
    file: &'f File,
    number: u32,
    lexer: Lexer<'f>,
}

impl Parser<'_> {
    fn file(&mut self, file: &File, number: u32, into: SectionId, depth: Depth) -> Result<(), LoadError> {
        let mut open = Open { file, number, lexer: Lexer::new(&file.text) };
        self.statements(&mut open, into, depth)?;
        match open.lexer.peek() {
            None => Ok(()),
            Some(_) => Err(open.error(open.lexer.fault(SyntaxErrorKind::UnopenedBrace))),
        }
    }

    /// Statements up to the end of the file or a closing brace, which is left to the caller.
    fn statements(&mut self, open: &mut Open<'_>, into: SectionId, depth: Depth) -> Result<(), LoadError> {
        loop {
            open.lexer.skip_lines();
            let start = open.lexer.position();
            if open.lexer.eat_include() {
                self.include(open, start, into, depth)?;
                continue;
            }
            match open.lexer.name().map_err(|fault| open.error(fault))? {
                Some(name) => self.named(open, start, name, into, depth)?,
                None => match open.lexer.peek() {
                    None | Some(b'}') => return Ok(()),
                    Some(b'.') => return Err(open.here(SyntaxErrorKind::DotInName)),
                    Some(_) => return Err(open.here(SyntaxErrorKind::ExpectedName(open.lexer.found()))),
                },
            }
        }
    }

    /// What follows a name: a value, or references and a section.
    fn named(
        &mut self,
        open: &mut Open<'_>,
        start: Position,
        name: Range<usize>,
        into: SectionId,
        depth: Depth,
    ) -> Result<(), LoadError> {
        open.lexer.skip_blanks();
        if open.lexer.eat(b'=') {
            open.lexer.skip_blanks();
            let place = open.place(open.lexer.position());
            let value = open.lexer.value().map_err(|fault| open.error(fault))?;
            self.tree.set(into, Span::new(&name), place, value);
            return Ok(());
        }
        if open.lexer.peek() == Some(b'.') {
            return Err(open.here(SyntaxErrorKind::DotInName));
        }
        let references = if open.lexer.eat(b':') { references(open)? } else { Vec::new() };
        let after_name = open.lexer.fault(SyntaxErrorKind::ExpectedAfterName(open.lexer.found()));
        open.lexer.skip_lines();
        if !open.lexer.eat(b'{') {
            return Err(if references.is_empty() {
                open.error(after_name)
            } else {
                open.here(SyntaxErrorKind::ExpectedBrace(open.lexer.found()))
            });
        }
        if depth.sections >= NESTING_MAX {
            return Err(open.error(Fault { at: start, kind: SyntaxErrorKind::NestedTooDeeply }));
        }
        let section = self.tree.open(into, Span::new(&name), open.place(start));
        self.tree.refer(section, references);
        self.statements(open, section, Depth { sections: depth.sections + 1, ..depth })?;
        if open.lexer.eat(b'}') {
            Ok(())
        } else {
            Err(open.error(Fault { at: start, kind: SyntaxErrorKind::UnclosedSection }))
        }
    }

    fn include(
        &mut self,
        open: &mut Open<'_>,
        start: Position,
        into: SectionId,
        depth: Depth,
    ) -> Result<(), LoadError> {
        let pattern = open.lexer.pattern().map_err(|fault| open.error(fault))?;
        open.lexer.skip_blanks();
        if !matches!(open.lexer.peek(), None | Some(b'\n' | b'#' | b'}')) {
            return Err(open.here(SyntaxErrorKind::AfterPattern(open.lexer.found())));
        }
        if depth.includes >= INCLUDE_DEPTH_MAX {
            return Err(open.error(Fault { at: start, kind: SyntaxErrorKind::IncludedTooDeeply }));
        }
        let pattern = beside(&open.file.path, &pattern);
        let location = open.location(start);
        let paths = self.source.matches(&pattern).map_err(|error| LoadError::Read {
            path: pattern,
            error,
            included_from: Some(location.clone()),
        })?;
        for path in paths {
            if self.files >= FILES_MAX {
                return Err(open.error(Fault { at: start, kind: SyntaxErrorKind::TooManyFiles }));
            }
            self.files += 1;
            let file = read(self.source, &path, Some(&location))?;
            let number = self.tree.add_file(file.clone());
            self.file(&file, number, into, Depth { includes: depth.includes + 1, ..depth })?;
        }
        Ok(())
    }
}

/// The list after `name :`.
fn references(open: &mut Open<'_>) -> Result<Vec<Reference>, LoadError> {
    let mut references = Vec::new();
    loop {
        open.lexer.skip_lines();
        let start = open.lexer.position();
        let Some(path) = open.lexer.reference().map_err(|fault| open.error(fault))? else {
            return Err(open.here(SyntaxErrorKind::ExpectedReference(open.lexer.found())));
        };
        if path.split('.').any(str::is_empty) {
            return Err(open.error(Fault { at: start, kind: SyntaxErrorKind::EmptyName }));
        }
        let range = start.offset..open.lexer.position().offset;
        references.push(Reference::new(Span::new(&range), open.place(start)));
        open.lexer.skip_lines();
        if !open.lexer.eat(b',') {
            return Ok(references);
        }
    }
}

/// An include pattern, relative to the directory of the file that includes.
fn beside(file: &Path, pattern: &[u8]) -> PathBuf {
    let pattern = Path::new(OsStr::from_bytes(pattern));
    file.parent().map_or_else(|| pattern.to_owned(), |directory| directory.join(pattern))
}

impl Open<'_> {
    fn place(&self, at: Position) -> Place {
        let column = u32::try_from(at.offset - at.line_start).unwrap_or(u32::MAX).saturating_add(1);
        Place { file: self.number, line: at.line, column }
    }

    fn location(&self, at: Position) -> Location {
        let Place { line, column, .. } = self.place(at);
        Location::new(&self.file.path, line, column)
    }

    fn here(&self, kind: SyntaxErrorKind) -> LoadError {
        self.error(self.lexer.fault(kind))
    }

    fn error(&self, fault: Fault) -> LoadError {
        let rest = self.file.text.bytes().get(fault.at.line_start..).unwrap_or_default();
        let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let before = line.get(..fault.at.offset - fault.at.line_start).unwrap_or(line);
        let indent =
            String::from_utf8_lossy(before).chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        LoadError::Syntax(Box::new(SyntaxError {
            location: self.location(fault.at),
            kind: fault.kind,
            line: masked(&String::from_utf8_lossy(line)),
            indent,
        }))
    }
}

/// A line for showing: control characters out, and the value of a secret hidden behind stars.
fn masked(line: &str) -> String {
    let mut hide = Hide::No;
    let mut word = String::new();
    line.trim_end()
        .chars()
        .map(|c| match (&hide, c) {
            (_, '\t') => '\t',
            (Hide::Yes, ' ' | '"' | '{' | '}') => c,
            (Hide::Yes, _) => '*',
            (Hide::No, '=') => {
                if is_secret_key(word.trim()) {
                    hide = Hide::Yes;
                }
                c
            }
            (Hide::No, _) => {
                if matches!(c, '{' | '}') {
                    word.clear();
                } else {
                    word.push(c);
                }
                if c.is_control() { '\u{fffd}' } else { c }
            }
        })
        .collect()
}

enum Hide {
    Yes,
    No,
}

/// Whether a key of this name holds what nobody should read over a shoulder.
pub(crate) fn is_secret_key(name: &str) -> bool {
    ["secret", "pin", "password"].iter().any(|prefix| name.starts_with(prefix))
}
