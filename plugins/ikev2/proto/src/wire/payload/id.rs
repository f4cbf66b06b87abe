//! Identification payload (RFC 7296 §3.5): type 1, reserved 3, data.

use charon_types::Identity;

/// An identity as on the wire. The reserved octets are kept, because AUTH covers them as received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Id {
    /// Type.
    pub kind: u8,
    /// Sent as zero.
    pub reserved: [u8; 3],
    /// Identification data.
    pub data: Vec<u8>,
}

impl Id {
    /// The payload of an identity; `None` for patterns, which are never sent.
    #[must_use]
    pub fn of(identity: &Identity) -> Option<Self> {
        let (kind, data) = identity.to_wire()?;
        Some(Self { kind, reserved: [0; 3], data: data.into_owned() })
    }

    /// The identity meant.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity::from_wire(self.kind, &self.data)
    }

    /// The body as AUTH covers it.
    #[must_use]
    pub fn octets(&self) -> Vec<u8> {
        let mut octets = Vec::with_capacity(4 + self.data.len());
        self.emit(&mut octets);
        octets
    }

    pub(super) fn parse(body: &[u8]) -> Option<Self> {
        let ([kind, reserved @ ..], data) = body.split_first_chunk::<4>()?;
        Some(Self { kind: *kind, reserved: *reserved, data: data.to_vec() })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.push(self.kind);
        out.extend_from_slice(&self.reserved);
        out.extend_from_slice(&self.data);
    }
}
