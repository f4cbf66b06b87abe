//! X.501 distinguished names: DER inside, `C=CH, O=X, CN=Y` outside.

mod attribute;
mod der;

use std::fmt;
use std::str::FromStr;

use crate::hex;

pub(crate) use der::push as push_element;

/// Longest name taken, in octets of DER; real ones have a few hundred.
pub const NAME_DER_MAX: usize = 8192;

/// A distinguished name as DER (a `Name`, that is a SEQUENCE OF RelativeDistinguishedName). Checked on construction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DistinguishedName {
    der: Box<[u8]>,
}

/// Why octets or a text are no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameError {
    /// The octets are not the DER of a name.
    Der,
    /// More than [`NAME_DER_MAX`] octets.
    TooLong,
    /// A part is not `type=value` with a type that we know. Parts count from 1.
    Part {
        /// Which one.
        position: usize,
    },
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Der => f.write_str("octets are not the DER encoding of a distinguished name"),
            Self::TooLong => write!(f, "distinguished name is longer than {NAME_DER_MAX} octets"),
            Self::Part { position } => {
                write!(f, "part {position} of the distinguished name is not a type and a value")
            }
        }
    }
}

impl std::error::Error for NameError {}

impl DistinguishedName {
    /// Takes the DER of a `Name`; structure and lengths are checked down to each value's tag.
    ///
    /// # Errors
    /// If it is none.
    pub fn from_der(octets: &[u8]) -> Result<Self, NameError> {
        if octets.len() > NAME_DER_MAX {
            return Err(NameError::TooLong);
        }
        check(octets).ok_or(NameError::Der)?;
        Ok(Self { der: octets.into() })
    }

    /// The DER octets.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// Whether it has no attribute, as subjects have whose identity is in the alternative names only.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.attributes().next().is_none()
    }

    /// Whether both name the same, whatever the kinds and case of their strings. No wildcards.
    #[must_use]
    pub fn is_equivalent(&self, other: &Self) -> bool {
        self.compare(other, |_| false).is_some()
    }

    /// How many values of `pattern` are the wildcard `*`, if everything else agrees: same types in the same order.
    #[must_use]
    pub fn matches(&self, pattern: &Self) -> Option<usize> {
        self.compare(pattern, |attribute| attribute.is_wildcard())
    }

    /// Whether a value is the wildcard `*`.
    #[must_use]
    pub fn has_wildcard(&self) -> bool {
        self.attributes().any(|attribute| attribute.is_wildcard())
    }

    /// Whether it lies within the subtree of `base`: begins with all of its parts (RFC 5280 §4.2.1.10).
    #[must_use]
    pub fn starts_with(&self, base: &Self) -> bool {
        let mut own = self.attributes();
        let mut last = 0;
        for asked in base.attributes() {
            match own.next() {
                Some(held) if (held.rdn, held.oid) == (asked.rdn, asked.oid) && held.has_value_of(&asked) => {
                    last = held.rdn;
                }
                _ => return false,
            }
        }
        own.next().is_none_or(|next| next.rdn != last)
    }

    /// Values of its `emailAddress` attributes.
    #[must_use]
    pub fn email_addresses(&self) -> Vec<&str> {
        let emails = self.attributes().filter(|attribute| attribute.is_text() && attribute.is_email());
        emails.filter_map(|attribute| std::str::from_utf8(attribute.value).ok()).collect()
    }

    fn compare(&self, other: &Self, is_wildcard: impl Fn(&Attribute<'_>) -> bool) -> Option<usize> {
        let (mut ours, mut theirs) = (self.attributes(), other.attributes());
        let mut wildcards: usize = 0;
        loop {
            match (ours.next(), theirs.next()) {
                (None, None) => return Some(wildcards),
                (Some(own), Some(asked)) if (own.rdn, own.oid) == (asked.rdn, asked.oid) => {
                    if is_wildcard(&asked) {
                        wildcards = wildcards.saturating_add(1);
                    } else if !own.has_value_of(&asked) {
                        return None;
                    }
                }
                _ => return None,
            }
        }
    }

    fn attributes(&self) -> Attributes<'_> {
        let sets = der::Reader(&self.der).expect(der::SEQUENCE).unwrap_or_default();
        Attributes { sets: der::Reader(sets), set: der::Reader(&[]), rdn: 0 }
    }
}

