//! Typed lookups, whose errors name file, line and key.

use std::fmt;
use std::time::Duration;

use crate::parse::is_secret_key;
use crate::scalar::{self, Problem};
use crate::{Location, Value, View};

/// A value that is not of the type its key needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueError {
    location: Location,
    key: String,
    value: Option<String>,
    problem: Problem,
}

impl ValueError {
    /// Where the value was written.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The path of the key from the root.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What is wrong with the value.
    pub fn problem(&self) -> Problem {
        self.problem
    }
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: ", self.location, self.key)?;
        match &self.value {
            Some(value) => write!(f, "'{}' {}", value.escape_default(), self.problem),
            None => write!(f, "the value {}", self.problem),
        }
    }
}

impl std::error::Error for ValueError {}

/// Each lookup takes a key or a path with dots and gives `None` if it is not set.
impl View<'_> {
    /// Text.
    ///
    /// # Errors
    /// If the value is not UTF-8.
    pub fn text(&self, path: &str) -> Result<Option<&str>, ValueError> {
        match self.find(path) {
            None => Ok(None),
            Some((_, value)) => value.as_text().map(Some).ok_or_else(|| self.error(path, Problem::NotText)),
        }
    }

    /// Yes or no.
    ///
    /// # Errors
    /// If the value is neither.
    pub fn bool(&self, path: &str) -> Result<Option<bool>, ValueError> {
        self.typed(path, scalar::parse_bool)
    }

    /// A duration in whole seconds, with an optional unit.
    ///
    /// # Errors
    /// If the value is not a time.
    pub fn time(&self, path: &str) -> Result<Option<Duration>, ValueError> {
        self.typed(path, scalar::parse_time)
    }

    /// A number of bytes, with an optional unit.
    ///
    /// # Errors
    /// If the value is not a size.
    pub fn bytes(&self, path: &str) -> Result<Option<u64>, ValueError> {
        self.typed(path, scalar::parse_bytes)
    }

    /// An integer of any type that fits.
    ///
    /// # Errors
    /// If the value is not an integer or the type cannot hold it.
    pub fn int<T: TryFrom<i128>>(&self, path: &str) -> Result<Option<T>, ValueError> {
        self.typed(path, scalar::parse_int)
    }

    /// A decimal number.
    ///
    /// # Errors
    /// If the value is not a finite number.
    pub fn float(&self, path: &str) -> Result<Option<f64>, ValueError> {
        self.typed(path, scalar::parse_float)
    }

    /// The items of a comma-separated list; an unset key is an empty list.
    ///
    /// # Errors
    /// If the value is not UTF-8.
    pub fn list(&self, path: &str) -> Result<Vec<&str>, ValueError> {
        Ok(self.text(path)?.map(|text| scalar::split_list(text).collect()).unwrap_or_default())
    }

    /// A value in a type of the caller's own.
    ///
    /// # Errors
    /// What `parse` finds wrong.
    pub fn typed<T>(
        &self,
        path: &str,
        parse: impl FnOnce(&str) -> Result<T, Problem>,
    ) -> Result<Option<T>, ValueError> {
        match self.text(path)? {
            None => Ok(None),
            Some(text) => parse(text).map(Some).map_err(|problem| self.error(path, problem)),
        }
    }

    /// The error for a value that is set.
    fn error(&self, path: &str, problem: Problem) -> ValueError {
        // `text` has just found it at this path, and settings do not change.
        let (key, value) = self.find(path).expect("only a value that is set can be wrong");
        let name = path.rsplit('.').next().unwrap_or(path);
        ValueError { location: value.location(), key, value: shown(name, value), problem }
    }
}

/// What of a value may be shown.
fn shown(name: &str, value: Value<'_>) -> Option<String> {
    value.as_text().filter(|_| !is_secret_key(name)).map(str::to_owned)
}
