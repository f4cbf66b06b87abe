//! `load-vrouter`, `unload-vrouter`, `get-vrouters`, `list-vrouters`: virtual routers by name.

use tracing::info;
use vici::Message;

use crate::emit::{Emitter, Gone};
use crate::event::EventKind;
use crate::load_vrouter;
use crate::render;
use crate::reply;
use crate::request::Request;
use crate::server::Server;

/// Loads every section of the request. One that is wrong is discarded; those before it stay.
pub(super) async fn load(server: &Server, request: &Request<'_>) -> Message {
    let Some(root) = request.whole() else { return reply::failure("parsing request failed") };
    for (name, section) in root.sections() {
        let outcome = match load_vrouter::parse(name.as_str(), section) {
            Ok(vrouter) => server.control.load_vrouter(vrouter).await.map_err(|error| error.to_string()),
            Err(refusal) => Err(refusal.to_string()),
        };
        if let Err(reason) = outcome {
            info!(target: "CFG", "loading vrouter '{name}' failed: {reason}");
            return reply::failure(reason);
        }
    }
    reply::success()
}

pub(super) async fn unload(server: &Server, request: &Request<'_>) -> Message {
    let Some(name) = request.text("name") else {
        return reply::failure("unload: missing vrouter name");
    };
    reply::of(server.control.unload_vrouter(name).await)
}

pub(super) fn get(server: &Server) -> Message {
    let names = server.control.vrouters();
    Message::new().with_list("vrouters", names.iter().map(|name| &**name))
}

/// An event for each; `name` restricts the listing to one.
pub(super) async fn list(server: &Server, request: &Request<'_>, emitter: &Emitter) -> Result<Message, Gone> {
    if emitter.wants(EventKind::ListVrouter) {
        let wanted = request.text("name");
        for vrouter in server.control.list_vrouters().await {
            if wanted.is_none_or(|name| name == &*vrouter.config.name) {
                emitter.send(EventKind::ListVrouter, &render::vrouter::listed(&vrouter)).await?;
            }
        }
    }
    Ok(Message::new())
}
