//! From messages.

use super::{Error, Fault};
use crate::decode::{Element, Elements};
use crate::message::Message;
use crate::name::Name;
use crate::section::Section;
use serde_core::de::value::BorrowedStrDeserializer;
use serde_core::de::{
    self, Deserialize, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use serde_core::forward_to_deserialize_any;

/// Reads a value from a message.
///
/// # Errors
/// If the message does not have what the type needs.
pub fn from_message<'m, T: Deserialize<'m>>(message: &'m Message) -> Result<T, Error> {
    from_section(message.root())
}

/// Reads a value from a section.
///
/// # Errors
/// If the section does not have what the type needs.
pub fn from_section<'m, T: Deserialize<'m>>(section: Section<'m>) -> Result<T, Error> {
    from_source(Source::new(section.as_bytes()))
}

/// Reads a value from the bytes of a message, in one pass.
///
/// # Errors
/// If they are no message, or it does not have what the type needs.
pub fn from_slice<'m, T: Deserialize<'m>>(bytes: &'m [u8]) -> Result<T, Error> {
    from_source(Source::new(bytes))
}

fn from_source<'m, T: Deserialize<'m>>(mut source: Source<'m>) -> Result<T, Error> {
    let value = T::deserialize(Node { what: What::Section, source: &mut source })?;
    // What the type left unread may be malformed, too.
    source.elements.try_for_each(|element| element.map(drop))?;
    Ok(value)
}

/// A message while it is read.
struct Source<'m> {
    elements: Elements<'m>,
    bytes: &'m [u8],
    /// All of it, if all of it is UTF-8, as most messages are: one look costs much less than one at each value.
    text: Option<&'m str>,
}

impl<'m> Source<'m> {
    fn new(bytes: &'m [u8]) -> Self {
        Self { elements: Elements::new(bytes), bytes, text: std::str::from_utf8(bytes).ok() }
    }

    /// A part of the message as text.
    #[inline]
    fn text(&self, part: &'m [u8]) -> Result<&'m str, Error> {
        if let Some(text) = self.text {
            let start = part.as_ptr().addr().wrapping_sub(self.bytes.as_ptr().addr());
            // A part may begin or end within a character.
            if let Some(text) = text.get(start..start.wrapping_add(part.len())) {
                return Ok(text);
            }
        }
        std::str::from_utf8(part).map_err(|_| Fault::NotText.into())
    }
}

/// What stands next: a value, or the inside of what was just opened.
struct Node<'e, 'm> {
    what: What<'m>,
    source: &'e mut Source<'m>,
}

enum What<'m> {
    Data(&'m [u8]),
    List,
    Section,
}

impl<'m> Node<'_, 'm> {
    #[inline]
    fn text(&self) -> Result<&'m str, Error> {
        match self.what {
            What::Data(data) => self.source.text(data),
            What::List => Err(de::Error::invalid_type(de::Unexpected::Seq, &"a value")),
            What::Section => Err(de::Error::invalid_type(de::Unexpected::Map, &"a value")),
        }
    }

    #[inline]
    fn number<T: std::str::FromStr>(&self, wanted: &'static str) -> Result<T, Error> {
        let text = self.text()?;
        text.parse().map_err(|_| Fault::Mistyped { value: text.into(), wanted }.into())
    }
}

/// Digits alone, as nearly all numbers of a message are; `None` for anything else, which is not to say that it is no number.
#[inline]
fn digits(data: &[u8]) -> Option<u64> {
    if data.is_empty() || data.len() > DIGITS_MAX {
        return None;
    }
    data.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| number * 10 + u64::from(digit))
    })
}

/// So many digits are a number of 64 bits, whatever they are.
const DIGITS_MAX: usize = 19;

macro_rules! integers {
    ($($method:ident $visit:ident $type:ty;)*) => {$(
        #[inline]
        fn $method<V: Visitor<'m>>(self, visitor: V) -> Result<V::Value, Error> {
            if let What::Data(data) = self.what
                && let Some(number) = digits(data).and_then(|number| <$type>::try_from(number).ok())
            {
                return visitor.$visit(number);
            }
            visitor.$visit(self.number::<$type>(stringify!($type))?)
        }
    )*};
}

impl<'m> Deserializer<'m> for Node<'_, 'm> {
    type Error = Error;

