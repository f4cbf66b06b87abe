//! Where in a file something is wrong.

use std::fmt;

/// Why a file was not taken. Nothing of its values is repeated that could be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// The directive, if one was recognised.
    pub directive: Option<String>,
    /// Line, from 1; `None` where something is missing.
    pub line: Option<usize>,
    /// What is wrong, a clause.
    pub reason: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        if let Some(directive) = &self.directive {
            write!(f, "{directive}: ")?;
        }
        f.write_str(&self.reason)
    }
}

impl std::error::Error for FileError {}

impl FileError {
    pub(crate) fn of_toml(text: &str, error: &toml::de::Error) -> Self {
        let reason = error.message().lines().next().unwrap_or_default().to_owned();
        let Some(span) = error.span() else { return Self { directive: None, line: None, reason } };
        // The value, so that the directive stands before it.
        Self::at(text, span.start, '=', reason)
    }

    pub(crate) fn of_json(text: &str, error: &serde_json::Error) -> Self {
        let mut reason = error.to_string();
        if let Some(at) = reason.rfind(" at line ") {
            reason.truncate(at);
        }
        let offset: usize =
            text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
        let mut end = text.get(..offset + error.column()).unwrap_or(text);
        if error.is_data() {
            // A value is complained of after it was read, and whatever closes it.
            end = end.trim_end_matches(|sign: char| sign.is_whitespace() || "}],".contains(sign));
        }
        Self::at(text, end.len(), ':', reason)
    }

    /// At an octet of the text; the directive is the last name before it on its line that `assign` follows.
    fn at(text: &str, offset: usize, assign: char, reason: String) -> Self {
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &text[..offset];
        let line = before.matches('\n').count() + 1;
        let of_line = before.rsplit('\n').next().unwrap_or_default();
        let name = |part: &str| -> Option<String> {
            let part = part.trim_end().trim_end_matches('"');
            let start = part.rfind(|sign: char| !(sign.is_alphanumeric() || sign == '_' || sign == '-'));
            let name = part.get(start.map_or(0, |at| at + 1)..)?;
            (!name.is_empty()).then(|| name.to_owned())
        };
        let directive = of_line.rfind(assign).and_then(|at| name(&of_line[..at]));
        Self { directive, line: Some(line), reason }
    }
}
