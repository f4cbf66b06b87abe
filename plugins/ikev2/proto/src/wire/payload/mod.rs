//! Payloads (RFC 7296 §3.3 to §3.16), a file each.

mod auth;
mod cert;
mod certreq;
mod config;
mod delete;
mod id;
mod ke;
mod nonce;
mod notify;
mod sa;
mod ts;

use std::fmt;

use charon_types::proposal::Offer;
use charon_types::selector::TrafficSelector;
use nom::IResult;

use super::ParseError;

pub use auth::{Auth, AuthMethodId};
pub use cert::{Cert, CertEncoding};
pub use certreq::CertReq;
pub use charon_types::config_attribute::{AttributeKind, ConfigAttribute};
pub use config::{Config, ConfigKind};
pub use delete::Delete;
pub use id::Id;
pub use ke::Ke;
pub use notify::{Notify, NotifyType};

/// Payload type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PayloadType(pub u8);

impl PayloadType {
    /// 0: no next payload.
    pub const NONE: Self = Self(0);
    /// 33
    pub const SA: Self = Self(33);
    /// 34
    pub const KE: Self = Self(34);
    /// 35
    pub const ID_I: Self = Self(35);
    /// 36
    pub const ID_R: Self = Self(36);
    /// 37
    pub const CERT: Self = Self(37);
    /// 38
    pub const CERTREQ: Self = Self(38);
    /// 39
    pub const AUTH: Self = Self(39);
    /// 40
    pub const NONCE: Self = Self(40);
    /// 41
    pub const NOTIFY: Self = Self(41);
    /// 42
    pub const DELETE: Self = Self(42);
    /// 43
    pub const VENDOR: Self = Self(43);
    /// 44
    pub const TS_I: Self = Self(44);
    /// 45
    pub const TS_R: Self = Self(45);
    /// 46
    pub const SK: Self = Self(46);
    /// 47
    pub const CP: Self = Self(47);
    /// 48
    pub const EAP: Self = Self(48);
    /// 53, RFC 7383
    pub const SKF: Self = Self(53);
}

/// A payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Proposals, in order.
    Sa(Vec<Offer>),
    /// Public value.
    Ke(Ke),
    /// Initiator's identity.
    IdI(Id),
    /// Responder's identity.
    IdR(Id),
    /// Certificate.
    Cert(Cert),
    /// Authorities accepted.
    CertReq(CertReq),
    /// Proof of identity.
    Auth(Auth),
    /// 16 to 256 octets.
    Nonce(Vec<u8>),
    /// Error or status.
    Notify(Notify),
    /// SAs that are gone.
    Delete(Delete),
    /// Opaque.
    Vendor(Vec<u8>),
    /// Initiator's side of the traffic.
    TsI(Vec<TrafficSelector>),
    /// Responder's side of the traffic.
    TsR(Vec<TrafficSelector>),
    /// Addresses and other configuration.
    Config(Config),
    /// An EAP packet, opaque here.
    Eap(Vec<u8>),
    /// Not known to us, and not critical.
    Unknown {
        /// Its type.
        kind: PayloadType,
        /// Its body.
        body: Vec<u8>,
    },
}

impl Payload {
    /// A notify with data and without SPI.
    #[must_use]
    pub const fn notify(kind: NotifyType, data: Vec<u8>) -> Self {
        Self::Notify(Notify { protocol: 0, spi: Vec::new(), kind, data })
    }

    /// A notify without data.
    #[must_use]
    pub const fn status(kind: NotifyType) -> Self {
        Self::notify(kind, Vec::new())
    }

    /// Its type.
    #[must_use]
    pub const fn kind(&self) -> PayloadType {
        match self {
            Self::Sa(_) => PayloadType::SA,
            Self::Ke(_) => PayloadType::KE,
            Self::IdI(_) => PayloadType::ID_I,
            Self::IdR(_) => PayloadType::ID_R,
            Self::Cert(_) => PayloadType::CERT,
            Self::CertReq(_) => PayloadType::CERTREQ,
            Self::Auth(_) => PayloadType::AUTH,
            Self::Nonce(_) => PayloadType::NONCE,
            Self::Notify(_) => PayloadType::NOTIFY,
            Self::Delete(_) => PayloadType::DELETE,
            Self::Vendor(_) => PayloadType::VENDOR,
            Self::TsI(_) => PayloadType::TS_I,
            Self::TsR(_) => PayloadType::TS_R,
            Self::Config(_) => PayloadType::CP,
            Self::Eap(_) => PayloadType::EAP,
            Self::Unknown { kind, .. } => *kind,
        }
    }

