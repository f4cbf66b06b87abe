//! Packets: what a frame holds. One byte of type, for some types a name, for some a message behind it.

use crate::encode::{EncodeError, name_len};
use crate::name::Name;
use bytes::BufMut;

/// A packet. Messages are kept as bytes: whoever needs one decodes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet<'a> {
    /// Type 0, client to daemon: asks to run a command.
    Request {
        /// The command.
        name: Name<'a>,
        /// Its arguments.
        message: &'a [u8],
    },
    /// Type 1, daemon to client: the answer to a request.
    Response {
        /// The result.
        message: &'a [u8],
    },
    /// Type 2, daemon to client: the requested command does not exist.
    CommandUnknown,
    /// Type 3, client to daemon: asks to be sent an event.
    EventRegister {
        /// The event.
        name: Name<'a>,
    },
    /// Type 4, client to daemon: asks not to be sent an event any more.
    EventUnregister {
        /// The event.
        name: Name<'a>,
    },
    /// Type 5, daemon to client: the (un)registration is done.
    EventConfirm,
    /// Type 6, daemon to client: the (un)registration is refused.
    EventUnknown,
    /// Type 7, daemon to client: an event.
    Event {
        /// The event.
        name: Name<'a>,
        /// Its content.
        message: &'a [u8],
    },
}

/// Why bytes are not a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PacketError {
    /// No byte at all.
    #[error("packet is empty")]
    Empty,
    /// The type is above 7.
    #[error("unknown packet type {0}")]
    Type(u8),
    /// The name is missing or longer than the packet.
    #[error("name of packet type {kind} is cut short")]
    NameTruncated {
        /// The packet's type.
        kind: u8,
    },
    /// The name has a byte outside printable ASCII.
    #[error("name of packet type {kind} is not printable")]
    NameNotPrintable {
        /// The packet's type.
        kind: u8,
    },
}

impl<'a> Packet<'a> {
    /// Parses a packet; `bytes` is all of a frame. What follows the name of an (un)registration, or the type of a
    /// packet that ends there, is ignored.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PacketError> {
        let (&kind, rest) = bytes.split_first().ok_or(PacketError::Empty)?;
        let named = || -> Result<(Name<'a>, &'a [u8]), PacketError> {
            let truncated = PacketError::NameTruncated { kind };
            let (len, rest) = rest.split_first().ok_or(truncated)?;
            let (name, message) = rest.split_at_checked(usize::from(*len)).ok_or(truncated)?;
            Ok((Name::new(name).ok_or(PacketError::NameNotPrintable { kind })?, message))
        };
        Ok(match kind {
            REQUEST => {
                let (name, message) = named()?;
                Self::Request { name, message }
            }
            RESPONSE => Self::Response { message: rest },
            COMMAND_UNKNOWN => Self::CommandUnknown,
            EVENT_REGISTER => Self::EventRegister { name: named()?.0 },
            EVENT_UNREGISTER => Self::EventUnregister { name: named()?.0 },
            EVENT_CONFIRM => Self::EventConfirm,
            EVENT_UNKNOWN => Self::EventUnknown,
            EVENT => {
                let (name, message) = named()?;
                Self::Event { name, message }
            }
            other => return Err(PacketError::Type(other)),
        })
    }

    /// The type as it stands on the wire.
    pub fn kind(&self) -> u8 {
        match self {
            Self::Request { .. } => REQUEST,
            Self::Response { .. } => RESPONSE,
            Self::CommandUnknown => COMMAND_UNKNOWN,
            Self::EventRegister { .. } => EVENT_REGISTER,
            Self::EventUnregister { .. } => EVENT_UNREGISTER,
            Self::EventConfirm => EVENT_CONFIRM,
            Self::EventUnknown => EVENT_UNKNOWN,
            Self::Event { .. } => EVENT,
        }
    }

    /// How many bytes the packet takes.
    pub fn encoded_len(&self) -> usize {
        let (name, message) = self.parts();
        1 + name.map_or(0, |name| 1 + name.as_bytes().len()) + message.len()
    }

    /// Appends the packet to `buffer`. Fails only for a name that is too long; then nothing is written.
    pub fn emit(&self, buffer: &mut impl BufMut) -> Result<(), EncodeError> {
        let (name, message) = self.parts();
        let name_len = name.map(|name| name_len(name.as_bytes())).transpose()?;
        buffer.put_u8(self.kind());
        if let (Some(name), Some(len)) = (name, name_len) {
            buffer.put_u8(len);
            buffer.put_slice(name.as_bytes());
        }
        buffer.put_slice(message);
        Ok(())
    }

    /// The packet as a buffer of its own.
    pub fn to_vec(&self) -> Result<Vec<u8>, EncodeError> {
        let mut buffer = Vec::with_capacity(self.encoded_len());
        self.emit(&mut buffer)?;
        Ok(buffer)
    }

    fn parts(&self) -> (Option<Name<'a>>, &'a [u8]) {
        match *self {
            Self::Request { name, message } | Self::Event { name, message } => (Some(name), message),
            Self::Response { message } => (None, message),
            Self::EventRegister { name } | Self::EventUnregister { name } => (Some(name), &[]),
            Self::CommandUnknown | Self::EventConfirm | Self::EventUnknown => (None, &[]),
        }
    }
}

