//! `initiate`: brings an SA up, telling its log lines meanwhile.

use charon_core::control::InitiateRequest;
use vici::Message;

use super::running::{follow, level, patience};
use crate::emit::{Emitter, Gone};
use crate::reply;
use crate::request::Request;
use crate::server::Server;

pub(super) async fn run(server: &Server, request: &Request<'_>, emitter: &Emitter) -> Result<Message, Gone> {
    let patience = patience(request);
    let initiate = InitiateRequest {
        ike: request.string("ike"),
        child: request.string("child"),
        patience,
        level: level(request, emitter, patience),
    };
    Ok(match server.control.initiate(&initiate) {
        Ok(running) => reply::of(follow(running, emitter).await?),
        Err(error) => reply::failure(error),
    })
}
