//! `get-keys`: the ids of the private keys loaded.

use vici::Message;

use crate::server::Server;

pub(super) fn run(server: &Server) -> Message {
    let credentials = server.control.credentials.snapshot();
    Message::new().with_list("keys", credentials.keys.iter().map(|key| key.id.to_string()))
}
