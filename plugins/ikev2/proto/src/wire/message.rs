//! A message: its header and its payloads.

use charon_types::proposal::Offer;
use charon_types::selector::TrafficSelector;

use super::header::{HEADER_LEN, Header};
use super::payload::{Auth, Config, Id, Ke, Notify, NotifyType, Payload, PayloadType};
use super::{ExchangeType, MessageKind, ParseError};

/// Most payloads in one message.
pub const PAYLOADS_MAX: usize = 256;
/// Room for so many from the start: messages of a handshake have seven to twelve.
const PAYLOADS_USUAL: usize = 12;
/// Octets of a generic payload header (RFC 7296 §3.2).
pub const GENERIC_LEN: usize = 4;
const CRITICAL: u8 = 0x80;

/// A message, all payloads in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its header.
    pub header: Header,
    /// Its payloads, in order.
    pub payloads: Vec<Payload>,
}

impl Message {
    /// Reads a message in clear (IKE_SA_INIT, or an answer without an IKE_SA).
    ///
    /// # Errors
    /// [`ParseError`]
    pub fn parse(datagram: &[u8]) -> Result<Self, ParseError> {
        let header = Header::parse(datagram)?;
        let payloads = parse_chain(header.next_payload, datagram.get(HEADER_LEN..).unwrap_or_default())?;
        Ok(Self { header, payloads })
    }

    /// Writes the message in clear. `header.next_payload` is set as the payloads ask.
    #[must_use]
    pub fn emit(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(512);
        emit_chain(&self.payloads, &mut body);
        let mut header = self.header;
        header.next_payload = first_type(&self.payloads);
        let mut out = Vec::with_capacity(HEADER_LEN + body.len());
        header.emit(HEADER_LEN + body.len(), &mut out);
        out.extend_from_slice(&body);
        out
    }

    /// Whether it is a request of that exchange.
    #[must_use]
    pub fn is_request(&self, exchange: ExchangeType) -> bool {
        self.header.kind == MessageKind::Request && self.header.exchange == exchange
    }

    /// All notifies.
    pub fn notifies(&self) -> impl Iterator<Item = &Notify> {
        self.payloads.iter().filter_map(|payload| match payload {
            Payload::Notify(notify) => Some(notify),
            _ => None,
        })
    }

    /// The first notify of that type.
    #[must_use]
    pub fn notify(&self, kind: NotifyType) -> Option<&Notify> {
        self.notifies().find(|notify| notify.kind == kind)
    }

    /// Whether there is a notify of that type.
    #[must_use]
    pub fn has_notify(&self, kind: NotifyType) -> bool {
        self.notify(kind).is_some()
    }

    /// The first error notify.
    #[must_use]
    pub fn first_error(&self) -> Option<NotifyType> {
        self.notifies().map(|notify| notify.kind).find(|kind| kind.is_error())
    }

    /// The proposals of the SA payload.
    #[must_use]
    pub fn sa(&self) -> Option<&[Offer]> {
        self.find(|payload| match payload {
            Payload::Sa(offers) => Some(offers.as_slice()),
            _ => None,
        })
    }

    /// The KE payload.
    #[must_use]
    pub fn ke(&self) -> Option<&Ke> {
        self.find(|payload| match payload {
            Payload::Ke(ke) => Some(ke),
            _ => None,
        })
    }

    /// The nonce.
    #[must_use]
    pub fn nonce(&self) -> Option<&[u8]> {
        self.find(|payload| match payload {
            Payload::Nonce(nonce) => Some(nonce.as_slice()),
            _ => None,
        })
    }

    /// The IDi payload.
    #[must_use]
    pub fn id_i(&self) -> Option<&Id> {
        self.find(|payload| match payload {
            Payload::IdI(id) => Some(id),
            _ => None,
        })
    }

    /// The IDr payload.
    #[must_use]
    pub fn id_r(&self) -> Option<&Id> {
        self.find(|payload| match payload {
            Payload::IdR(id) => Some(id),
            _ => None,
        })
    }