    #[inline]
    fn deserialize_any<V: Visitor<'m>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.what {
            What::Data(data) => match self.source.text(data) {
                Ok(text) => visitor.visit_borrowed_str(text),
                Err(_) => visitor.visit_borrowed_bytes(data),
            },
            What::List => {
                let mut items = Items { source: self.source, over: false };
                let value = visitor.visit_seq(&mut items)?;
                items.finish()?;
                Ok(value)
            }
            What::Section => {
                let mut entries = Entries { source: self.source, next: None, over: false };
                let value = visitor.visit_map(&mut entries)?;
                entries.finish()?;
                Ok(value)
            }
        }
    }

    fn deserialize_bool<V: Visitor<'m>>(self, visitor: V) -> Result<V::Value, Error> {
        let text = self.text()?;
        let is = |words: [&str; 4]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
        if is(["yes", "true", "enabled", "1"]) {
            visitor.visit_bool(true)
        } else if is(["no", "false", "disabled", "0"]) {
            visitor.visit_bool(false)
        } else {
            Err(Fault::Mistyped { value: text.into(), wanted: "yes or no" }.into())
        }
    }

    integers! {
        deserialize_i8 visit_i8 i8;
        deserialize_i16 visit_i16 i16;
        deserialize_i32 visit_i32 i32;
        deserialize_i64 visit_i64 i64;
        deserialize_i128 visit_i128 i128;
        deserialize_u8 visit_u8 u8;
        deserialize_u16 visit_u16 u16;
        deserialize_u32 visit_u32 u32;
        deserialize_u64 visit_u64 u64;
        deserialize_u128 visit_u128 u128;
    }

    fn deserialize_f32<V: Visitor<'m>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_f32(self.number("f32")?)
    }

    fn deserialize_f64<V: Visitor<'m>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_f64(self.number("f64")?)
    }

    fn deserialize_bytes<V: Visitor<'m>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.what {
            What::Data(data) => visitor.visit_borrowed_bytes(data),
            What::List | What::Section => self.deserialize_any(visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'m>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_bytes(visitor)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'m>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'m>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'m>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.what {
            What::Data(data) => visitor.visit_enum(BorrowedStrDeserializer::new(self.source.text(data)?)),
            What::Section => {
                let mut entries = Entries { source: self.source, next: None, over: false };
                let value = visitor.visit_enum(&mut entries)?;
                entries.finish()?;
                Ok(value)
            }
            What::List => Err(de::Error::invalid_type(de::Unexpected::Seq, &"a variant")),
        }
    }

    #[inline]
    fn deserialize_identifier<V: Visitor<'m>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.what {
            // Names are ASCII, and those that are not looked for need not be looked at.
            What::Data(name) => visitor.visit_borrowed_bytes(name),
            What::List | What::Section => self.deserialize_any(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'m>>(self, visitor: V) -> Result<V::Value, Error> {
        let depth = match self.what {
            What::Data(_) => return visitor.visit_unit(),
            What::List | What::Section => self.source.elements.open(),
        };
        // What was just opened is counted.
        while self.source.elements.open() >= depth {
            if self.source.elements.next().transpose()?.is_none() {
                break;
            }
        }
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        <V: Visitor<'m>>
        char str string unit unit_struct seq tuple tuple_struct map struct
    }
}

/// The entries of a section, up to its end.
struct Entries<'e, 'm> {
    source: &'e mut Source<'m>,
    next: Option<What<'m>>,
    over: bool,
}

impl<'m> Entries<'_, 'm> {
    #[inline]
    fn next_name(&mut self) -> Result<Option<Name<'m>>, Error> {
        if self.over {
            return Ok(None);
        }
        let (name, what) = match self.source.elements.next().transpose()? {
            Some(Element::KeyValue(name, value)) => (name, What::Data(value)),
            Some(Element::ListStart(name)) => (name, What::List),
            Some(Element::SectionStart(name)) => (name, What::Section),
            // Items do not stand here; the iterator has seen to that.
            Some(Element::SectionEnd | Element::ListItem(_) | Element::ListEnd) | None => {
                self.over = true;
                return Ok(None);
            }
        };
        self.next = Some(what);
        Ok(Some(name))
    }

    #[inline]
    fn node(&mut self) -> Result<Node<'_, 'm>, Error> {
        let what = self.next.take().ok_or(Fault::Formless("a value without a name"))?;
        Ok(Node { what, source: self.source })
    }

    /// Reads over what the visitor left.
    fn finish(&mut self) -> Result<(), Error> {
        loop {
            if self.next.is_some() {
                de::IgnoredAny::deserialize(self.node()?)?;
            }
            if self.next_name()?.is_none() {
                return Ok(());
            }
        }
    }
}

impl<'m> MapAccess<'m> for &mut Entries<'_, 'm> {
    type Error = Error;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'m>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some(name) = self.next_name()? else { return Ok(None) };
        // Names may be numbers, as values are.
        seed.deserialize(Node { what: What::Data(name.as_bytes()), source: self.source }).map(Some)
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'m>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(self.node()?)
    }
}

/// A variant with content is a section whose one entry is named like it.
impl<'m> EnumAccess<'m> for &mut Entries<'_, 'm> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'m>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let name = self.next_name()?.ok_or(Fault::Formless("a variant without a name"))?;
        Ok((seed.deserialize(IntoDeserializer::<Error>::into_deserializer(name.as_str()))?, self))
    }
}

impl<'m> VariantAccess<'m> for &mut Entries<'_, 'm> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        de::IgnoredAny::deserialize(self.node()?).map(drop)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'m>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self.node()?)
    }

    fn tuple_variant<V: Visitor<'m>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.node()?.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'m>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.node()?.deserialize_any(visitor)
    }
}

/// The items of a list, up to its end.
struct Items<'e, 'm> {
    source: &'e mut Source<'m>,
    over: bool,
}

impl<'m> Items<'_, 'm> {
    #[inline]
    fn next_item(&mut self) -> Result<Option<&'m [u8]>, Error> {
        if self.over {
            return Ok(None);
        }
        match self.source.elements.next().transpose()? {
            Some(Element::ListItem(item)) => Ok(Some(item)),
            _ => {
                self.over = true;
                Ok(None)
            }
        }
    }

    fn finish(&mut self) -> Result<(), Error> {
        while self.next_item()?.is_some() {}
        Ok(())
    }
}

impl<'m> SeqAccess<'m> for &mut Items<'_, 'm> {
    type Error = Error;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'m>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some(item) = self.next_item()? else { return Ok(None) };
        seed.deserialize(Node { what: What::Data(item), source: self.source }).map(Some)
    }
}