const REQUEST: u8 = 0;
const RESPONSE: u8 = 1;
const COMMAND_UNKNOWN: u8 = 2;
const EVENT_REGISTER: u8 = 3;
const EVENT_UNREGISTER: u8 = 4;
const EVENT_CONFIRM: u8 = 5;
const EVENT_UNKNOWN: u8 = 6;
const EVENT: u8 = 7;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_survives_a_round_trip() {
        let name = Name::new(b"list-sas").unwrap();
        let message = b"\x03\x01k\x00\x01v".as_slice();
        for packet in [
            Packet::Request { name, message },
            Packet::Response { message },
            Packet::CommandUnknown,
            Packet::EventRegister { name },
            Packet::EventUnregister { name },
            Packet::EventConfirm,
            Packet::EventUnknown,
            Packet::Event { name, message },
        ] {
            let bytes = packet.to_vec().unwrap();
            assert_eq!((bytes[0], bytes.len()), (packet.kind(), packet.encoded_len()));
            assert_eq!(Packet::parse(&bytes), Ok(packet));
        }
    }

    #[test]
    fn packets_without_a_readable_name_are_refused() {
        assert_eq!(Packet::parse(b""), Err(PacketError::Empty));
        assert_eq!(Packet::parse(b"\x08"), Err(PacketError::Type(8)));
        assert_eq!(Packet::parse(b"\x00"), Err(PacketError::NameTruncated { kind: 0 }));
        assert_eq!(Packet::parse(b"\x03\xc8stats"), Err(PacketError::NameTruncated { kind: 3 }));
        assert_eq!(Packet::parse(b"\x04\x02a\x07"), Err(PacketError::NameNotPrintable { kind: 4 }));
    }

    #[test]
    fn bytes_behind_a_registration_are_ignored_and_an_empty_name_is_legal() {
        let name = Name::new(b"log").unwrap();
        assert_eq!(Packet::parse(b"\x03\x03log\xff\xff"), Ok(Packet::EventRegister { name }));
        let request = Packet::parse(b"\x00\x00").unwrap();
        assert_eq!(request, Packet::Request { name: Name::EMPTY, message: b"" });
    }

    #[test]
    fn a_name_too_long_is_not_emitted() {
        let long = [b'n'; 256];
        let packet = Packet::EventRegister { name: Name::new(&long).unwrap() };
        assert_eq!(packet.to_vec(), Err(EncodeError::NameTooLong { len: 256 }));
    }
}