    /// Reads the body of a payload of type `kind`.
    ///
    /// # Errors
    /// [`ParseError::Syntax`]
    pub fn parse(kind: PayloadType, body: &[u8]) -> Result<Self, ParseError> {
        let payload = match kind {
            PayloadType::SA => sa::parse(body).map(Self::Sa),
            PayloadType::KE => Ke::parse(body).map(Self::Ke),
            PayloadType::ID_I => Id::parse(body).map(Self::IdI),
            PayloadType::ID_R => Id::parse(body).map(Self::IdR),
            PayloadType::CERT => Cert::parse(body).map(Self::Cert),
            PayloadType::CERTREQ => CertReq::parse(body).map(Self::CertReq),
            PayloadType::AUTH => Auth::parse(body).map(Self::Auth),
            PayloadType::NONCE => nonce::parse(body).map(Self::Nonce),
            PayloadType::NOTIFY => Notify::parse(body).map(Self::Notify),
            PayloadType::DELETE => Delete::parse(body).map(Self::Delete),
            PayloadType::VENDOR => Some(Self::Vendor(body.to_vec())),
            PayloadType::TS_I => ts::parse(body).map(Self::TsI),
            PayloadType::TS_R => ts::parse(body).map(Self::TsR),
            PayloadType::CP => Config::parse(body).map(Self::Config),
            PayloadType::EAP => Some(Self::Eap(body.to_vec())),
            // Encryption is taken off before payloads are read; inside it has no place.
            PayloadType::SK | PayloadType::SKF => None,
            kind => Some(Self::Unknown { kind, body: body.to_vec() }),
        };
        payload.ok_or(ParseError::Syntax(kind.0))
    }

    /// Appends the body.
    pub fn emit(&self, out: &mut Vec<u8>) {
        match self {
            Self::Sa(offers) => sa::emit(offers, out),
            Self::Ke(ke) => ke.emit(out),
            Self::IdI(id) | Self::IdR(id) => id.emit(out),
            Self::Cert(cert) => cert.emit(out),
            Self::CertReq(request) => request.emit(out),
            Self::Auth(auth) => auth.emit(out),
            Self::Notify(notify) => notify.emit(out),
            Self::Delete(delete) => delete.emit(out),
            Self::TsI(selectors) | Self::TsR(selectors) => ts::emit(selectors, out),
            Self::Config(config) => config.emit(out),
            Self::Nonce(body) | Self::Vendor(body) | Self::Eap(body) | Self::Unknown { body, .. } => {
                out.extend_from_slice(body);
            }
        }
    }
}

/// Short names, as strongSwan's log shows them.
impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sa(_) => f.write_str("SA"),
            Self::Ke(_) => f.write_str("KE"),
            Self::IdI(_) => f.write_str("IDi"),
            Self::IdR(_) => f.write_str("IDr"),
            Self::Cert(_) => f.write_str("CERT"),
            Self::CertReq(_) => f.write_str("CERTREQ"),
            Self::Auth(_) => f.write_str("AUTH"),
            Self::Nonce(_) => f.write_str("No"),
            Self::Notify(notify) => write!(f, "N({})", notify.kind.short_name()),
            Self::Delete(_) => f.write_str("D"),
            Self::Vendor(_) => f.write_str("V"),
            Self::TsI(_) => f.write_str("TSi"),
            Self::TsR(_) => f.write_str("TSr"),
            Self::Config(config) => write!(f, "{config}"),
            Self::Eap(_) => f.write_str("EAP"),
            Self::Unknown { kind, .. } => write!(f, "({})", kind.0),
        }
    }
}

/// Runs a parser over all of `input`; leftover octets are an error.
fn complete<'a, T>(input: &'a [u8], parser: impl Fn(&'a [u8]) -> IResult<&'a [u8], T>) -> Option<T> {
    match parser(input) {
        Ok(([], value)) => Some(value),
        Ok(_) | Err(_) => None,
    }
}
