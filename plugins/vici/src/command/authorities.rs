//! `load-authority`, `unload-authority`, `get-authorities`, `list-authorities`: authorities by name, with where to ask about what
//! they issued.

use charon_core::credentials::Authority;
use charon_pki::{Certificate, Crl};
use tracing::{info, warn};
use vici::{List, Message, Section, Value};

use super::load_conn::{read_file, sections};
use crate::emit::{Emitter, Gone};
use crate::event::EventKind;
use crate::load_conn::value;
use crate::reply;
use crate::request::Request;
use crate::server::Server;

/// The names of those loaded.
pub(super) fn get(server: &Server) -> Message {
    let credentials = server.control.credentials.snapshot();
    Message::new().with_list("authorities", credentials.named_authorities().map(|authority| &authority.name))
}

/// Tells of each, or of one.
pub(super) async fn list(server: &Server, request: &Request<'_>, emitter: &Emitter) -> Result<Message, Gone> {
    if emitter.wants(EventKind::ListAuthority) {
        let wanted = request.text("name");
        let credentials = server.control.credentials.snapshot();
        for authority in credentials.named_authorities() {
            if wanted.is_none_or(|name| name == authority.name) {
                emitter.send(EventKind::ListAuthority, &render(authority)).await?;
            }
        }
    }
    Ok(Message::new())
}

/// Loads each; one that is wrong is discarded, those before it stay.
pub(super) fn load(server: &Server, request: &Request<'_>) -> Message {
    let (sections, error) = sections(request);
    for (name, section) in sections {
        match parse(name.as_str(), section) {
            Ok(authority) => {
                let crls: Vec<_> = authority.crl_uris.iter().filter_map(|uri| local_list(uri)).collect();
                info!(target: "CFG", "loaded vici authority: {name}");
                server.control.credentials.add_authority(authority);
                crls.into_iter().for_each(|crl| server.control.credentials.add_crl(crl));
            }
            Err(reason) => return reply::failure(reason),
        }
    }
    match error {
        Some(error) => {
            info!(target: "ENC", "parsing a load-authority request failed: {error}");
            reply::failure("parsing request failed")
        }
        None => reply::success(),
    }
}

/// Forgets one; its certificate is not trusted any more unless it was loaded by itself.
pub(super) fn unload(server: &Server, request: &Request<'_>) -> Message {
    match request.text("name") {
        Some(name) if server.control.credentials.remove_authority(name) => {
            info!(target: "CFG", "removed vici authority: {name}");
            reply::success()
        }
        Some(name) => reply::failure(format_args!("unload: authority '{name}' not found")),
        None => reply::failure("unload: missing authority name"),
    }
}

fn render(authority: &Authority) -> Message {
    let mut message = Message::new();
    message.nest(&authority.name, |section| {
        section.push("cacert", authority.certificate.subject().to_string());
        section.push_list("crl_uris", &authority.crl_uris);
        section.push_list("ocsp_uris", &authority.ocsp_uris);
        if let Some(base) = &authority.cert_uri_base {
            section.push("cert_uri_base", base);
        }
    });
    message
}

fn parse(name: &str, section: Section<'_>) -> Result<Authority, String> {
    let mut reader = Reader::default();
    for (key, value) in section {
        let key = key.as_str();
        match value {
            Value::Data(value) => reader.key(key, value)?,
            Value::List(items) => reader.list(key, items)?,
            Value::Section(_) => return Err(format!("invalid section: {key}")),
        }
    }
    let certificate = match (reader.cacert, reader.file) {
        (Some(cacert), _) => authority_certificate(&cacert),
        (None, Some(path)) => read_file(path.as_ref()).and_then(|file| authority_certificate(&file)),
        (None, None) => None,
    };
    let certificate = certificate.ok_or_else(|| match reader.handle {
        Some(_) => format!("CA certificate missing: {name}, tokens are not built"),
        None => format!("CA certificate missing: {name}"),
    })?;
    Ok(Authority {
        name: name.to_owned(),
        certificate,
        crl_uris: reader.crl_uris,
        ocsp_uris: reader.ocsp_uris,
        cert_uri_base: reader.cert_uri_base,
    })
}

/// Keys as they come in.
#[derive(Default)]
struct Reader {
    cacert: Option<Vec<u8>>,
    file: Option<String>,
    handle: Option<String>,
    crl_uris: Vec<String>,
    ocsp_uris: Vec<String>,
    cert_uri_base: Option<String>,
}

impl Reader {
    fn key(&mut self, key: &str, value: &[u8]) -> Result<(), String> {
        let text = || match value::text(value) {
            Some(text) => Ok(Some(text.to_owned())),
            None => Err(format!("invalid value for: {key}, authority discarded")),
        };
        match key {
            "cacert" => self.cacert = Some(value.to_vec()),
            "file" => self.file = text()?,
            "handle" => self.handle = text()?,
            "slot" | "module" => drop(text()?),
            "cert_uri_base" => self.cert_uri_base = text()?,
            _ => return Err(unknown(key)),
        }
        Ok(())
    }

    fn list(&mut self, key: &str, items: List<'_>) -> Result<(), String> {
        let uris = match key {
            "crl_uris" => &mut self.crl_uris,
            "ocsp_uris" => &mut self.ocsp_uris,
            _ => return Err(unknown(key)),
        };
        for item in items.iter() {
            let uri =
                value::text(item).ok_or_else(|| format!("invalid value for: {key}, authority discarded"))?;
            uris.push(uri.to_owned());
        }
        Ok(())
    }
}

fn unknown(key: &str) -> String {
    format!("unknown option: {key}, authority discarded")
}

fn authority_certificate(file: &[u8]) -> Option<Certificate> {
    Certificate::from_file(file).ok().filter(Certificate::is_ca)
}

/// A revocation list in the file system. Others are fetched when they are needed, by whoever can.
fn local_list(uri: &str) -> Option<Crl> {
    let path = uri.strip_prefix("file://")?;
    let crl = Crl::from_file(&read_file(path.as_ref())?).ok();
    if crl.is_none() {
        warn!(target: "CFG", "{path} is no revocation list");
    }
    crl
}
