//! `get-pools`, `load-pool`, `unload-pool`: there is none, and none is taken, until virtual addresses are built. A stock
//! `swanctl --load-all` asks for the list and goes on only if it gets one.

use vici::Message;

use crate::reply;
use crate::request::Request;

/// The pools loaded: none.
pub(super) fn get() -> Message {
    Message::new()
}

/// Refuses every pool by name; an empty request has nothing to refuse.
pub(super) fn load(request: &Request<'_>) -> Message {
    match request.first_section() {
        Some(name) => reply::failure(format!("pools of virtual addresses are not supported: {name}")),
        None => reply::success(),
    }
}

/// Nothing can be unloaded.
pub(super) fn unload(request: &Request<'_>) -> Message {
    match request.text("name") {
        Some(name) => reply::failure(format!("{name} not found")),
        None => reply::failure("missing pool name to unload"),
    }
}
