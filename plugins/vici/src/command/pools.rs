//! `get-pools`, `load-pool`, `unload-pool`: pools of virtual addresses.

use charon_core::pools::{Detail, LeaseState, PoolView};
use tracing::info;
use vici::{Message, Section, Value};

use crate::load_pool;
use crate::reply;
use crate::request::Request;
use crate::server::Server;

/// The pools, with their leases if they are asked for.
pub(super) fn get(server: &Server, request: &Request<'_>) -> Message {
    let detail = match request.boolean("leases") {
        Some(true) => Detail::Leases,
        Some(false) | None => Detail::Summary,
    };
    let mut message = Message::new();
    for pool in server.control.pools.list(request.text("name"), detail) {
        push(&mut message, &pool, detail);
    }
    message
}

fn push(message: &mut Message, pool: &PoolView, detail: Detail) {
    message.nest(&pool.name, |section| {
        section.push("base", pool.range.first().to_string());
        section.push("size", pool.range.len().to_string());
        section.push("online", pool.online.to_string());
        section.push("offline", pool.offline.to_string());
        if detail == Detail::Leases {
            section.nest("leases", |section| {
                for (number, lease) in pool.leases.iter().enumerate() {
                    section.nest(&number.to_string(), |section| {
                        section.push("address", lease.address.to_string());
                        section.push("identity", lease.identity.to_string());
                        let state = match lease.state {
                            LeaseState::Online => "online",
                            LeaseState::Offline => "offline",
                        };
                        section.push("status", state);
                    });
                }
            });
        }
    });
}

/// Pools by name. One that is wrong is refused; those before it stay.
pub(super) fn load(server: &Server, request: &Request<'_>) -> Message {
    let prefix = request.prefix();
    let mut sections: Vec<_> = prefix.root.sections().collect();
    if prefix.error.is_some() && prefix.unclosed {
        // The error is inside the last one.
        let cut = prefix.root.iter().last().is_some_and(|(_, value)| matches!(value, Value::Section(_)));
        if cut {
            sections.pop();
        }
    }
    for (name, section) in sections {
        if let Err(reason) = load_one(server, name.as_str(), section) {
            info!(target: "CFG", "loading pool '{name}' failed: {reason}");
            return reply::failure(reason);
        }
    }
    match prefix.error {
        Some(error) => {
            info!(target: "ENC", "parsing a load-pool request failed: {error}");
            reply::failure("parsing request failed")
        }
        None => reply::success(),
    }
}

fn load_one(server: &Server, name: &str, section: Section<'_>) -> Result<(), String> {
    let spec = load_pool::parse(name, section).map_err(|refusal| refusal.to_string())?;
    server.control.pools.load(spec).map_err(|error| error.to_string())
}

/// The pool of that name.
pub(super) fn unload(server: &Server, request: &Request<'_>) -> Message {
    match request.text("name") {
        Some(name) => reply::of(server.control.pools.unload(name)),
        None => reply::failure("missing pool name to unload"),
    }
}
