//! `get-authorities`, `list-authorities`, `load-authority`, `unload-authority`: there is none, and none is taken, until authorities are built. A stock
//! `swanctl --load-all` asks for the list and goes on only if it gets one.

use vici::Message;

use crate::reply;
use crate::request::Request;

/// The authorities loaded: none.
pub(super) fn get() -> Message {
    Message::new().with_list("authorities", std::iter::empty::<&str>())
}

/// Tells of each: of none.
pub(super) fn list() -> Message {
    Message::new()
}

/// Refuses every authority by name; an empty request has nothing to refuse.
pub(super) fn load(request: &Request<'_>) -> Message {
    match request.first_section() {
        Some(name) => reply::failure(format!("authorities are not supported: {name}")),
        None => reply::success(),
    }
}

/// Nothing can be unloaded.
pub(super) fn unload(request: &Request<'_>) -> Message {
    match request.text("name") {
        Some(name) => reply::failure(format!("unload: authority '{name}' not found")),
        None => reply::failure("unload: missing authority name"),
    }
}
