//! Cuts the text of one settings file into names, values, references and patterns.
//!
//! What a byte means depends on where it stands (`:` opens a reference list after a name but is an ordinary
//! character of a value), so the parser asks for what it expects instead of taking a stream of tokens.

use std::ops::Range;

use zeroize::Zeroizing;

use crate::error::{Found, SyntaxErrorKind};
use crate::text::Text;

/// Longest name of a key or section, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// A place in the text of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) offset: usize,
    pub(crate) line: u32,
    pub(crate) line_start: usize,
}

/// A fault and its place; the parser adds the file.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) at: Position,
    pub(crate) kind: SyntaxErrorKind,
}

/// What was written as the value of a key.
#[derive(Debug)]
pub(crate) enum Written {
    Nothing,
    /// In the text as it is meant.
    Here(Range<usize>),
    /// Tokens joined, escapes resolved.
    Made(Text),
}

#[derive(Debug)]
pub(crate) struct Lexer<'t> {
    whole: &'t Text,
    text: &'t [u8],
    at: Position,
}

impl<'t> Lexer<'t> {
    pub(crate) fn new(whole: &'t Text) -> Self {
        Self { whole, text: whole.bytes(), at: Position { offset: 0, line: 1, line_start: 0 } }
    }

    pub(crate) fn position(&self) -> Position {
        self.at
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.get(self.at.offset).copied()
    }

    pub(crate) fn found(&self) -> Found {
        self.peek().map_or(Found::End, Found::Byte)
    }

