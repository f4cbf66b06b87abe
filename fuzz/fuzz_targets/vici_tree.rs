//! Any tree as a VICI message: what is built is what is read, on every way there is to read it.
#![no_main]

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use vici::{Encoder, Message, NAME_LEN_MAX, Packet, Section, VALUE_LEN_MAX, Value};

#[derive(Debug, Arbitrary)]
struct Tree(Vec<(String, Node)>);

#[derive(Debug, Arbitrary)]
enum Node {
    Data(Vec<u8>),
    /// A value of this length, longer than what the fuzzer writes.
    Long(u32),
    List(Vec<Vec<u8>>),
    Section(Tree),
}

fuzz_target!(|tree: Tree| {
    let mut built = Message::new();
    build(&mut built, &tree);
    let fits = fits(&tree);
    assert_eq!(built.encode().is_ok(), fits);
    let mut written = Vec::new();
    assert_eq!(write(&mut Encoder::new(&mut written), &tree).is_ok(), fits);
    let Ok(encoded) = built.encode() else { return };
    assert_eq!(encoded, written);
    // Deeper trees are refused by whoever reads them, and by nobody else.
    match Message::decode(encoded) {
        Ok(decoded) => {
            assert!(depth(&tree) <= vici::DEPTH_MAX);
            assert_eq!(decoded, built);
            same(decoded.root(), &tree);
            let packet = Packet::Response { message: encoded }.to_vec().expect("a response has no name");
            assert_eq!(Packet::parse(&packet), Ok(Packet::Response { message: encoded }));
        }
        Err(error) => {
            assert!(matches!(error, vici::DecodeError::TooDeep { .. }));
            assert!(depth(&tree) > vici::DEPTH_MAX);
        }
    }
});

fn value(node: &Node) -> Option<Vec<u8>> {
    match node {
        Node::Data(data) => Some(data.clone()),
        Node::Long(len) => Some(vec![b'x'; usize::try_from(*len % 70_000).expect("70000 is an index")]),
        Node::List(_) | Node::Section(_) => None,
    }
}

fn build(message: &mut Message, tree: &Tree) {
    for (name, node) in &tree.0 {
        match node {
            Node::List(items) => message.push_list(name, items),
            Node::Section(inner) => message.nest(name, |message| build(message, inner)),
            Node::Data(_) | Node::Long(_) => message.push(name, value(node).unwrap_or_default()),
        }
    }
}

fn write(encoder: &mut Encoder<'_, Vec<u8>>, tree: &Tree) -> Result<(), vici::EncodeError> {
    for (name, node) in &tree.0 {
        match node {
            Node::List(items) => {
                encoder.list_start(name.as_bytes())?;
                items.iter().try_for_each(|item| encoder.list_item(item))?;
                encoder.list_end();
            }
            Node::Section(inner) => {
                encoder.section_start(name.as_bytes())?;
                write(encoder, inner)?;
                encoder.section_end();
            }
            Node::Data(_) | Node::Long(_) => {
                encoder.key_value(name.as_bytes(), &value(node).unwrap_or_default())?;
            }
        }
    }
    Ok(())
}

fn fits(tree: &Tree) -> bool {
    tree.0.iter().all(|(name, node)| {
        let content = match node {
            Node::List(items) => items.iter().all(|item| item.len() <= VALUE_LEN_MAX),
            Node::Section(inner) => fits(inner),
            Node::Data(_) | Node::Long(_) => value(node).is_none_or(|value| value.len() <= VALUE_LEN_MAX),
        };
        name.len() <= NAME_LEN_MAX && name.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) && content
    })
}

fn depth(tree: &Tree) -> usize {
    let deeper = |node: &Node| if let Node::Section(inner) = node { 1 + depth(inner) } else { 0 };
    tree.0.iter().map(|(_, node)| deeper(node)).max().unwrap_or(0)
}

fn same(section: Section<'_>, tree: &Tree) {
    assert_eq!(section.iter().count(), tree.0.len());
    for ((name, found), (expected, node)) in section.iter().zip(&tree.0) {
        assert_eq!(name.as_str(), expected);
        match (found, node) {
            (Value::List(list), Node::List(items)) => {
                assert!(list.iter().eq(items.iter().map(Vec::as_slice)))
            }
            (Value::Section(section), Node::Section(inner)) => same(section, inner),
            (Value::Data(data), node) => assert_eq!(Some(data), value(node).as_deref()),
            (found, node) => panic!("{found:?} for {node:?}"),
        }
    }
}
