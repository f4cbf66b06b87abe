//! `unload-conn`: forgets a connection.

use vici::Message;

use crate::reply;
use crate::request::Request;
use crate::server::Server;

pub(super) async fn run(server: &Server, request: &Request<'_>) -> Message {
    let Some(name) = request.text("name") else {
        return reply::failure("unload: missing connection name");
    };
    reply::of(server.control.unload_connection(name).await)
}
