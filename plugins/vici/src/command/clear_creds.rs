//! `clear-creds`: forgets all certificates, private keys and shared keys. Connections keep theirs.

use vici::Message;

use crate::reply;
use crate::server::Server;

pub(super) fn run(server: &Server) -> Message {
    server.control.credentials.clear();
    reply::success()
}
