//! `load-token`: a private key on a token. No token module is built, so none can be loaded.

use tracing::info;
use vici::Message;

use crate::reply;
use crate::request::Request;

pub(super) fn run(request: &Request<'_>) -> Message {
    if request.text("handle").is_none() {
        return reply::failure("keyid missing");
    }
    info!(target: "CFG", "a private key on a token was asked for, but tokens are not built");
    reply::failure("loading private key from token failed")
}
