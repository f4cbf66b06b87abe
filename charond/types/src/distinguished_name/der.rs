//! The little DER (X.690) that names need: definite lengths of at most three octets, tags of one octet.

/// Tag of an OBJECT IDENTIFIER.
pub(super) const OID: u8 = 0x06;
/// Tag of a UTF8String.
pub(super) const UTF8_STRING: u8 = 0x0c;
/// Tag of a PrintableString.
pub(super) const PRINTABLE_STRING: u8 = 0x13;
/// Tag of a TeletexString, in practice Latin-1.
pub(super) const T61_STRING: u8 = 0x14;
/// Tag of an IA5String.
pub(super) const IA5_STRING: u8 = 0x16;
/// Tag of a SEQUENCE.
pub(super) const SEQUENCE: u8 = 0x30;
/// Tag of a SET.
pub(super) const SET: u8 = 0x31;

/// Reads elements one after the other.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    /// Whether nothing is left.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next element's tag and content; `None` if it is truncated or not DER.
    pub(super) fn element(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        // A tag number of 31 announces further tag octets, which names do not have.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x83 => {
                let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length = octets.iter().fold(0, |length, octet| (length << 8) | usize::from(*octet));
                let shortest = octets.first().is_some_and(|octet| *octet != 0) && length > 0x7f;
                (shortest.then_some(length)?, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// The next element's content if it has that tag.
    pub(super) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.element().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }
}

/// Appends an element. Contents of 16 MiB and more cannot occur: names are bounded far below.
pub(crate) fn push(out: &mut Vec<u8>, tag: u8, content: &[u8]) {
    out.push(tag);
    let octets = content.len().to_be_bytes();
    let significant = octets.iter().position(|octet| *octet != 0).unwrap_or(octets.len());
    let length = octets.get(significant..).unwrap_or_default();
    match *length {
        [] => out.push(0),
        [short] if short < 0x80 => out.push(short),
        _ => {
            out.push(0x80 | u8::try_from(length.len()).unwrap_or(0x7f));
            out.extend_from_slice(length);
        }
    }
    out.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_element_reads_back(tag in 0u8..0x1f, content in prop::collection::vec(any::<u8>(), 0..400)) {
            let mut der = Vec::new();
            push(&mut der, tag, &content);
            let mut reader = Reader(&der);
            prop_assert_eq!(reader.element(), Some((tag, content.as_slice())));
            prop_assert!(reader.is_empty());
        }
    }

    #[test]
    fn lengths_that_are_not_the_shortest_are_refused() {
        assert_eq!(Reader(&[4, 0x81, 1, 0]).element(), None);
        assert_eq!(Reader(&[4, 0x82, 0, 0x80]).element(), None);
        assert_eq!(Reader(&[4, 0x80, 0, 0]).element(), None);
    }
}
