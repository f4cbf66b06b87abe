//! The message decoder: a buffer as a sequence of borrowed elements, without allocation.
//!
//! It checks everything that can be checked without a tree: element types, lengths, names, and which element may stand
//! where. As in charon, nesting may be as deep as the buffer allows, and data that ends inside an open section or list
//! is accepted as if it had been closed. The walk is by hand rather than by combinators: all reading of messages is built on it.

use crate::name::Name;

/// One element of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element<'a> {
    /// A section begins.
    SectionStart(Name<'a>),
    /// The innermost section ends.
    SectionEnd,
    /// A key with its value.
    KeyValue(Name<'a>, &'a [u8]),
    /// A list begins; only items and the list's end may follow.
    ListStart(Name<'a>),
    /// An item of the list.
    ListItem(&'a [u8]),
    /// The list ends.
    ListEnd,
}

/// Why a message could not be decoded. `at` is the offset in bytes of the element that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The element type is none of 1 to 6.
    #[error("unknown element type {found} at byte {at}")]
    ElementType {
        /// Offset of the element.
        at: usize,
        /// The type found.
        found: u8,
    },
    /// The data ends inside a name or value.
    #[error("element at byte {at} is cut short")]
    Truncated {
        /// Offset of the element.
        at: usize,
    },
    /// A name has a byte outside printable ASCII.
    #[error("name of the element at byte {at} is not printable")]
    NameNotPrintable {
        /// Offset of the element.
        at: usize,
    },
    /// A section ends that never began.
    #[error("section end without a section at byte {at}")]
    SurplusSectionEnd {
        /// Offset of the element.
        at: usize,
    },
    /// Something other than an item or the end stands in a list.
    #[error("element at byte {at} does not belong in a list")]
    NotInList {
        /// Offset of the element.
        at: usize,
    },
    /// A list item or list end stands outside of a list.
    #[error("list element outside a list at byte {at}")]
    OutsideList {
        /// Offset of the element.
        at: usize,
    },
    /// Sections are nested deeper than [`DEPTH_MAX`](crate::DEPTH_MAX).
    #[error("sections nested deeper than {} at byte {at}", crate::DEPTH_MAX)]
    TooDeep {
        /// Offset of the element.
        at: usize,
    },
}

/// The elements of a message, in order. After an error the iterator is exhausted.
#[derive(Debug, Clone)]
pub struct Elements<'a> {
    rest: &'a [u8],
    len: usize,
    /// Open sections.
    depth: usize,
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Section,
    List,
}

impl<'a> Elements<'a> {
    /// Starts at the beginning of a message; `bytes` is all of it.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, len: bytes.len(), depth: 0, place: Place::Section }
    }

    /// Starts behind the beginning of a list.
    pub(crate) fn inside_list(bytes: &'a [u8]) -> Self {
        Self { place: Place::List, ..Self::new(bytes) }
    }

    pub(crate) fn in_list(&self) -> bool {
        self.place == Place::List
    }

    /// How many sections and lists are open after the elements delivered so far.
    #[inline]
    pub fn open(&self) -> usize {
        self.depth + usize::from(self.place == Place::List)
    }

    /// The offset in bytes of the next element.
    #[inline]
    pub fn offset(&self) -> usize {
        self.len - self.rest.len()
    }

    #[inline(always)]
    fn element(&mut self, kind: u8, rest: &'a [u8]) -> Result<Element<'a>, DecodeError> {
        let at = self.offset();
        let (rest, element) = match (kind, self.place) {
            (KEY_VALUE, Place::Section) => {
                let (name, rest) = name(rest, at)?;
                let (value, rest) = value(rest).ok_or(DecodeError::Truncated { at })?;
                (rest, Element::KeyValue(name, value))
            }
            (LIST_ITEM, Place::List) => {
                let (value, rest) = value(rest).ok_or(DecodeError::Truncated { at })?;
                (rest, Element::ListItem(value))
            }
            (SECTION_START, Place::Section) => {
                let (name, rest) = name(rest, at)?;
                self.depth += 1;
                (rest, Element::SectionStart(name))
            }
            (SECTION_END, Place::Section) => {
                self.depth = self.depth.checked_sub(1).ok_or(DecodeError::SurplusSectionEnd { at })?;
                (rest, Element::SectionEnd)
            }
            (LIST_START, Place::Section) => {
                let (name, rest) = name(rest, at)?;
                self.place = Place::List;
                (rest, Element::ListStart(name))
            }
            (LIST_END, Place::List) => {
                self.place = Place::Section;
                (rest, Element::ListEnd)
            }
            (LIST_ITEM | LIST_END, Place::Section) => return Err(DecodeError::OutsideList { at }),
            (SECTION_START..=LIST_START, Place::List) => return Err(DecodeError::NotInList { at }),
            (found, _) => return Err(DecodeError::ElementType { at, found }),
        };
        self.rest = rest;
        Ok(element)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Element<'a>, DecodeError>;

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let (kind, rest) = self.rest.split_first()?;
        let element = self.element(*kind, rest);
        if element.is_err() {
            self.rest = &[];
        }
        Some(element)
    }
}

