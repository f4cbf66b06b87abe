//! Messages as borrowed trees: one index over the buffer, no copy of names or values.
//!
//! The index is flat, so that trees as deep as their sender likes cost no stack.

use crate::decode::{DecodeError, Element, Elements};
use crate::name::Name;

/// A decoded message that borrows names and values from its buffer.
#[derive(Debug, Clone)]
pub struct Tree<'a> {
    nodes: Vec<Node<'a>>,
    unclosed: bool,
}

/// Sections and lists are followed by the nodes that they contain.
#[derive(Debug, Clone, Copy)]
struct Node<'a> {
    name: Name<'a>,
    content: Content<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Content<'a> {
    Data(&'a [u8]),
    /// With the number of nodes inside, at any depth.
    Section(usize),
    List(usize),
}

impl<'a> Tree<'a> {
    /// Decodes a whole message. An open section or list at the end counts as closed.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        match Self::parse_prefix(bytes) {
            (tree, None) => Ok(tree),
            (_, Some(error)) => Err(error),
        }
    }

    /// Decodes what stands before the first error, and tells the error.
    ///
    /// charon looks keys up this way: those before an error are found, those after it count as absent.
    pub fn parse_prefix(bytes: &'a [u8]) -> (Self, Option<DecodeError>) {
        let mut nodes = Vec::with_capacity(bytes.len() / BYTES_PER_NODE);
        let mut open: Vec<usize> = Vec::new();
        let mut error = None;
        for element in Elements::new(bytes) {
            match element {
                Ok(Element::KeyValue(name, value)) => {
                    nodes.push(Node { name, content: Content::Data(value) })
                }
                Ok(Element::ListItem(item)) => {
                    nodes.push(Node { name: NAMELESS, content: Content::Data(item) })
                }
                Ok(Element::SectionStart(name)) => {
                    open.push(nodes.len());
                    nodes.push(Node { name, content: Content::Section(0) });
                }
                Ok(Element::ListStart(name)) => {
                    open.push(nodes.len());
                    nodes.push(Node { name, content: Content::List(0) });
                }
                Ok(Element::SectionEnd | Element::ListEnd) => {
                    if let Some(start) = open.pop() {
                        close(&mut nodes, start);
                    }
                }
                Err(found) => error = Some(found),
            }
        }
        let unclosed = !open.is_empty();
        for start in open {
            close(&mut nodes, start);
        }
        (Self { nodes, unclosed }, error)
    }

    /// The root section.
    pub fn root(&self) -> SectionRef<'_, 'a> {
        SectionRef { nodes: &self.nodes }
    }

    /// Whether the last entry of the root was still open at the end of the data, or at the error.
    pub fn is_unclosed(&self) -> bool {
        self.unclosed
    }
}

fn close(nodes: &mut [Node<'_>], start: usize) {
    let len = nodes.len();
    if let Some(Node { content: Content::Section(inside) | Content::List(inside), .. }) = nodes.get_mut(start)
    {
        *inside = len - start - 1;
    }
}

/// A section of a [`Tree`].
#[derive(Debug, Clone, Copy)]
pub struct SectionRef<'t, 'a> {
    nodes: &'t [Node<'a>],
}

impl<'t, 'a> SectionRef<'t, 'a> {
    /// The entries in order.
    pub fn iter(self) -> impl Iterator<Item = EntryRef<'t, 'a>> {
        let mut rest = self.nodes;
        std::iter::from_fn(move || {
            let (node, behind) = rest.split_first()?;
            let (value, behind) = match node.content {
                Content::Data(bytes) => (ValueRef::Data(bytes), behind),
                Content::Section(inside) => {
                    let (nodes, behind) = behind.split_at(inside);
                    (ValueRef::Section(Self { nodes }), behind)
                }
                Content::List(inside) => {
                    let (nodes, behind) = behind.split_at(inside);
                    (ValueRef::List(ListRef { nodes }), behind)
                }
            };
            rest = behind;
            Some(EntryRef { name: node.name, value })
        })
    }

