//! What can be wrong with a settings file: unreadable, or not in the language.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::Location;

/// Why settings could not be loaded.
#[derive(Debug)]
#[non_exhaustive]
pub enum LoadError {
    /// A file could not be read.
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
        /// The include that named it, if it was not the file asked for.
        included_from: Option<Location>,
    },
    /// A file is not in the settings language.
    Syntax(Box<SyntaxError>),
}

impl LoadError {
    /// Whether the file asked for (not one that it includes) does not exist.
    pub fn is_missing_file(&self) -> bool {
        matches!(self, Self::Read { error, included_from: None, .. } if error.kind() == io::ErrorKind::NotFound)
    }

    /// The offending line with a mark below it, ready to print; empty if the fault has no line.
    pub fn picture(&self) -> String {
        match self {
            Self::Read { .. } => String::new(),
            Self::Syntax(error) => error.picture(),
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, error, included_from } => {
                write!(f, "cannot read '{}': {error}", path.display())?;
                match included_from {
                    Some(location) => write!(f, " (included from {location})"),
                    None => Ok(()),
                }
            }
            Self::Syntax(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LoadError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { error, .. } => Some(error),
            Self::Syntax(_) => None,
        }
    }
}

/// A fault in the text of a settings file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    pub(crate) location: Location,
    pub(crate) kind: SyntaxErrorKind,
    pub(crate) line: String,
    pub(crate) indent: String,
}

impl SyntaxError {
    /// Where the fault is.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// What the fault is.
    pub fn kind(&self) -> &SyntaxErrorKind {
        &self.kind
    }

    /// The offending line with a mark below the column. Secrets on that line are masked.
    pub fn picture(&self) -> String {
        let number = self.location.line().to_string();
        let blank = " ".repeat(number.len());
        format!("{blank} |\n{number} | {}\n{blank} | {}^\n", self.line, self.indent)
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.location, self.location.column(), self.kind)
    }
}

impl std::error::Error for SyntaxError {}

/// The ways to leave the language.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyntaxErrorKind {
    /// Neither a name nor the end of the section.
    ExpectedName(Found),
    /// A name that is neither a key nor a section.
    ExpectedAfterName(Found),
    /// A dot within a name.
    DotInName,
    /// A `:` without a section path behind it.
    ExpectedReference(Found),
    /// A section path with nothing before, between or after its dots.
    EmptyName,
    /// A reference list that no `{` follows.
    ExpectedBrace(Found),
    /// A name that is not UTF-8.
    NameNotText,
    /// A name of more than 256 bytes.
    NameTooLong,
    /// A quoted string without its closing quote; the place is the opening one.
    UnterminatedString,
    /// A section without its closing brace; the place is its name.
    UnclosedSection,
    /// A `}` that closes nothing opened in the same file.
    UnopenedBrace,
    /// An include without a pattern.
    ExpectedPattern(Found),
    /// More than a pattern after an include.
    AfterPattern(Found),
    /// Sections nested too deeply.
    NestedTooDeeply,
    /// Files including files too deeply; most often a file that includes itself.
    IncludedTooDeeply,
    /// Too many files altogether.
    TooManyFiles,
    /// A chain of references that is too long.
    ReferencedTooDeeply,
}

impl fmt::Display for SyntaxErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ExpectedName(found) => write!(f, "expected a name or `}}`, found {found}"),
            Self::ExpectedAfterName(found) => {
                write!(f, "expected `=`, `{{` or `:` after the name, found {found}")
            }
            Self::DotInName => f.write_str("a name may not contain a dot"),
            Self::ExpectedReference(found) => write!(f, "expected the path of a section, found {found}"),
            Self::EmptyName => f.write_str("a name in this path is empty"),
            Self::ExpectedBrace(found) => write!(f, "expected `{{` or `,`, found {found}"),
            Self::NameNotText => f.write_str("a name must be UTF-8"),
            Self::NameTooLong => f.write_str("a name may have 256 bytes at most"),
            Self::UnterminatedString => f.write_str("the string that starts here does not end"),
            Self::UnclosedSection => f.write_str("the section that starts here is not closed"),
            Self::UnopenedBrace => f.write_str("this `}` closes no section of this file"),
            Self::ExpectedPattern(found) => write!(f, "expected a file pattern after include, found {found}"),
            Self::AfterPattern(found) => write!(f, "expected the end of the line, found {found}"),
            Self::NestedTooDeeply => f.write_str("sections are nested too deeply"),
            Self::IncludedTooDeeply => f.write_str("includes are nested too deeply"),
            Self::TooManyFiles => f.write_str("too many files are included"),
            Self::ReferencedTooDeeply => f.write_str("references are nested too deeply"),
        }
    }
}

/// What stood where something else was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A byte of the file.
    Byte(u8),
    /// The end of the file.
    End,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Byte(b'\n') => f.write_str("the end of the line"),
            Self::Byte(b' ' | b'\t' | b'\r') => f.write_str("a blank"),
            Self::Byte(byte) if byte.is_ascii_graphic() => write!(f, "`{}`", char::from(*byte)),
            Self::Byte(byte) => write!(f, "byte 0x{byte:02x}"),
            Self::End => f.write_str("the end of the file"),
        }
    }
}
