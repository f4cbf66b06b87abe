//! The IKE header (RFC 7296 §3.1).
//!
//! ```text
//! SPIi 8 | SPIr 8 | next payload 1 | version 1 | exchange 1 | flags 1 | message id 4 | length 4
//! ```

use std::fmt;

use charon_types::id::{IkeSpi, MessageId, Role};
use nom::number::complete::{be_u8, be_u32};
use nom::{IResult, Parser, bytes::complete::take};

use super::ParseError;
use super::payload::PayloadType;

/// Octets of the header.
pub const HEADER_LEN: usize = 28;
const MAJOR_VERSION: u8 = 2;
const FLAG_INITIATOR: u8 = 0x08;
const FLAG_RESPONSE: u8 = 0x20;

/// Exchange type (RFC 7296 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ExchangeType(pub u8);

impl ExchangeType {
    /// 34
    pub const IKE_SA_INIT: Self = Self(34);
    /// 35
    pub const IKE_AUTH: Self = Self(35);
    /// 36
    pub const CREATE_CHILD_SA: Self = Self(36);
    /// 37
    pub const INFORMATIONAL: Self = Self(37);
    /// 43, RFC 9242
    pub const IKE_INTERMEDIATE: Self = Self(43);
}

impl fmt::Display for ExchangeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::IKE_SA_INIT => f.write_str("IKE_SA_INIT"),
            Self::IKE_AUTH => f.write_str("IKE_AUTH"),
            Self::CREATE_CHILD_SA => f.write_str("CREATE_CHILD_SA"),
            Self::INFORMATIONAL => f.write_str("INFORMATIONAL"),
            Self::IKE_INTERMEDIATE => f.write_str("IKE_INTERMEDIATE"),
            Self(number) => write!(f, "({number})"),
        }
    }
}

/// Request or response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// R flag clear.
    Request,
    /// R flag set.
    Response,
}

/// The header. The minor version is ignored and sent as zero, the V flag is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Chosen by the initiator.
    pub spi_initiator: IkeSpi,
    /// Chosen by the responder; `None` in the first request.
    pub spi_responder: Option<IkeSpi>,
    /// First payload.
    pub next_payload: PayloadType,
    /// Exchange.
    pub exchange: ExchangeType,
    /// Role of the sender in this IKE_SA (I flag).
    pub sender: Role,
    /// Request or response.
    pub kind: MessageKind,
    /// Message id.
    pub message_id: MessageId,
}

impl Header {
    /// Reads the header and checks that the datagram is as long as it says. Trailing octets are an error, too.
    ///
    /// # Errors
    /// [`ParseError::Header`], [`ParseError::MajorVersion`]
    pub fn parse(datagram: &[u8]) -> Result<Self, ParseError> {
        let (_, (header, version, len)) = fields(datagram).map_err(|_| ParseError::Header)?;
        if version >> 4 != MAJOR_VERSION {
            return Err(ParseError::MajorVersion(version >> 4));
        }
        let header = header.ok_or(ParseError::Header)?;
        if usize::try_from(len) != Ok(datagram.len()) {
            return Err(ParseError::Header);
        }
        Ok(header)
    }

    /// Appends the header of a message of `len` octets in all.
    pub fn emit(&self, len: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.spi_initiator.to_be_bytes());
        out.extend_from_slice(&self.spi_responder.map_or([0; 8], IkeSpi::to_be_bytes));
        let sender = if self.sender == Role::Initiator { FLAG_INITIATOR } else { 0 };
        let kind = if self.kind == MessageKind::Response { FLAG_RESPONSE } else { 0 };
        out.extend_from_slice(&[self.next_payload.0, MAJOR_VERSION << 4, self.exchange.0, sender | kind]);
        out.extend_from_slice(&self.message_id.0.to_be_bytes());
        out.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes());
    }
}

type Fields = (Option<Header>, u8, u32);

fn fields(input: &[u8]) -> IResult<&[u8], Fields> {
    let (input, (spi_i, spi_r)) = (take(8_usize), take(8_usize)).parse(input)?;
    let (input, (next, version, exchange, flags)) = (be_u8, be_u8, be_u8, be_u8).parse(input)?;
    let (input, (message_id, len)) = (be_u32, be_u32).parse(input)?;
    let spi = |octets: &[u8]| octets.try_into().ok().and_then(IkeSpi::from_be_bytes);
    let header = spi(spi_i).map(|spi_initiator| Header {
        spi_initiator,
        spi_responder: spi(spi_r),
        next_payload: PayloadType(next),
        exchange: ExchangeType(exchange),
        sender: if flags & FLAG_INITIATOR == 0 { Role::Responder } else { Role::Initiator },
        kind: if flags & FLAG_RESPONSE == 0 { MessageKind::Request } else { MessageKind::Response },
        message_id: MessageId(message_id),
    });
    Ok((input, (header, version, len)))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use super::*;

    fn header() -> Header {
        Header {
            spi_initiator: IkeSpi(NonZeroU64::new(0x0102_0304_0506_0708).unwrap()),
            spi_responder: None,
            next_payload: PayloadType::SA,
            exchange: ExchangeType::IKE_SA_INIT,
            sender: Role::Initiator,
            kind: MessageKind::Request,
            message_id: MessageId(0),
        }
    }

    #[test]
    fn a_header_survives_the_round_trip() {
        let mut octets = Vec::new();
        header().emit(HEADER_LEN, &mut octets);
        assert_eq!(Header::parse(&octets), Ok(header()));
    }

    #[test]
    fn a_length_that_is_not_the_datagrams_is_refused() {
        let mut octets = Vec::new();
        header().emit(HEADER_LEN + 1, &mut octets);
        assert_eq!(Header::parse(&octets), Err(ParseError::Header));
        octets.truncate(20);
        assert_eq!(Header::parse(&octets), Err(ParseError::Header));
    }

    #[test]
    fn another_major_version_is_named() {
        let mut octets = Vec::new();
        header().emit(HEADER_LEN, &mut octets);
        octets[17] = 0x30;
        assert_eq!(Header::parse(&octets), Err(ParseError::MajorVersion(3)));
    }
}
