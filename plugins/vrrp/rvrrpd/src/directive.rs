//! Values of directives that are more than numbers and texts. Each says what it takes when it is given something else.

use std::fmt;
use std::net::Ipv4Addr;
use std::num::NonZeroU8;

use charon_types::Secret;
use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use zeroize::Zeroizing;

/// What takes the place of a secret wherever one would be shown.
const HIDDEN: &str = "********";

/// A text that is never shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden(pub Secret);

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        // An error of a text's own would repeat it; these say its type only.
        impl Visitor<'_> for Text {
            type Value = Hidden;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Hidden, E> {
                Ok(Hidden(Secret::copy_from(text.as_bytes())))
            }

            fn visit_string<E: Error>(self, text: String) -> Result<Hidden, E> {
                Ok(Hidden(Secret::copy_from(Zeroizing::new(text).as_bytes())))
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<Hidden, E> {
                Err(E::invalid_type(Unexpected::Other("a number"), &self))
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<Hidden, E> {
                Err(E::invalid_type(Unexpected::Other("a number"), &self))
            }
        }
        deserializer.deserialize_string(Text)
    }
}

impl Serialize for Hidden {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(HIDDEN)
    }
}

/// `vrouter.auth_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthType {
    /// `rfc2338-simple`
    Simple,
    /// `p0-t8-sha256`
    P0,
    /// `p1-b8-shake256`; rVRRPd's manual spells it `p1-t8-shake256`.
    P1,
}

impl AuthType {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Simple => 1,
            Self::P0 => 250,
            Self::P1 => 251,
        }
    }

    /// The spelling that rVRRPd takes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Simple => "rfc2338-simple",
            Self::P0 => "p0-t8-sha256",
            Self::P1 => "p1-b8-shake256",
        }
    }
}

impl<'de> Deserialize<'de> for AuthType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match &*String::deserialize(deserializer)? {
            "rfc2338-simple" => Ok(Self::Simple),
            "p0-t8-sha256" => Ok(Self::P0),
            "p1-b8-shake256" | "p1-t8-shake256" => Ok(Self::P1),
            other => Err(D::Error::custom(format_args!(
                "unknown authentication '{other}', must be rfc2338-simple, p0-t8-sha256 or p1-b8-shake256"
            ))),
        }
    }
}

impl Serialize for AuthType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// `vrouter.group`: 1 to 255.
pub(crate) fn group<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NonZeroU8, D::Error> {
    let number = i64::deserialize(deserializer)?;
    let octet = u8::try_from(number).ok().and_then(NonZeroU8::new);
    octet.ok_or_else(|| D::Error::custom(format_args!("{number} is no group, must be 1 to 255")))
}

/// `vrouter.priority`: 1 to 254. 255 is the owner's, which rVRRPd finds out by itself.
pub(crate) fn priority<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u8>, D::Error> {
    let Some(number) = Option::<i64>::deserialize(deserializer)? else { return Ok(None) };
    match u8::try_from(number) {
        Ok(octet @ 1..=254) => Ok(Some(octet)),
        _ => Err(D::Error::custom(format_args!("{number} is no priority, must be 1 to 254"))),
    }
}

/// `vrouter.timers.advert`: 1 to 255 seconds.
pub(crate) fn advert<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<NonZeroU8>, D::Error> {
    let Some(number) = Option::<i64>::deserialize(deserializer)? else { return Ok(None) };
    let octet = u8::try_from(number).ok().and_then(NonZeroU8::new);
    octet
        .map(Some)
        .ok_or_else(|| D::Error::custom(format_args!("{number} is no interval, must be 1 to 255 seconds")))
}

/// `debug`: any number is a threshold.
pub(crate) fn debug<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u8>, D::Error> {
    let Some(number) = Option::<i64>::deserialize(deserializer)? else { return Ok(None) };
    let level = u8::try_from(number);
    level.map(Some).map_err(|_| D::Error::custom(format_args!("{number} is no level, must be 0 to 255")))
}

/// `metric`, `mtu`.
pub(crate) fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u16>, D::Error> {
    let Some(number) = Option::<i64>::deserialize(deserializer)? else { return Ok(None) };
    let word = u16::try_from(number);
    word.map(Some).map_err(|_| D::Error::custom(format_args!("{number} is out of range, must be 0 to 65535")))
}

/// An address.
pub(crate) fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Ipv4Addr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| D::Error::custom(format_args!("'{text}' is no IPv4 address")))
}

/// The mask of a network, whose ones are all on the left.
pub(crate) fn mask<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Ipv4Addr, D::Error> {
    let mask = address(deserializer)?;
    let bits = u32::from(mask);
    if bits.leading_ones() + bits.trailing_zeros() == u32::BITS || bits == 0 {
        return Ok(mask);
    }
    Err(D::Error::custom(format_args!("{mask} is no mask, its ones must all be on the left")))
}

/// The name of an interface.
pub(crate) fn interface<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    check_interface::<D::Error>(&name)?;
    Ok(name)
}

/// The name of an interface, or nothing.
pub(crate) fn interface_if_set<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    let name = Option::<String>::deserialize(deserializer)?;
    name.as_deref().map_or(Ok(()), check_interface::<D::Error>)?;
    Ok(name)
}

fn check_interface<E: Error>(name: &str) -> Result<(), E> {
    let good = (1..=15).contains(&name.len())
        && name != "."
        && name != ".."
        && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/' && byte != b':');
    if good {
        Ok(())
    } else {
        Err(E::custom("an interface has a name of 1 to 15 characters without / and :"))
    }
}
