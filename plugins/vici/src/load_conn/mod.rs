//! The message of `load-conn` as a [`Connection`]: every key of swanctl.conf's `connections.<name>`.
//!
//! Pure: what it needs to know of the daemon is in [`Environment`]. A key that is known but whose effect is not built is
//! refused unless it has its default value, so that nobody relies on protection that is not there.

mod auth;
mod child;
mod constraint;
mod ike;
mod refusal;
mod sa_options;
pub(crate) mod value;

use std::path::Path;
use std::sync::Arc;

use charon_types::connection::Connection;
use charon_types::proposal::AvailableAlgorithms;
use charon_types::services::ServiceNames;
use vici::{Message, Section};

use crate::render;

pub(crate) use refusal::Refusal;

/// What the parser needs to know of the daemon.
pub(crate) struct Environment<'e> {
    /// Algorithms that can be computed.
    pub(crate) available: &'e AvailableAlgorithms,
    /// Names of protocols and ports in traffic selectors.
    pub(crate) names: &'e ServiceNames,
    /// A certificate, PEM or DER, as DER; `None` if it cannot be understood.
    pub(crate) certificate: &'e CertificateReader<'e>,
    /// The content of a file that a certificate section names.
    pub(crate) file: &'e dyn Fn(&Path) -> Option<Vec<u8>>,
}

/// From PEM or DER to DER.
pub(crate) type CertificateReader<'e> = dyn Fn(&[u8]) -> Option<Arc<[u8]>> + 'e;

/// A connection, and what its user should know about it.
pub(crate) struct Parsed {
    pub(crate) connection: Connection,
    /// Clauses for the log.
    pub(crate) warnings: Vec<&'static str>,
}

/// Reads the section of one connection. Keys are evaluated in their order; the first that is wrong refuses it.
pub(crate) fn parse(
    name: &str,
    section: Section<'_>,
    environment: &Environment<'_>,
) -> Result<Parsed, Refusal> {
    ike::parse(name, section, environment)
}

/// What `list-conns` would show of a connection if it were loaded into a daemon with these algorithms; else the reason why it
/// would not be. Certificates are taken as they are, and there are no files.
///
/// # Errors
/// The `errmsg` of `load-conn`.
pub fn rehearse(
    name: &str,
    section: Section<'_>,
    available: &AvailableAlgorithms,
) -> Result<Message, String> {
    let names = ServiceNames::builtin();
    let environment = Environment {
        available,
        names: &names,
        certificate: &|bytes| Some(Arc::from(bytes)),
        file: &|_| None,
    };
    let parsed = parse(name, section, &environment).map_err(|refusal| refusal.to_string())?;
    let mut listed = Message::new();
    render::connection::push(&mut listed, &parsed.connection, &names, &|_| "subject".to_owned());
    Ok(listed)
}

#[cfg(test)]
mod tests;
