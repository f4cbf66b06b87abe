//! `unload-key`: forgets a private key.

use charon_core::credentials::KeyId;
use vici::Message;

use crate::reply;
use crate::request::Request;
use crate::server::Server;

pub(super) fn run(server: &Server, request: &Request<'_>) -> Message {
    let Some(id) = request.text("id") else { return reply::failure("key id missing") };
    // What is no id is the id of no key.
    match KeyId::from_hex(id) {
        Some(id) if server.control.credentials.remove_key(&id) => reply::success(),
        _ => reply::failure("key not found"),
    }
}