    /// The first data of that name.
    pub fn data(self, name: &str) -> Option<&'a [u8]> {
        self.iter().find_map(|entry| match entry.value {
            ValueRef::Data(bytes) if entry.name == name => Some(bytes),
            ValueRef::Data(_) | ValueRef::List(_) | ValueRef::Section(_) => None,
        })
    }

    /// The first list of that name.
    pub fn list(self, name: &str) -> Option<ListRef<'t, 'a>> {
        self.iter().find_map(|entry| match entry.value {
            ValueRef::List(list) if entry.name == name => Some(list),
            ValueRef::Data(_) | ValueRef::List(_) | ValueRef::Section(_) => None,
        })
    }

    /// The first section of that name.
    pub fn section(self, name: &str) -> Option<Self> {
        self.iter().find_map(|entry| match entry.value {
            ValueRef::Section(section) if entry.name == name => Some(section),
            ValueRef::Data(_) | ValueRef::List(_) | ValueRef::Section(_) => None,
        })
    }

    /// Whether there are no entries.
    pub fn is_empty(self) -> bool {
        self.nodes.is_empty()
    }
}

/// An entry of a section: its name and value.
#[derive(Debug, Clone, Copy)]
pub struct EntryRef<'t, 'a> {
    /// The name of the key, list or section.
    pub name: Name<'a>,
    /// What stands under that name.
    pub value: ValueRef<'t, 'a>,
}

/// A value in a [`Tree`].
#[derive(Debug, Clone, Copy)]
pub enum ValueRef<'t, 'a> {
    /// The value of a key: any bytes.
    Data(&'a [u8]),
    /// A list.
    List(ListRef<'t, 'a>),
    /// A section.
    Section(SectionRef<'t, 'a>),
}

/// A list of a [`Tree`].
#[derive(Debug, Clone, Copy)]
pub struct ListRef<'t, 'a> {
    nodes: &'t [Node<'a>],
}

impl<'t, 'a> ListRef<'t, 'a> {
    /// The items in order.
    pub fn iter(self) -> impl Iterator<Item = &'a [u8]> + use<'t, 'a> {
        self.nodes.iter().map(|node| match node.content {
            Content::Data(bytes) => bytes,
            Content::Section(_) | Content::List(_) => unreachable!("only items are indexed inside a list"),
        })
    }

    /// The number of items.
    pub fn len(self) -> usize {
        self.nodes.len()
    }

    /// Whether the list has no items.
    pub fn is_empty(self) -> bool {
        self.nodes.is_empty()
    }
}

/// List items have no name.
const NAMELESS: Name<'static> = Name::EMPTY;
/// A guess for the size of the index, at the low end of what messages have: one reallocation at most is usual, and a
/// message of 512 KiB reserves no more than its own size or two.
const BYTES_PER_NODE: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_entries_are_found_by_name_and_skipped_by_iteration() {
        let bytes =
            b"\x01\x01a\x03\x01k\x00\x01v\x01\x01b\x02\x02\x04\x01l\x05\x00\x01i\x06\x03\x01k\x00\x01w";
        let tree = Tree::parse(bytes).unwrap();
        let names: Vec<_> = tree.root().iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!(names, ["a", "l", "k"]);
        let a = tree.root().section("a").unwrap();
        assert_eq!(a.data("k"), Some(b"v".as_slice()));
        assert!(a.section("b").unwrap().is_empty());
        assert_eq!(tree.root().list("l").unwrap().iter().collect::<Vec<_>>(), [b"i"]);
        assert_eq!(tree.root().data("k"), Some(b"w".as_slice()));
    }

    #[test]
    fn what_stands_before_an_error_is_found() {
        let (tree, error) = Tree::parse_prefix(b"\x03\x04name\x00\x04nope\xff\xff");
        assert_eq!(tree.root().data("name"), Some(b"nope".as_slice()));
        assert_eq!(error, Some(DecodeError::ElementType { at: 12, found: 0xff }));
        assert!(!tree.is_unclosed());
    }

    #[test]
    fn a_section_cut_by_an_error_is_known_to_be_unclosed() {
        let (tree, error) = Tree::parse_prefix(b"\x01\x01x\x03\x01k\x00\x01v\x09");
        assert_eq!(tree.root().section("x").and_then(|x| x.data("k")), Some(b"v".as_slice()));
        assert!(error.is_some());
        assert!(tree.is_unclosed());
    }
}
