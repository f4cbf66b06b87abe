//! To messages.

use super::{Error, Fault};
use crate::encode::Encoder;
use crate::message::Message;
use serde_core::ser::{
    Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant,
    SerializeTuple, SerializeTupleStruct, SerializeTupleVariant, Serializer,
};
use std::fmt::Write;

/// Writes a struct or map as a message.
///
/// # Errors
/// If it is neither, holds something that VICI has no form for, or a name or value that does not fit.
pub fn to_message<T: Serialize + ?Sized>(value: &T) -> Result<Message, Error> {
    let mut bytes = Vec::with_capacity(MESSAGE_LEN_GUESS);
    let mut scratch = String::new();
    value.serialize(Node { bytes: &mut bytes, scratch: &mut scratch, place: Place::Root })?;
    Ok(Message::from_encoded(bytes))
}

/// Where a value goes.
#[derive(Clone, Copy)]
enum Place<'n> {
    /// It is the message.
    Root,
    /// It has this name.
    Named(&'n str),
    /// It is an item of a list.
    Item,
}

struct Node<'o, 'n> {
    bytes: &'o mut Vec<u8>,
    /// Room for the digits of numbers and the names of maps.
    scratch: &'o mut String,
    place: Place<'n>,
}

impl<'o> Node<'o, '_> {
    fn value(self, value: &[u8]) -> Result<(), Error> {
        let mut encoder = Encoder::new(self.bytes);
        match self.place {
            Place::Root => Err(Fault::Formless("a value outside of a section").into()),
            Place::Named(name) => Ok(encoder.key_value(name.as_bytes(), value)?),
            Place::Item => Ok(encoder.list_item(value)?),
        }
    }

    fn display(self, value: impl std::fmt::Display) -> Result<(), Error> {
        let Self { bytes, scratch, place } = self;
        scratch.clear();
        write!(scratch, "{value}").map_err(|_| Fault::Formless("such a value"))?;
        Node { bytes, scratch: &mut String::new(), place }.value(scratch.as_bytes())
    }

    fn section(self) -> Result<Section<'o>, Error> {
        let closes = match self.place {
            Place::Root => 0,
            Place::Named(name) => {
                Encoder::new(self.bytes).section_start(name.as_bytes())?;
                1
            }
            Place::Item => return Err(Fault::Formless("a section in a list").into()),
        };
        Ok(Section { bytes: self.bytes, scratch: self.scratch, name: String::new(), closes })
    }

    fn list(self) -> Result<List<'o>, Error> {
        match self.place {
            Place::Root => Err(Fault::Formless("a list outside of a section").into()),
            Place::Named(name) => {
                Encoder::new(self.bytes).list_start(name.as_bytes())?;
                Ok(List { bytes: self.bytes, scratch: self.scratch, closes: 0 })
            }
            Place::Item => Err(Fault::Formless("a list in a list").into()),
        }
    }

    /// Of an enum: a section with one entry that is named like the variant.
    fn variant(self, variant: &'static str) -> Result<Node<'o, 'static>, Error> {
        if let Place::Named(name) = self.place {
            Encoder::new(self.bytes).section_start(name.as_bytes())?;
            return Ok(Node { bytes: self.bytes, scratch: self.scratch, place: Place::Named(variant) });
        }
        Err(Fault::Formless("a variant with content there").into())
    }
}

macro_rules! displayed {
    ($($method:ident $type:ty;)*) => {$(
        fn $method(self, value: $type) -> Result<(), Error> {
            self.display(value)
        }
    )*};
}

impl<'o> Serializer for Node<'o, '_> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = List<'o>;
    type SerializeTuple = List<'o>;
    type SerializeTupleStruct = List<'o>;
    type SerializeTupleVariant = List<'o>;
    type SerializeMap = Section<'o>;
    type SerializeStruct = Section<'o>;
    type SerializeStructVariant = Section<'o>;

    displayed! {
        serialize_i8 i8;
        serialize_i16 i16;
        serialize_i32 i32;
        serialize_i64 i64;
        serialize_i128 i128;
        serialize_u8 u8;
        serialize_u16 u16;
        serialize_u32 u32;
        serialize_u64 u64;
        serialize_u128 u128;
        serialize_f32 f32;
        serialize_f64 f64;
        serialize_char char;
    }

    fn serialize_bool(self, value: bool) -> Result<(), Error> {
        self.value(if value { b"yes" } else { b"no" })
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        self.value(value.as_bytes())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), Error> {
        self.value(value)
    }

    fn serialize_none(self) -> Result<(), Error> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        Err(Fault::Formless("a unit").into())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.section()?.finish();
        Ok(())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.value(variant.as_bytes())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        let Node { bytes, scratch, place } = self.variant(variant)?;
        value.serialize(Node { bytes: &mut *bytes, scratch, place })?;
        Encoder::new(bytes).section_end();
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<List<'o>, Error> {
        self.list()
    }

    fn serialize_tuple(self, _: usize) -> Result<List<'o>, Error> {
        self.list()
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<List<'o>, Error> {
        self.list()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<List<'o>, Error> {
        Ok(List { closes: 1, ..self.variant(variant)?.list()? })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Section<'o>, Error> {
        self.section()
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Section<'o>, Error> {
        self.section()
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Section<'o>, Error> {
        Ok(Section { closes: 2, ..self.variant(variant)?.section()? })
    }

    fn is_human_readable(&self) -> bool {
        true
    }
}

