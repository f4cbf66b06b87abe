//! The arguments of a command that looks up single keys, with strongSwan's leniency: what cannot be read is absent.

use vici::{Prefix, Section};

use crate::load_conn::value;

/// The message of a request.
pub(crate) struct Request<'a> {
    prefix: Prefix<'a>,
    bytes: &'a [u8],
}

impl<'a> Request<'a> {
    /// Reads as much of the message as is well-formed.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { prefix: Section::parse_prefix(bytes), bytes }
    }

    /// The part of the message that could be read.
    pub(crate) fn root(&self) -> Section<'a> {
        self.prefix.root
    }

    /// The prefix, with what stopped the reading.
    pub(crate) fn prefix(&self) -> Prefix<'a> {
        self.prefix
    }

    /// The whole message; `None` if something in it is malformed.
    pub(crate) fn whole(&self) -> Option<Section<'a>> {
        Section::parse(self.bytes).ok()
    }

    /// Any bytes.
    pub(crate) fn blob(&self, key: &str) -> Option<&'a [u8]> {
        self.root().data(key)
    }

    /// Printable text.
    pub(crate) fn text(&self, key: &str) -> Option<&'a str> {
        value::text(self.blob(key)?)
    }

    /// As [`text`](Self::text), owned.
    pub(crate) fn string(&self, key: &str) -> Option<String> {
        self.text(key).map(str::to_owned)
    }

    /// A number with an optional sign.
    pub(crate) fn integer(&self, key: &str) -> Option<i64> {
        value::integer(self.blob(key)?)
    }

    /// The number of an SA; 0 is none.
    pub(crate) fn id(&self, key: &str) -> Option<u32> {
        self.integer(key).and_then(|id| u32::try_from(id).ok()).filter(|id| *id != 0)
    }

    /// A boolean.
    pub(crate) fn boolean(&self, key: &str) -> Option<bool> {
        value::boolean(self.blob(key)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_counts_and_what_stands_behind_garbage_is_absent() {
        let request = Request::new(b"\x03\x01a\x00\x011\x03\x01a\x00\x012\xff\x03\x01b\x00\x011");
        assert_eq!(request.text("a"), Some("1"));
        assert_eq!(request.integer("b"), None);
        assert!(request.whole().is_none());
    }

    #[test]
    fn values_that_cannot_be_read_are_absent() {
        let message = vici::Message::new()
            .with("text", "a\nb")
            .with("number", "12x")
            .with("negative", "-1")
            .with("octal", "017")
            .with("bool", "perhaps")
            .with("zero", "0");
        let request = Request::new(message.encode().unwrap());
        assert_eq!(request.text("text"), None);
        assert_eq!(request.blob("text"), Some(b"a\nb".as_slice()));
        assert_eq!(request.integer("number"), None);
        assert_eq!(request.integer("negative"), Some(-1));
        assert_eq!(request.integer("octal"), Some(15));
        assert_eq!(request.boolean("bool"), None);
        assert_eq!(request.id("zero"), None);
        assert_eq!(request.id("negative"), None);
    }
}
