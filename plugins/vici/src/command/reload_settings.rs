//! `reload-settings`: reads strongswan.conf again.

use std::sync::Arc;

use vici::Message;

use crate::reply;
use crate::server::Server;

pub(super) async fn run(server: &Server) -> Message {
    let Some(reload) = server.reload.as_ref().map(Arc::clone) else {
        return reply::failure("the daemon runs without a settings file");
    };
    reply::of(reload.reload().await)
}
