//! `get-conns`: the names of the connections loaded.

use vici::Message;

use crate::server::Server;

pub(super) fn run(server: &Server) -> Message {
    let connections = server.control.connections.all();
    Message::new().with_list("conns", connections.iter().map(|connection| &*connection.name))
}
