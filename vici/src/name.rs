//! Names of sections, keys, lists, commands and events as they stand in a buffer.
//!
//! A name is up to 255 bytes of printable ASCII (0x20-0x7e). Whoever holds a [`Name`] need not check that again.

use std::fmt;

/// A borrowed name: printable ASCII, at most 255 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name<'a>(&'a [u8]);

impl<'a> Name<'a> {
    /// The name of no bytes, which is legal.
    pub const EMPTY: Name<'static> = Name(b"");

    /// Takes `bytes` as a name; `None` if a byte is not printable ASCII.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        is_printable(bytes).then_some(Self(bytes))
    }

    /// Takes `name`, with which `input` begins, as a name. What follows it makes the look at short names one of a whole word.
    #[inline(always)]
    pub(crate) fn at_start(input: &'a [u8], name: &'a [u8]) -> Option<Self> {
        let printable = match (name.len(), input.first_chunk::<8>()) {
            (0, _) => true,
            (len @ 1..=8, Some(word)) => {
                let mask = u64::MAX >> (64 - 8 * len);
                unprintable(u64::from_le_bytes(*word) & mask | SPACES & !mask) == 0
            }
            (9..=16, Some(word)) => match name.last_chunk::<8>() {
                Some(last) => {
                    unprintable(u64::from_le_bytes(*word)) | unprintable(u64::from_le_bytes(*last)) == 0
                }
                None => is_printable(name),
            },
            _ => is_printable(name),
        };
        printable.then_some(Self(name))
    }

    /// The name's bytes.
    #[inline]
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The name as text.
    #[inline]
    pub fn as_str(self) -> &'a str {
        std::str::from_utf8(self.0).expect("printable ASCII is UTF-8")
    }
}

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl PartialEq<str> for Name<'_> {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for Name<'_> {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

/// Whether every byte is in 0x20..=0x7e, eight bytes at a time: decoding spends most of its time here.
#[inline]
pub(crate) fn is_printable(bytes: &[u8]) -> bool {
    let mut chunks = bytes.chunks_exact(8);
    let mut bad = 0;
    for chunk in &mut chunks {
        bad |= unprintable(u64::from_le_bytes(chunk.try_into().expect("chunks of eight")));
    }
    let rest = chunks.remainder();
    if rest.is_empty() {
        return bad == 0;
    }
    if let Some(last) = bytes.last_chunk::<8>() {
        // Overlaps what was looked at already, which is cheaper than going byte by byte.
        bad |= unprintable(u64::from_le_bytes(*last));
    } else {
        for &byte in rest {
            bad |= u64::from(byte.wrapping_sub(0x20) > 0x5e);
        }
    }
    bad == 0
}

/// Eight printable bytes.
const SPACES: u64 = 0x2020_2020_2020_2020;

/// Non-zero if one of the eight bytes is below 0x20 or above 0x7e.
#[inline]
fn unprintable(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x80 * ONES;
    let below_space = word.wrapping_sub(0x20 * ONES) & !word;
    let delete = (word ^ (0x7f * ONES)).wrapping_sub(ONES) & !(word ^ (0x7f * ONES));
    (word | below_space | delete) & TOPS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_printable_ascii_bytes_are_accepted_at_every_length_and_position() {
        for len in 1..20 {
            for position in 0..len {
                for byte in 0..=u8::MAX {
                    let mut bytes = vec![b'~'; len];
                    bytes[position] = byte;
                    let expected = (0x20..=0x7e).contains(&byte);
                    assert_eq!(is_printable(&bytes), expected, "{byte:#x} at {position} of {len}");
                    for after in [0, 3, 20] {
                        let mut input = bytes.clone();
                        input.resize(len + after, 0xff);
                        let name = Name::at_start(&input, &input[..len]);
                        assert_eq!(name.is_some(), expected, "{byte:#x} at {position} of {len}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_empty_name_is_a_name() {
        assert_eq!(Name::new(b"").map(Name::as_str), Some(""));
    }
}
