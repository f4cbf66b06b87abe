//! IKE messages on the wire (RFC 7296 §3, RFC 7383).
//!
//! Parsing never panics and is bounded by [`message::PAYLOADS_MAX`] and the limits of each payload. A message in clear is read by
//! [`Message::parse`]; an encrypted one is opened by [`protect::open`] first, fragments go through [`fragment::Reassembly`].

pub mod fragment;
pub mod header;
pub mod message;
pub mod payload;
pub mod protect;

use charon_types::id::MessageId;

pub use header::{ExchangeType, HEADER_LEN, Header, MessageKind};
pub use message::Message;
pub use payload::{
    AttributeKind, Auth, AuthMethodId, Cert, CertEncoding, CertReq, Config, ConfigAttribute, ConfigKind,
    Delete, Id, Ke, Notify, NotifyType, Payload, PayloadType,
};

/// Why a message cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Fewer octets than a header, or than its length field says; or a zero initiator SPI.
    #[error("malformed header")]
    Header,
    /// Answered with INVALID_MAJOR_VERSION (RFC 7296 §2.5).
    #[error("major version {0} is not supported")]
    MajorVersion(u8),
    /// Answered with INVALID_SYNTAX where the message is authenticated (RFC 7296 §2.21).
    #[error("malformed payload of type {0}")]
    Syntax(u8),
    /// Answered with UNSUPPORTED_CRITICAL_PAYLOAD.
    #[error("unknown critical payload of type {0}")]
    UnsupportedCritical(u8),
    /// More payloads than anybody needs.
    #[error("too many payloads")]
    TooManyPayloads,
}

/// Shows what a message is, as the log does: `IKE_AUTH request 1`.
pub struct Title(pub ExchangeType, pub MessageKind, pub MessageId);

impl std::fmt::Display for Title {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match self.1 {
            MessageKind::Request => "request",
            MessageKind::Response => "response",
        };
        write!(f, "{} {kind} {}", self.0, self.2)
    }
}
