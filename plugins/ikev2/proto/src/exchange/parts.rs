//! Payloads that a message may have several of.

use charon_types::proposal::Protocol;

use crate::wire::{Cert, CertReq, Delete, Message, Payload};

impl Message {
    /// Whether a CREATE_CHILD_SA request is about the IKE_SA itself.
    pub(crate) fn replaces_ike(&self) -> bool {
        self.sa().is_some_and(|offers| offers.iter().any(|offer| offer.proposal.protocol == Protocol::Ike))
    }

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