/// `C=CH, O=X, CN=Y`; with a leading `/` the separator is `/`. Values after `#` are hex.
impl FromStr for DistinguishedName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let (separator, text) = text.strip_prefix('/').map_or((',', text), |rest| ('/', rest));
        let text = text.trim_end().strip_suffix(separator).unwrap_or(text);
        let mut sets = Vec::new();
        for (index, part) in text.split(separator).enumerate() {
            let attribute = encode_attribute(part)
                .ok_or_else(|| NameError::Part { position: index.saturating_add(1) })?;
            der::push(&mut sets, der::SET, &attribute);
        }
        let mut octets = Vec::new();
        der::push(&mut octets, der::SEQUENCE, &sets);
        Self::from_der(&octets)
    }
}

/// `C=CH, O=X, CN=Y`, in the order of the encoding. Values are not escaped; control characters show as `?`, values that
/// are no text as hex after `#`.
impl fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, attribute) in self.attributes().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{}=", attribute::OidText(attribute.oid))?;
            attribute.fmt_value(f)?;
        }
        Ok(())
    }
}

/// One type with its value.
struct Attribute<'a> {
    /// Which RelativeDistinguishedName it is in; several attributes may share one.
    rdn: usize,
    oid: &'a [u8],
    tag: u8,
    value: &'a [u8],
}

impl Attribute<'_> {
    fn is_wildcard(&self) -> bool {
        self.is_text() && self.value == b"*"
    }

    /// Strings compare by their octets without regard to ASCII case (RFC 5280 §7.1), all else exactly.
    fn has_value_of(&self, other: &Self) -> bool {
        if self.is_text() && other.is_text() {
            return self.value.eq_ignore_ascii_case(other.value);
        }
        (self.tag, self.value) == (other.tag, other.value)
    }

    fn is_email(&self) -> bool {
        self.oid == attribute::EMAIL
    }

    const fn is_text(&self) -> bool {
        matches!(self.tag, der::UTF8_STRING | der::PRINTABLE_STRING | der::T61_STRING | der::IA5_STRING)
    }

    fn fmt_value(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_text() {
            f.write_str("#")?;
            return self.value.iter().try_for_each(|octet| write!(f, "{octet:02x}"));
        }
        let text = String::from_utf8_lossy(self.value);
        text.chars().try_for_each(|c| write!(f, "{}", if c.is_control() { '?' } else { c }))
    }
}

/// Walks all attributes of a name that was checked; ends early on one that was not.
struct Attributes<'a> {
    sets: der::Reader<'a>,
    set: der::Reader<'a>,
    rdn: usize,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.set.is_empty() {
            self.set = der::Reader(self.sets.expect(der::SET)?);
            self.rdn = self.rdn.saturating_add(1);
        }
        let mut attribute = der::Reader(self.set.expect(der::SEQUENCE)?);
        let oid = attribute.expect(der::OID)?;
        let (tag, value) = attribute.element()?;
        Some(Attribute { rdn: self.rdn, oid, tag, value })
    }
}

fn check(octets: &[u8]) -> Option<()> {
    let mut name = der::Reader(octets);
    let mut sets = der::Reader(name.expect(der::SEQUENCE)?);
    while !sets.is_empty() {
        let mut set = der::Reader(sets.expect(der::SET)?);
        // An RDN has at least one attribute.
        loop {
            let mut attribute = der::Reader(set.expect(der::SEQUENCE)?);
            let oid = attribute.expect(der::OID)?;
            attribute.element()?;
            if oid.is_empty() || !attribute.is_empty() {
                return None;
            }
            if set.is_empty() {
                break;
            }
        }
    }
    name.is_empty().then_some(())
}

/// An AttributeTypeAndValue from `type=value`.
fn encode_attribute(part: &str) -> Option<Vec<u8>> {
    let (kind, value) = part.split_once('=')?;
    let oid = attribute::oid_of(kind.trim())?;
    let value = value.trim();
    let (tag, value) = match value.strip_prefix('#') {
        Some(digits) => {
            let octets = hex::decode(digits)?;
            let tag = match std::str::from_utf8(&octets) {
                Ok(text) => attribute::tag_for(&oid, text),
                Err(_) => der::T61_STRING,
            };
            (tag, octets)
        }
        None => (attribute::tag_for(&oid, value), value.as_bytes().to_vec()),
    };
    let mut content = Vec::new();
    der::push(&mut content, der::OID, &oid);
    der::push(&mut content, tag, &value);
    let mut attribute = Vec::new();
    der::push(&mut attribute, der::SEQUENCE, &content);
    Some(attribute)
}

#[cfg(test)]
mod tests;
