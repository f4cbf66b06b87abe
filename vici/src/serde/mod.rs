//! Messages to and from types that implement serde's traits (feature `serde`).
//!
//! | Rust | message |
//! |---|---|
//! | struct, map | section; the outermost one is the message itself |
//! | sequence, tuple | list |
//! | `bool` | `yes`, `no`; read as charon does, which also knows true, enabled, 1 and their opposites |
//! | number | decimal |
//! | string, `char`, unit variant | text |
//! | bytes | bytes |
//! | `Option` | the value, or nothing at all |
//! | newtype | what is inside |
//!
//! Sections keep their order. A struct takes the first of several keys of the same name only if it may ignore the others,
//! which derived ones do not; a map takes them all, in order. Strings and bytes may be borrowed from the message.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use std::collections::BTreeMap;
//!
//! #[derive(Serialize, Deserialize, Debug, PartialEq)]
//! struct Connection<'a> {
//!     version: u8,
//!     #[serde(borrow)]
//!     local_addrs: Vec<&'a str>,
//!     mobike: Option<bool>,
//!     children: BTreeMap<&'a str, BTreeMap<&'a str, &'a str>>,
//! }
//!
//! let connection = Connection {
//!     version: 2,
//!     local_addrs: vec!["192.0.2.1"],
//!     mobike: Some(true),
//!     children: BTreeMap::from([("net", BTreeMap::from([("mode", "tunnel")]))]),
//! };
//! let message = vici::serde::to_message(&connection)?;
//! assert_eq!(message.text("mobike"), Some("yes"));
//! assert_eq!(vici::serde::from_message::<Connection>(&message)?, connection);
//! # Ok::<(), vici::serde::Error>(())
//! ```

mod de;
mod ser;

pub use de::{from_message, from_section, from_slice};
pub use ser::to_message;

use crate::decode::DecodeError;
use crate::encode::EncodeError;
use std::fmt;

/// Why a value is no message, or a message no such value.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Fault>);

impl Error {
    /// What is wrong.
    pub fn fault(&self) -> &Fault {
        &self.0
    }
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Bytes that are no message.
    #[error(transparent)]
    Decode(DecodeError),
    /// A name or value that does not fit.
    #[error(transparent)]
    Encode(EncodeError),
    /// What a type's own implementation says.
    #[error("{0}")]
    Custom(Box<str>),
    /// Something that VICI has no form for.
    #[error("{0} cannot be in a message")]
    Formless(&'static str),
    /// A value that is not text.
    #[error("a value is not UTF-8")]
    NotText,
    /// A value that is not of the type wanted.
    #[error("'{value}' is no {wanted}")]
    Mistyped {
        /// The value.
        value: Box<str>,
        /// What it should be.
        wanted: &'static str,
    },
}

impl From<Fault> for Error {
    #[cold]
    fn from(fault: Fault) -> Self {
        Self(Box::new(fault))
    }
}

impl From<DecodeError> for Error {
    #[cold]
    fn from(error: DecodeError) -> Self {
        Fault::Decode(error).into()
    }
}

impl From<EncodeError> for Error {
    #[cold]
    fn from(error: EncodeError) -> Self {
        Fault::Encode(error).into()
    }
}

impl serde_core::de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Fault::Custom(message.to_string().into()).into()
    }
}

impl serde_core::ser::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Fault::Custom(message.to_string().into()).into()
    }
}

#[cfg(test)]
mod tests;
