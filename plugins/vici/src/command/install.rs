//! `install`: the trap or shunt of a child.

use vici::Message;

use crate::reply;
use crate::request::Request;
use crate::server::Server;

pub(super) async fn run(server: &Server, request: &Request<'_>) -> Message {
    reply::of(server.control.install(request.text("ike"), request.text("child")).await)
}
