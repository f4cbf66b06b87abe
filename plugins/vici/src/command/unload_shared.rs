//! `unload-shared`: forgets a shared key. One that is not there is forgotten already.

use vici::Message;

use crate::reply;
use crate::request::Request;
use crate::server::Server;

pub(super) fn run(server: &Server, request: &Request<'_>) -> Message {
    match request.text("id") {
        Some(id) => {
            server.control.credentials.remove_shared(id);
            reply::success()
        }
        None => reply::failure("unique identifier missing"),
    }
}
