//! Configuration payload (RFC 7296 §3.15): type 1, reserved 3, attributes of type 2, length 2, value.

use std::fmt;

use nom::Parser;
use nom::bytes::complete::take;
use nom::multi::{length_data, many_m_n};
use nom::number::complete::{be_u8, be_u16};

use charon_types::config_attribute::{AttributeKind, ConfigAttribute};

use super::complete;

/// Most attributes in a payload.
const ATTRIBUTES_MAX: usize = 1024;

/// Kind of configuration payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConfigKind(pub u8);

impl ConfigKind {
    /// 1
    pub const REQUEST: Self = Self(1);
    /// 2
    pub const REPLY: Self = Self(2);
    /// 3
    pub const SET: Self = Self(3);
    /// 4
    pub const ACK: Self = Self(4);
}

/// Configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Request, reply ...
    pub kind: ConfigKind,
    /// Attributes, in order.
    pub attributes: Vec<ConfigAttribute>,
}

impl Config {
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        complete(body, |input| {
            let attribute = (be_u16, length_data(be_u16)).map(|(kind, value): (u16, &[u8])| {
                ConfigAttribute { kind: AttributeKind(kind & 0x7fff), value: value.to_vec() }
            });
            (be_u8, take(3_usize), many_m_n(0, ATTRIBUTES_MAX, attribute))
                .map(|(kind, _, attributes): (u8, &[u8], _)| Self { kind: ConfigKind(kind), attributes })
                .parse(input)
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.kind.0, 0, 0, 0]);
        for attribute in &self.attributes {
            out.extend_from_slice(&attribute.kind.0.to_be_bytes());
            out.extend_from_slice(&u16::try_from(attribute.value.len()).unwrap_or(u16::MAX).to_be_bytes());
            out.extend_from_slice(&attribute.value);
        }
    }
}

/// Kind and attributes, abbreviated as in strongSwan's log.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ConfigKind::REQUEST => "CPRQ",
            ConfigKind::REPLY => "CPRP",
            ConfigKind::SET => "CPS",
            ConfigKind::ACK => "CPA",
            ConfigKind(_) => "CP",
        };
        write!(f, "{kind}(")?;
        for (at, attribute) in self.attributes.iter().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{}", attribute.kind)?;
        }
        f.write_str(")")
    }
}
