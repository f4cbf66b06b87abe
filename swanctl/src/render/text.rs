//! Values of a message as text.

use std::fmt;

use vici::Section;

/// A value as text; what is missing shows as `(null)`, which scripts have come to know.
pub(crate) fn shown<'a>(section: Section<'a>, name: &str) -> &'a str {
    section.text(name).unwrap_or("(null)")
}

/// The items of a list separated by blanks; `None` if there are none.
pub(crate) fn joined(section: Section<'_>, name: &str) -> Option<String> {
    let items = section.list(name).filter(|items| !items.is_empty())?;
    Some(items.iter().map(String::from_utf8_lossy).collect::<Vec<_>>().join(" "))
}

/// Something between a prefix and a suffix, or nothing.
pub(crate) struct Optional<'a>(pub(crate) &'a str, pub(crate) Option<&'a str>, pub(crate) &'a str);

impl fmt::Display for Optional<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(text) => write!(f, "{}{text}{}", self.0, self.2),
            None => Ok(()),
        }
    }
}
