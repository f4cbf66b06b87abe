//! `get-counters`: how many messages and rekeyings there were, of all connections together, of one, or of each.

use charon_core::counters::{Counter, CounterSet};
use vici::Message;

use crate::reply;
use crate::request::Request;
use crate::server::Server;

pub(super) fn run(server: &Server, request: &Request<'_>) -> Message {
    let Some(counters) = &server.counters else {
        return reply::failure("no counters available (plugin missing?)");
    };
    let sets: Vec<_> = match request.text("name") {
        _ if request.boolean("all") == Some(true) => counters.all(),
        Some(name) => counters.of(name).map(|set| (name.into(), set)).into_iter().collect(),
        None => vec![("".into(), counters.global())],
    };
    let mut message = Message::new();
    message.nest("counters", |section| {
        for (name, set) in &sets {
            section.nest(name, |section| push(section, set));
        }
    });
    if sets.is_empty() && request.boolean("all") != Some(true) {
        message.push("success", "no");
        reply::push_reason(&mut message, "no counters found for this connection");
    } else {
        message.push("success", "yes");
    }
    message
}

fn push(section: &mut Message, set: &CounterSet) {
    for counter in Counter::ALL {
        section.push(counter.name(), set.get(*counter).to_string());
    }
}
