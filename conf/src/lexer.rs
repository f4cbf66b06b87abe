//! Cuts the text of one settings file into names, values, references and patterns.
//!
//! What a byte means depends on where it stands (`:` opens a reference list after a name but is an ordinary
//! character of a value), so the parser asks for what it expects instead of taking a stream of tokens.

use zeroize::Zeroizing;

use crate::error::{Found, SyntaxErrorKind};

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

#[derive(Debug)]
pub(crate) struct Lexer<'t> {
    text: &'t [u8],
    at: Position,
}

impl<'t> Lexer<'t> {
    pub(crate) fn new(text: &'t [u8]) -> Self {
        Self { text, at: Position { offset: 0, line: 1, line_start: 0 } }
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
        self.take_while(is_blank);
    }

    pub(crate) fn skip_comment(&mut self) {
        self.take_while(|byte| byte != b'\n');
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
        for _ in b"include" {
            self.advance();
        }
        true
    }

    /// A key or section name; `None` if none starts here.
    pub(crate) fn name(&mut self) -> Result<Option<&'t str>, Fault> {
        let start = self.at;
        self.take_while(is_name_byte);
        self.text_since(start)
    }

    /// A section path of a reference list; `None` if none starts here.
    pub(crate) fn reference(&mut self) -> Result<Option<&'t str>, Fault> {
        let start = self.at;
        self.take_while(|byte| is_name_byte(byte) || byte == b'.');
        self.text_since(start)
    }

    /// The rest of a `key =` line, up to a comment, `}` or the end of the line: `None` if there is nothing.
    pub(crate) fn value(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, Fault> {
        let mut value: Option<Zeroizing<Vec<u8>>> = None;
        loop {
            self.skip_blanks();
            match self.peek() {
                None | Some(b'\n' | b'}') => return Ok(value),
                Some(b'#') => {
                    self.skip_comment();
                    return Ok(value);
                }
                Some(byte) => {
                    let into = match &mut value {
                        Some(before) => {
                            before.push(b' ');
                            before
                        }
                        none => none.insert(Zeroizing::new(Vec::new())),
                    };
                    if byte == b'"' {
                        self.string(into)?;
                    } else {
                        let start = self.at.offset;
                        self.take_while(is_token_byte);
                        into.extend_from_slice(self.text.get(start..self.at.offset).unwrap_or_default());
                    }
                }
            }
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
        let bytes = self.text.get(start.offset..self.at.offset).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(None);
        }
        if bytes.len() > NAME_BYTES_MAX {
            return Err(Fault { at: start, kind: SyntaxErrorKind::NameTooLong });
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(Fault { at: start, kind: SyntaxErrorKind::NameNotText }),
        }
    }

    fn take_while(&mut self, accept: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&accept) {
            self.advance();
        }
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
pub(crate) fn is_name_byte(byte: u8) -> bool {
    !matches!(byte, b'#' | b'{' | b'}' | b':' | b'.' | b',' | b'=' | b'"' | b'\r' | b'\n' | b'\t' | b' ')
}

/// Whether a byte can be part of an unquoted value.
pub(crate) fn is_token_byte(byte: u8) -> bool {
    !matches!(byte, b'#' | b'}' | b'"' | b'\r' | b'\n' | b'\t' | b' ')
}
