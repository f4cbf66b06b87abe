//! `reset-counters`: begins anew with those of all connections together, of one, or of each.

use vici::Message;

use crate::reply;
use crate::request::Request;
use crate::server::Server;

pub(super) fn run(server: &Server, request: &Request<'_>) -> Message {
    let Some(counters) = &server.counters else {
        return reply::failure("no counters available (plugin missing?)");
    };
    match request.text("name") {
        _ if request.boolean("all") == Some(true) => counters.reset_all(),
        Some(name) => counters.reset(name),
        None => counters.reset_global(),
    }
    reply::success()
}
