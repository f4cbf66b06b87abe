//! Payloads that a message may have several of.

use crate::wire::{Cert, CertReq, Delete, Message, Payload};

impl Message {
    /// CERT payloads, in order.
    pub(crate) fn certs(&self) -> impl Iterator<Item = &Cert> {
        self.payloads
            .iter()
            .filter_map(|payload| if let Payload::Cert(cert) = payload { Some(cert) } else { None })
    }

    /// CERTREQ payloads, in order.
    pub(crate) fn cert_requests(&self) -> impl Iterator<Item = &CertReq> {
        self.payloads
            .iter()
            .filter_map(|payload| if let Payload::CertReq(request) = payload { Some(request) } else { None })
    }

    /// DELETE payloads, in order.
    pub(crate) fn deletes(&self) -> impl Iterator<Item = &Delete> {
        self.payloads
            .iter()
            .filter_map(|payload| if let Payload::Delete(delete) = payload { Some(delete) } else { None })
    }
}
