//! Key exchange payload (RFC 7296 §3.4): method 2, reserved 2, data.

use charon_types::algorithm::KeMethod;
use nom::Parser;
use nom::bytes::complete::take;
use nom::combinator::rest;
use nom::number::complete::be_u16;

use super::complete;

/// A public value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ke {
    /// Method.
    pub method: KeMethod,
    /// Public value; its length is the method's business.
    pub data: Vec<u8>,
}

impl Ke {
    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        complete(body, |input| {
            (be_u16, take(2_usize), rest)
                .map(|(method, _, data): (u16, &[u8], &[u8])| Self {
                    method: KeMethod(method),
                    data: data.to_vec(),
                })
                .parse(input)
        })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.method.0.to_be_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&self.data);
    }
}
