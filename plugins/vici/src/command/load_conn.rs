//! `load-conn`: connections by name. One that is wrong is discarded; those before it stay.

use std::path::Path;

use charon_types::connection::Connection;
use tracing::{info, warn};
use vici::{DecodeError, Message, Name, Section, Value};

use crate::certificate;
use crate::load_conn::{Environment, Parsed, Refusal, parse};
use crate::reply;
use crate::request::Request;
use crate::server::Server;

pub(super) async fn run(server: &Server, request: &Request<'_>) -> Message {
    let (sections, error) = sections(request);
    for (name, section) in sections {
        match read(server, name.as_str(), section) {
            Ok(connection) => server.control.load_connection(connection).await,
            Err(reason) => {
                info!(target: "CFG", "loading connection '{name}' failed: {reason}");
                return reply::failure(reason);
            }
        }
    }
    match error {
        Some(error) => {
            info!(target: "ENC", "parsing a load-conn request failed: {error}");
            reply::failure("parsing request failed")
        }
        None => reply::success(),
    }
}

/// The whole sections of a request, and what stopped the reading.
pub(super) fn sections<'r>(request: &Request<'r>) -> (Vec<(Name<'r>, Section<'r>)>, Option<DecodeError>) {
    let prefix = request.prefix();
    let mut sections: Vec<_> = prefix.root.sections().collect();
    if prefix.error.is_some() && prefix.unclosed {
        // The error is inside the last one.
        let cut = prefix.root.iter().last().is_some_and(|(_, value)| matches!(value, Value::Section(_)));
        if cut {
            sections.pop();
        }
    }
    (sections, prefix.error)
}

fn read(server: &Server, name: &str, section: Section<'_>) -> Result<Connection, Refusal> {
    let environment = Environment {
        available: &server.available,
        names: &server.names,
        certificate: &certificate::der,
        file: &read_file,
    };
    let Parsed { connection, warnings } = parse(name, section, &environment)?;
    for warning in warnings {
        warn!(target: "CFG", "connection '{name}': {warning}");
    }
    Ok(connection)
}

pub(super) fn read_file(path: &Path) -> Option<Vec<u8>> {
    std::fs::read(path)
        .inspect_err(|error| warn!(target: "CFG", "reading {} failed: {error}", path.display()))
        .ok()
}