impl std::iter::FusedIterator for Elements<'_> {}

/// A length of one byte, then so many printable bytes; and what follows.
#[inline(always)]
fn name(input: &[u8], at: usize) -> Result<(Name<'_>, &[u8]), DecodeError> {
    let truncated = DecodeError::Truncated { at };
    let (len, input) = input.split_first().ok_or(truncated)?;
    let (name, rest) = input.split_at_checked(usize::from(*len)).ok_or(truncated)?;
    let name = Name::at_start(input, name).ok_or(DecodeError::NameNotPrintable { at })?;
    Ok((name, rest))
}

/// A length of two bytes, big-endian, then so many bytes; and what follows.
#[inline(always)]
fn value(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, input) = input.split_first_chunk()?;
    input.split_at_checked(usize::from(u16::from_be_bytes(*len)))
}

pub(crate) const SECTION_START: u8 = 1;
pub(crate) const SECTION_END: u8 = 2;
pub(crate) const KEY_VALUE: u8 = 3;
pub(crate) const LIST_START: u8 = 4;
pub(crate) const LIST_ITEM: u8 = 5;
pub(crate) const LIST_END: u8 = 6;

#[cfg(test)]
mod tests {
    use super::*;

    fn error(bytes: &[u8]) -> DecodeError {
        let mut elements = Elements::new(bytes);
        let error = elements.find_map(Result::err).expect("an error");
        assert_eq!(elements.next(), None);
        error
    }

    #[test]
    fn each_element_type_is_decoded_in_its_place() {
        let bytes = b"\x01\x01s\x03\x01k\x00\x02v\xff\x04\x01l\x05\x00\x01i\x06\x02";
        let name = |bytes| Name::new(bytes).unwrap();
        let elements: Result<Vec<_>, _> = Elements::new(bytes).collect();
        assert_eq!(
            elements.unwrap(),
            [
                Element::SectionStart(name(b"s")),
                Element::KeyValue(name(b"k"), b"v\xff"),
                Element::ListStart(name(b"l")),
                Element::ListItem(b"i"),
                Element::ListEnd,
                Element::SectionEnd,
            ]
        );
    }

    #[test]
    fn an_open_section_or_list_at_the_end_is_accepted() {
        assert!(Elements::new(b"\x01\x01s").all(|element| element.is_ok()));
        let mut elements = Elements::new(b"\x01\x01s\x04\x01l\x05\x00\x00");
        assert!(elements.by_ref().all(|element| element.is_ok()));
        assert_eq!(elements.open(), 2);
    }

    #[test]
    fn misplaced_and_unknown_elements_are_errors_with_their_position() {
        assert_eq!(error(b"\x02"), DecodeError::SurplusSectionEnd { at: 0 });
        assert_eq!(error(b"\x01\x00\x02\x02"), DecodeError::SurplusSectionEnd { at: 3 });
        assert_eq!(error(b"\x05\x00\x00"), DecodeError::OutsideList { at: 0 });
        assert_eq!(error(b"\x06"), DecodeError::OutsideList { at: 0 });
        assert_eq!(error(b"\x04\x00\x03\x00\x00\x00"), DecodeError::NotInList { at: 2 });
        assert_eq!(error(b"\x04\x00\x04\x00"), DecodeError::NotInList { at: 2 });
        assert_eq!(error(b"\x00"), DecodeError::ElementType { at: 0, found: 0 });
        assert_eq!(error(b"\x04\x00\x07"), DecodeError::ElementType { at: 2, found: 7 });
    }

    #[test]
    fn lengths_beyond_the_end_and_unprintable_names_are_errors() {
        assert_eq!(error(b"\x03"), DecodeError::Truncated { at: 0 });
        assert_eq!(error(b"\x03\x02k"), DecodeError::Truncated { at: 0 });
        assert_eq!(error(b"\x03\x01k\x00"), DecodeError::Truncated { at: 0 });
        assert_eq!(error(b"\x03\x01k\x00\x02v"), DecodeError::Truncated { at: 0 });
        assert_eq!(error(b"\x03\x01\x1f\x00\x00"), DecodeError::NameNotPrintable { at: 0 });
    }
}
