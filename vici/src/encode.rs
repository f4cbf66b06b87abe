//! The message encoder: elements into any growing buffer.

use crate::decode::{KEY_VALUE, LIST_END, LIST_ITEM, LIST_START, SECTION_END, SECTION_START};
use crate::name::is_printable;
use bytes::BufMut;

/// The longest name, in bytes.
pub const NAME_LEN_MAX: usize = 255;
/// The longest value, in bytes.
pub const VALUE_LEN_MAX: usize = 65_535;

/// Why something cannot be put on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A name is longer than [`NAME_LEN_MAX`].
    #[error("name of {len} bytes exceeds 255 bytes")]
    NameTooLong {
        /// Length of the name in bytes.
        len: usize,
    },
    /// A name has a byte outside printable ASCII.
    #[error("name is not printable")]
    NameNotPrintable,
    /// A value is longer than [`VALUE_LEN_MAX`].
    #[error("value of {len} bytes exceeds 65535 bytes")]
    ValueTooLong {
        /// Length of the value in bytes.
        len: usize,
    },
}

/// Writes the elements of a message into a buffer, one by one.
///
/// Names and lengths are checked; that sections and lists are closed in order is the caller's part
/// ([`Message`](crate::Message) does it by construction).
#[derive(Debug)]
pub struct Encoder<'b, B> {
    buffer: &'b mut B,
}

impl<'b, B: BufMut> Encoder<'b, B> {
    /// Appends to `buffer`.
    #[inline]
    pub fn new(buffer: &'b mut B) -> Self {
        Self { buffer }
    }

    /// Opens a section.
    #[inline]
    pub fn section_start(&mut self, name: &[u8]) -> Result<(), EncodeError> {
        self.head(SECTION_START, name)
    }

    /// Closes the innermost section.
    #[inline]
    pub fn section_end(&mut self) {
        self.buffer.put_u8(SECTION_END);
    }

    /// Writes a key with its value.
    #[inline]
    pub fn key_value(&mut self, name: &[u8], value: &[u8]) -> Result<(), EncodeError> {
        let len = value_len(value)?;
        self.head(KEY_VALUE, name)?;
        self.buffer.put_slice(&len.to_be_bytes());
        self.buffer.put_slice(value);
        Ok(())
    }

    /// Opens a list.
    #[inline]
    pub fn list_start(&mut self, name: &[u8]) -> Result<(), EncodeError> {
        self.head(LIST_START, name)
    }

    /// Writes an item of the open list.
    #[inline]
    pub fn list_item(&mut self, value: &[u8]) -> Result<(), EncodeError> {
        let len = value_len(value)?;
        let [high, low] = len.to_be_bytes();
        self.buffer.put_slice(&[LIST_ITEM, high, low]);
        self.buffer.put_slice(value);
        Ok(())
    }

    /// Closes the list.
    #[inline]
    pub fn list_end(&mut self) {
        self.buffer.put_u8(LIST_END);
    }

    #[inline]
    fn head(&mut self, kind: u8, name: &[u8]) -> Result<(), EncodeError> {
        let len = name_len(name)?;
        self.buffer.put_slice(&[kind, len]);
        self.buffer.put_slice(name);
        Ok(())
    }
}

/// The length byte of a name that may be sent.
#[inline]
pub(crate) fn name_len(name: &[u8]) -> Result<u8, EncodeError> {
    let len = u8::try_from(name.len()).map_err(|_| EncodeError::NameTooLong { len: name.len() })?;
    if is_printable(name) { Ok(len) } else { Err(EncodeError::NameNotPrintable) }
}

#[inline]
fn value_len(value: &[u8]) -> Result<u16, EncodeError> {
    u16::try_from(value.len()).map_err(|_| EncodeError::ValueTooLong { len: value.len() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_laid_out_as_the_protocol_says() {
        let mut buffer = Vec::new();
        let mut encoder = Encoder::new(&mut buffer);
        encoder.section_start(b"s").unwrap();
        encoder.key_value(b"k", b"v").unwrap();
        encoder.list_start(b"l").unwrap();
        encoder.list_item(b"").unwrap();
        encoder.list_end();
        encoder.section_end();
        assert_eq!(buffer, b"\x01\x01s\x03\x01k\x00\x01v\x04\x01l\x05\x00\x00\x06\x02");
    }

    #[test]
    fn what_does_not_fit_is_refused_before_anything_is_written() {
        let mut buffer = Vec::new();
        let mut encoder = Encoder::new(&mut buffer);
        assert_eq!(encoder.section_start(&[b'n'; 256]), Err(EncodeError::NameTooLong { len: 256 }));
        assert_eq!(encoder.key_value(b"k", &[0; 65_536]), Err(EncodeError::ValueTooLong { len: 65_536 }));
        assert_eq!(encoder.list_item(&[0; 65_536]), Err(EncodeError::ValueTooLong { len: 65_536 }));
        assert_eq!(encoder.list_start(b"\n"), Err(EncodeError::NameNotPrintable));
        assert!(buffer.is_empty());
    }
}
