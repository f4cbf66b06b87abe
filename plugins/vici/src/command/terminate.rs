//! `terminate`: takes SAs down, telling their log lines meanwhile.

use charon_core::control::{Force, TerminateRequest};
use vici::Message;

use super::list_sas::filter;
use super::running::{follow, level, patience};
use crate::emit::{Emitter, Gone};
use crate::reply;
use crate::request::Request;
use crate::server::Server;

pub(super) async fn run(server: &Server, request: &Request<'_>, emitter: &Emitter) -> Result<Message, Gone> {
    let patience = patience(request);
    let terminate = TerminateRequest {
        filter: filter(request),
        force: if request.boolean("force").unwrap_or(false) { Force::Yes } else { Force::No },
        patience,
        level: level(request, emitter, patience),
    };
    let running = match server.control.terminate(terminate) {
        Ok(running) => running,
        Err(error) => return Ok(reply::failure(error)),
    };
    let ended = follow(running, emitter).await?;
    let mut message = Message::new()
        .with("success", if ended.error.is_none() { "yes" } else { "no" })
        .with("matches", ended.matches.to_string())
        .with("terminated", ended.terminated.to_string());
    if let Some(error) = ended.error {
        reply::push_reason(&mut message, error);
    }
    Ok(message)
}
