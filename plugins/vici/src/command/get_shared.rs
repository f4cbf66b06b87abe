//! `get-shared`: the names of the shared keys that have one.

use vici::Message;

use crate::server::Server;

pub(super) fn run(server: &Server) -> Message {
    let credentials = server.control.credentials.snapshot();
    Message::new().with_list("keys", credentials.shared.iter().filter_map(|key| key.name.as_deref()))
}