/// An open list.
struct List<'o> {
    bytes: &'o mut Vec<u8>,
    scratch: &'o mut String,
    /// How many sections end with it.
    closes: u8,
}

impl List<'_> {
    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        value.serialize(Node { bytes: self.bytes, scratch: self.scratch, place: Place::Item })
    }

    fn finish(self) -> Result<(), Error> {
        let mut encoder = Encoder::new(self.bytes);
        encoder.list_end();
        (0..self.closes).for_each(|_| encoder.section_end());
        Ok(())
    }
}

macro_rules! lists {
    ($($trait:ident $method:ident;)*) => {$(
        impl $trait for List<'_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.item(value)
            }

            fn end(self) -> Result<(), Error> {
                self.finish()
            }
        }
    )*};
}

lists! {
    SerializeSeq serialize_element;
    SerializeTuple serialize_element;
    SerializeTupleStruct serialize_field;
    SerializeTupleVariant serialize_field;
}

/// An open section.
struct Section<'o> {
    bytes: &'o mut Vec<u8>,
    scratch: &'o mut String,
    /// Of a map: the name of the next entry.
    name: String,
    /// How many sections end with it.
    closes: u8,
}

impl Section<'_> {
    fn entry<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Error> {
        value.serialize(Node { bytes: self.bytes, scratch: self.scratch, place: Place::Named(name) })
    }

    fn finish(self) {
        let mut encoder = Encoder::new(self.bytes);
        (0..self.closes).for_each(|_| encoder.section_end());
    }
}

impl SerializeMap for Section<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        self.name.clear();
        key.serialize(KeyText(&mut self.name))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let name = std::mem::take(&mut self.name);
        self.entry(&name, value)?;
        self.name = name;
        Ok(())
    }

    fn end(self) -> Result<(), Error> {
        self.finish();
        Ok(())
    }
}

impl SerializeStruct for Section<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        self.entry(key, value)
    }

    fn end(self) -> Result<(), Error> {
        self.finish();
        Ok(())
    }
}

impl SerializeStructVariant for Section<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Error> {
        self.entry(key, value)
    }

    fn end(self) -> Result<(), Error> {
        self.finish();
        Ok(())
    }
}

/// The key of a map, as text.
struct KeyText<'t>(&'t mut String);

macro_rules! keys {
    ($($method:ident $type:ty;)*) => {$(
        fn $method(self, value: $type) -> Result<(), Error> {
            write!(self.0, "{value}").map_err(|_| Fault::Formless("such a key").into())
        }
    )*};
}

impl Serializer for KeyText<'_> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Impossible<(), Error>;
    type SerializeTuple = Impossible<(), Error>;
    type SerializeTupleStruct = Impossible<(), Error>;
    type SerializeTupleVariant = Impossible<(), Error>;
    type SerializeMap = Impossible<(), Error>;
    type SerializeStruct = Impossible<(), Error>;
    type SerializeStructVariant = Impossible<(), Error>;

    keys! {
        serialize_i8 i8;
        serialize_i16 i16;
        serialize_i32 i32;
        serialize_i64 i64;
        serialize_u8 u8;
        serialize_u16 u16;
        serialize_u32 u32;
        serialize_u64 u64;
        serialize_char char;
        serialize_str &str;
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_bool(self, _: bool) -> Result<(), Error> {
        Err(no_key())
    }
    fn serialize_f32(self, _: f32) -> Result<(), Error> {
        Err(no_key())
    }
    fn serialize_f64(self, _: f64) -> Result<(), Error> {
        Err(no_key())
    }
    fn serialize_bytes(self, _: &[u8]) -> Result<(), Error> {
        Err(no_key())
    }
    fn serialize_none(self) -> Result<(), Error> {
        Err(no_key())
    }
    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<(), Error> {
        Err(no_key())
    }
    fn serialize_unit(self) -> Result<(), Error> {
        Err(no_key())
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        Err(no_key())
    }
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Error> {
        Err(no_key())
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Error> {
        Err(no_key())
    }
    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Error> {
        Err(no_key())
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, Error> {
        Err(no_key())
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Error> {
        Err(no_key())
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Error> {
        Err(no_key())
    }
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeStruct, Error> {
        Err(no_key())
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Error> {
        Err(no_key())
    }
}

fn no_key() -> Error {
    Fault::Formless("a name that is not text").into()
}

/// Room, in bytes, for a usual message.
const MESSAGE_LEN_GUESS: usize = 512;