    /// Takes the next byte if it is `byte`.
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let hit = self.peek() == Some(byte);
        if hit {
            self.advance();
        }
        hit
    }

    /// Skips blanks, comments and line ends.
    pub(crate) fn skip_lines(&mut self) {
        loop {
            self.skip_blanks();
            if self.peek() == Some(b'#') {
                self.skip_comment();
            } else if !self.eat(b'\n') {
                return;
            }
        }
    }

    /// Skips blanks within a line.
    pub(crate) fn skip_blanks(&mut self) {
        self.take(is_blank);
    }

    pub(crate) fn skip_comment(&mut self) {
        self.take(|byte| byte != b'\n');
    }

    /// Whether the keyword `include` stands here, as opposed to a key or section of that name. Takes it if so.
    pub(crate) fn eat_include(&mut self) -> bool {
        let Some(rest) = self.text.get(self.at.offset..).and_then(|rest| rest.strip_prefix(b"include"))
        else {
            return false;
        };
        if !matches!(rest.first(), Some(b' ' | b'\t')) {
            return false;
        }
        if rest.iter().find(|byte| !is_blank(**byte)) == Some(&b'=') {
            return false;
        }
        self.at.offset += b"include".len();
        true
    }

    /// A key or section name; `None` if none starts here.
    pub(crate) fn name(&mut self) -> Result<Option<Range<usize>>, Fault> {
        let start = self.at;
        self.take(is_name_byte);
        Ok(self.text_since(start)?.map(|_| start.offset..self.at.offset))
    }

    /// A section path of a reference list; `None` if none starts here.
    pub(crate) fn reference(&mut self) -> Result<Option<&'t str>, Fault> {
        let start = self.at;
        self.take(|byte| is_name_byte(byte) || byte == b'.');
        self.text_since(start)
    }

    /// The rest of a `key =` line, up to a comment, `}` or the end of the line.
    pub(crate) fn value(&mut self) -> Result<Written, Fault> {
        if self.at_value_end() {
            return Ok(Written::Nothing);
        }
        let start = self.at;
        if let Some(range) = self.plain_value() {
            return Ok(Written::Here(range));
        }
        self.at = start;
        Ok(Written::Made(Text::new(std::mem::take(&mut *self.made_value()?))))
    }

    /// A value that is meant as it stands in the text, which is one string without escapes or tokens with single blanks between
    /// them.
    fn plain_value(&mut self) -> Option<Range<usize>> {
        let start = self.at.offset;
        let range = if self.eat(b'"') {
            self.take(is_plain_in_string);
            let range = start + 1..self.at.offset;
            self.eat(b'"').then_some(range)?
        } else {
            self.take(is_token_byte);
            while self.peek() == Some(b' ')
                && self.text.get(self.at.offset + 1).is_some_and(|byte| is_token_byte(*byte))
            {
                self.at.offset += 1;
                self.take(is_token_byte);
            }
            start..self.at.offset
        };
        self.at_value_end().then_some(range)
    }

    fn made_value(&mut self) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let mut value = Zeroizing::new(Vec::new());
        let mut tokens = 0;
        while !self.at_value_end() {
            if tokens > 0 {
                value.push(b' ');
            }
            tokens += 1;
            if self.peek() == Some(b'"') {
                self.string(&mut value)?;
            } else {
                value.extend_from_slice(self.take(is_token_byte));
            }
        }
        Ok(value)
    }

    /// Whether nothing more belongs to a value. Skips the comment behind it, if so.
    fn at_value_end(&mut self) -> bool {
        self.skip_blanks();
        match self.peek() {
            None | Some(b'\n' | b'}') => true,
            Some(b'#') => {
                self.skip_comment();
                true
            }
            Some(_) => false,
        }
    }

    /// The file pattern of an include.
    pub(crate) fn pattern(&mut self) -> Result<Vec<u8>, Fault> {
        self.skip_blanks();
        if self.peek() == Some(b'"') {
            let mut pattern = Zeroizing::new(Vec::new());
            self.string(&mut pattern)?;
            return Ok(std::mem::take(&mut *pattern));
        }
        let mut pattern = Vec::new();
        while let Some(byte) = self.peek() {
            if byte == b'\\' {
                self.advance();
                match self.peek() {
                    Some(escaped @ (b'"' | b'#' | b'}' | b' ')) => {
                        pattern.push(escaped);
                        self.advance();
                    }
                    _ => pattern.push(b'\\'),
                }
            } else if is_token_byte(byte) {
                pattern.push(byte);
                self.advance();
            } else {
                break;
            }
        }
        if pattern.is_empty() {
            return Err(self.fault(SyntaxErrorKind::ExpectedPattern(self.found())));
        }
        Ok(pattern)
    }

    pub(crate) fn fault(&self, kind: SyntaxErrorKind) -> Fault {
        Fault { at: self.at, kind }
    }

    /// A quoted string; the opening quote is next.
    fn string(&mut self, into: &mut Vec<u8>) -> Result<(), Fault> {
        let start = self.at;
        self.advance();
        while let Some(byte) = self.peek() {
            self.advance();
            match byte {
                b'"' => return Ok(()),
                b'\\' => self.escape(into),
                b'\r' => {}
                _ => into.push(byte),
            }
        }
        Err(Fault { at: start, kind: SyntaxErrorKind::UnterminatedString })
    }

    /// What follows a backslash within a quoted string.
    fn escape(&mut self, into: &mut Vec<u8>) {
        let Some(byte) = self.peek() else { return };
        self.advance();
        match byte {
            b'n' => into.push(b'\n'),
            b'r' => into.push(b'\r'),
            b't' => into.push(b'\t'),
            b'\n' => {}
            b'\r' if self.peek() == Some(b'\n') => self.advance(),
            other => into.push(other),
        }
    }

    fn text_since(&self, start: Position) -> Result<Option<&'t str>, Fault> {
        let range = start.offset..self.at.offset;
        let fault = |kind| Err(Fault { at: start, kind });
        match range.len() {
            0 => Ok(None),
            1..=NAME_BYTES_MAX => match self.whole.part(range) {
                Some(text) => Ok(Some(text)),
                None => fault(SyntaxErrorKind::NameNotText),
            },
            _ => fault(SyntaxErrorKind::NameTooLong),
        }
    }

    /// Takes bytes as long as they are of a kind, which no line end is.
    fn take(&mut self, is_one: impl Fn(u8) -> bool) -> &'t [u8] {
        let rest = self.text.get(self.at.offset..).unwrap_or_default();
        let (taken, _) = rest.split_at(rest.iter().position(|byte| !is_one(*byte)).unwrap_or(rest.len()));
        self.at.offset += taken.len();
        taken
    }

    fn advance(&mut self) {
        if self.peek() == Some(b'\n') {
            self.at.line = self.at.line.saturating_add(1);
            self.at.line_start = self.at.offset + 1;
        }
        self.at.offset += 1;
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r')
}

/// Whether a byte can be part of a name.
fn is_name_byte(byte: u8) -> bool {
    NAME_BYTES[usize::from(byte)]
}

/// Whether a byte can be part of an unquoted value.
pub(crate) fn is_token_byte(byte: u8) -> bool {
    TOKEN_BYTES[usize::from(byte)]
}

/// Whether a byte in a quoted string, without a line end, is meant as it stands.
fn is_plain_in_string(byte: u8) -> bool {
    !matches!(byte, b'"' | b'\\' | b'\r' | b'\n')
}

const NAME_BYTES: [bool; 256] = all_but(b"#{}:.,=\"\r\n\t ");
const TOKEN_BYTES: [bool; 256] = all_but(b"#}\"\r\n\t ");

/// A table, since looking up is faster than comparing with each.
const fn all_but(mut others: &[u8]) -> [bool; 256] {
    let mut bytes = [true; 256];
    while let [byte, rest @ ..] = others {
        bytes[*byte as usize] = false;
        others = rest;
    }
    bytes
}