    /// The AUTH payload.
    #[must_use]
    pub fn auth(&self) -> Option<&Auth> {
        self.find(|payload| match payload {
            Payload::Auth(auth) => Some(auth),
            _ => None,
        })
    }

    /// The configuration payload.
    #[must_use]
    pub fn config(&self) -> Option<&Config> {
        self.find(|payload| match payload {
            Payload::Config(config) => Some(config),
            _ => None,
        })
    }

    /// The TSi payload.
    #[must_use]
    pub fn ts_i(&self) -> Option<&[TrafficSelector]> {
        self.find(|payload| match payload {
            Payload::TsI(selectors) => Some(selectors.as_slice()),
            _ => None,
        })
    }

    /// The TSr payload.
    #[must_use]
    pub fn ts_r(&self) -> Option<&[TrafficSelector]> {
        self.find(|payload| match payload {
            Payload::TsR(selectors) => Some(selectors.as_slice()),
            _ => None,
        })
    }

    fn find<'m, T>(&'m self, pick: impl Fn(&'m Payload) -> Option<T>) -> Option<T> {
        self.payloads.iter().find_map(pick)
    }
}

/// Type of the first payload, NONE for none.
#[must_use]
pub fn first_type(payloads: &[Payload]) -> PayloadType {
    payloads.first().map_or(PayloadType::NONE, Payload::kind)
}

/// Reads a chain of payloads that fills `input`. Unknown payloads are kept unless critical.
///
/// # Errors
/// [`ParseError::Syntax`], [`ParseError::UnsupportedCritical`], [`ParseError::TooManyPayloads`]
pub fn parse_chain(first: PayloadType, mut input: &[u8]) -> Result<Vec<Payload>, ParseError> {
    let mut payloads = Vec::with_capacity(PAYLOADS_USUAL);
    let mut kind = first;
    while kind != PayloadType::NONE {
        if payloads.len() == PAYLOADS_MAX {
            return Err(ParseError::TooManyPayloads);
        }
        let (generic, rest) = Generic::parse(kind, input)?;
        input = rest;
        match Payload::parse(kind, generic.body)? {
            Payload::Unknown { kind, .. } if generic.critical => {
                return Err(ParseError::UnsupportedCritical(kind.0));
            }
            payload => payloads.push(payload),
        }
        kind = generic.next;
    }
    // What follows the last payload was meant to be one.
    if input.is_empty() { Ok(payloads) } else { Err(ParseError::Syntax(PayloadType::NONE.0)) }
}

/// Appends a chain of payloads.
pub fn emit_chain(payloads: &[Payload], out: &mut Vec<u8>) {
    for (at, payload) in payloads.iter().enumerate() {
        let start = out.len();
        out.extend_from_slice(&[first_type(&payloads[at + 1..]).0, 0, 0, 0]);
        payload.emit(out);
        let len = u16::try_from(out.len() - start).unwrap_or(u16::MAX).to_be_bytes();
        out[start + 2..start + 4].copy_from_slice(&len);
    }
}

/// A generic payload header and the body behind it.
pub(super) struct Generic<'a> {
    pub(super) next: PayloadType,
    pub(super) critical: bool,
    pub(super) body: &'a [u8],
}

impl<'a> Generic<'a> {
    pub(super) fn parse(kind: PayloadType, input: &'a [u8]) -> Result<(Self, &'a [u8]), ParseError> {
        let syntax = ParseError::Syntax(kind.0);
        let ([next, flags, high, low], _) = input.split_first_chunk::<GENERIC_LEN>().ok_or(syntax)?;
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let (payload, rest) = input.split_at_checked(len).ok_or(syntax)?;
        let body = payload.get(GENERIC_LEN..).ok_or(syntax)?;
        Ok((Self { next: PayloadType(*next), critical: flags & CRITICAL != 0, body }, rest))
    }
}
