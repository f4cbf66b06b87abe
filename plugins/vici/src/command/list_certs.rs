//! `list-certs`: an event for each certificate, revocation list and public key.

use charon_core::credentials::{CredentialSnapshot, KeyId};
use charon_pki::{Certificate, PublicKey};
use charon_types::identity::Identity;
use tracing::info;
use vici::Message;

use crate::emit::{Emitter, Gone};
use crate::event::EventKind;
use crate::listing::Listing;
use crate::load_conn::value;
use crate::request::Request;
use crate::server::Server;

pub(super) async fn run(server: &Server, request: &Request<'_>, emitter: &Emitter) -> Result<Message, Gone> {
    if let Some(mut listing) = Listing::new(EventKind::ListCert, emitter, &server.turns) {
        match Filter::read(request) {
            Some(filter) => list(server, &filter, &mut listing).await?,
            None => info!(target: "CFG", "vici list-certs: invalid certificate type, flag or subject"),
        }
    }
    Ok(Message::new())
}

async fn list(server: &Server, filter: &Filter, listing: &mut Listing<'_>) -> Result<(), Gone> {
    let credentials = server.control.credentials.snapshot();
    let has_key = |key: &PublicKey| has_key(&credentials, key, server);
    let mut messages = Vec::new();
    // Nothing names the subject of a bare key, so a search for one does not find it.
    if filter.kind.includes(Kind::PublicKey) && filter.subject.is_none() {
        messages.extend(credentials.public_keys.iter().map(|key| {
            let mut message = Message::new().with("type", "PUBKEY");
            push_has_key(&mut message, has_key(key));
            message.with("data", key.info())
        }));
    }
    let (cas, ends): (Vec<_>, Vec<_>) =
        credentials.received.certificates().into_iter().partition(Certificate::is_ca);
    for (flag, name, certificates) in [
        (Flag::None, "NONE", &credentials.certificates),
        (Flag::Ca, "CA", &credentials.authorities),
        (Flag::None, "NONE", &ends),
        (Flag::Ca, "CA", &cas),
    ] {
        if filter.kind.includes(Kind::X509) && filter.flag.includes(flag) {
            messages.extend(certificates.iter().filter(|certificate| filter.names(certificate)).map(
                |certificate| {
                    let mut message = Message::new().with("type", "X509").with("flag", name);
                    push_has_key(&mut message, has_key(certificate.public_key()));
                    message.with("data", certificate.der())
                },
            ));
        }
    }
    if filter.kind.includes(Kind::Crl) && filter.subject.is_none() {
        let crls = credentials.crls.iter();
        messages.extend(crls.map(|crl| Message::new().with("type", "X509_CRL").with("data", crl.der())));
    }
    for certificate in messages {
        listing.event(|message| *message = certificate).await?;
    }
    Ok(())
}

/// Whether the private half of a public key is loaded.
fn has_key(credentials: &CredentialSnapshot, key: &PublicKey, server: &Server) -> bool {
    key.key_hash(&server.crypto).is_some_and(|hash| credentials.key(&KeyId(hash)).is_some())
}

fn push_has_key(message: &mut Message, has_key: bool) {
    if has_key {
        message.push("has_privkey", "yes");
    }
}

/// What is to be listed.
struct Filter {
    kind: Kind,
    flag: Flag,
    subject: Option<Identity>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Any,
    X509,
    Crl,
    PublicKey,
    /// A type that exists, of which nothing is ever loaded.
    Other,
}

impl Kind {
    fn includes(self, kind: Self) -> bool {
        self == Self::Any || self == kind
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flag {
    Any,
    None,
    Ca,
    /// A flag that exists, of which nothing is ever loaded.
    Other,
}

impl Flag {
    fn includes(self, flag: Self) -> bool {
        self == Self::Any || self == flag
    }
}

impl Filter {
    fn read(request: &Request<'_>) -> Option<Self> {
        let subject = match request.blob("subject") {
            Some(subject) => Some(value::identity(subject)?),
            None => None,
        };
        let word = request.text("type").unwrap_or("ANY");
        let legacy = match word {
            "x509ca" => Some((Kind::X509, Flag::Ca)),
            "x509ocsp" | "x509aa" => Some((Kind::X509, Flag::Other)),
            "x509ac" => Some((Kind::Other, Flag::Any)),
            "x509crl" => Some((Kind::Crl, Flag::Any)),
            _ => None,
        };
        if let Some((kind, flag)) = legacy {
            return Some(Self { kind, flag, subject });
        }
        let kind = match word.to_ascii_uppercase().as_str() {
            "ANY" => Kind::Any,
            "X509" => Kind::X509,
            "X509_CRL" => Kind::Crl,
            "PUBKEY" => Kind::PublicKey,
            "OCSP_REQUEST" | "OCSP_RESPONSE" | "X509_AC" | "PKCS10_REQUEST" | "PGP" => Kind::Other,
            _ => return None,
        };
        let flag = match request.text("flag").filter(|_| kind == Kind::X509) {
            None => Flag::Any,
            Some(word) => match word.to_ascii_uppercase().as_str() {
                "ANY" => Flag::Any,
                "NONE" => Flag::None,
                "CA" => Flag::Ca,
                "AA" | "OCSP" => Flag::Other,
                _ => return None,
            },
        };
        Some(Self { kind, flag, subject })
    }

    fn names(&self, certificate: &Certificate) -> bool {
        self.subject.as_ref().is_none_or(|subject| certificate.matches(subject).is_some())
    }
}
