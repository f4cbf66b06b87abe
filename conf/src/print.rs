//! Settings back into text that parses to the same settings.

use std::fmt;

use crate::tree::{ROOT, SectionId, Tree};
use crate::{Settings, Value, lexer};

/// The settings as one file, includes merged in. References are printed, not followed. Bytes that are not UTF-8
/// are kept only by [`Settings::to_bytes`]; here they are replaced.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.to_bytes()))
    }
}

impl Settings {
    /// The settings as one file, includes merged in, byte for byte.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        body(&mut out, &self.tree, ROOT, 0);
        out
    }
}

fn body(out: &mut Vec<u8>, tree: &Tree, section: SectionId, depth: usize) {
    for (name, value) in tree.keys(section) {
        indent(out, depth);
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b" =");
        if let Some(value) = value {
            out.push(b' ');
            put_value(out, value);
        }
        out.push(b'\n');
    }
    for child in tree.sections(section) {
        let (name, references) = (tree.name(child), tree.references(child));
        indent(out, depth);
        out.extend_from_slice(name.as_bytes());
        for (at, reference) in references.iter().enumerate() {
            out.extend_from_slice(if at == 0 { b": " } else { b", " });
            out.extend_from_slice(tree.referenced(reference).as_bytes());
        }
        // A blank after a section called include would make it the keyword.
        if name != "include" || !references.is_empty() {
            out.push(b' ');
        }
        out.extend_from_slice(b"{\n");
        body(out, tree, child, depth + 1);
        indent(out, depth);
        out.extend_from_slice(b"}\n");
    }
}

fn indent(out: &mut Vec<u8>, depth: usize) {
    out.extend(std::iter::repeat_n(b' ', depth * 4));
}

fn put_value(out: &mut Vec<u8>, value: Value<'_>) {
    let bytes = value.as_bytes();
    if !bytes.is_empty() && bytes.iter().all(|byte| lexer::is_token_byte(*byte)) {
        out.extend_from_slice(bytes);
        return;
    }
    out.push(b'"');
    for byte in bytes {
        match byte {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *byte]),
            plain => out.push(*plain),
        }
    }
    out.push(b'"');
}
