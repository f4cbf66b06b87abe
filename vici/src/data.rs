//! Short byte strings without a heap allocation: nearly all names and values are shorter than 23 bytes.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;

/// An owned value: any bytes, usually short text. Up to 22 bytes are stored in place.
#[derive(Clone)]
pub struct Data(Storage);

#[derive(Clone)]
enum Storage {
    Inline { len: u8, bytes: [u8; INLINE] },
    Heap(Box<[u8]>),
}

const INLINE: usize = 22;

impl Data {
    /// The bytes as text, if they are UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self).ok()
    }

    #[inline]
    fn copied(from: &[u8]) -> Self {
        let mut bytes = [0; INLINE];
        match (u8::try_from(from.len()), bytes.get_mut(..from.len())) {
            (Ok(len), Some(room)) => {
                room.copy_from_slice(from);
                Self(Storage::Inline { len, bytes })
            }
            _ => Self(Storage::Heap(from.into())),
        }
    }
}

impl Deref for Data {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Storage::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Storage::Heap(bytes) => bytes,
        }
    }
}

impl Default for Data {
    fn default() -> Self {
        Self(Storage::Inline { len: 0, bytes: [0; INLINE] })
    }
}

impl AsRef<[u8]> for Data {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl From<&[u8]> for Data {
    #[inline]
    fn from(bytes: &[u8]) -> Self {
        Self::copied(bytes)
    }
}

impl<const N: usize> From<&[u8; N]> for Data {
    fn from(bytes: &[u8; N]) -> Self {
        Self::copied(bytes)
    }
}

impl From<Vec<u8>> for Data {
    fn from(bytes: Vec<u8>) -> Self {
        if bytes.len() <= INLINE { Self::copied(&bytes) } else { Self(Storage::Heap(bytes.into())) }
    }
}

impl From<&str> for Data {
    #[inline]
    fn from(text: &str) -> Self {
        Self::copied(text.as_bytes())
    }
}

impl From<&String> for Data {
    fn from(text: &String) -> Self {
        Self::copied(text.as_bytes())
    }
}

impl From<String> for Data {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Data {}

impl PartialEq<str> for Data {
    fn eq(&self, other: &str) -> bool {
        **self == *other.as_bytes()
    }
}

impl PartialEq<&str> for Data {
    fn eq(&self, other: &&str) -> bool {
        **self == *other.as_bytes()
    }
}

impl Hash for Data {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

/// Text where it is printable, else the number of bytes.
impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_str() {
            Some(text) if !text.contains(|c: char| c.is_control() && c != '\n') => fmt::Debug::fmt(text, f),
            _ => write!(f, "<{} bytes>", self.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_around_the_inline_limit_is_kept() {
        for len in 0..64 {
            let bytes: Vec<u8> = (0..len).collect();
            assert_eq!(*Data::from(bytes.as_slice()), bytes);
            assert_eq!(*Data::from(bytes.clone()), bytes);
        }
    }

    #[test]
    fn a_value_is_as_small_as_a_string() {
        assert_eq!(size_of::<Data>(), size_of::<String>());
    }

    #[test]
    fn debug_shows_text_but_not_binary() {
        assert_eq!(format!("{:?}", Data::from("psk")), "\"psk\"");
        assert_eq!(format!("{:?}", Data::from(b"\x30\x82")), "<2 bytes>");
    }
}
