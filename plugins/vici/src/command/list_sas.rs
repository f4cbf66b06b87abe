//! `list-sas`: an event for each IKE_SA. A client that reads slowly slows its own listing only.

use charon_core::service::ike_engine::SaFilter;
use charon_types::id::UniqueId;
use vici::Message;

use crate::emit::{Emitter, Gone};
use crate::event::EventKind;
use crate::listing::Listing;
use crate::render;
use crate::request::Request;
use crate::server::Server;

pub(super) async fn run(server: &Server, request: &Request<'_>, emitter: &Emitter) -> Result<Message, Gone> {
    if let Some(mut listing) = Listing::new(EventKind::ListSa, emitter, &server.turns) {
        let mut chunks = server.control.engine.list(filter(request));
        while let Some(chunk) = chunks.recv().await {
            for sa in chunk {
                let fill = |message: &mut Message| {
                    render::ike_sa::with_children(message, &sa, &sa.children, &server.names);
                };
                listing.event(fill).await?;
            }
            listing.pause();
        }
    }
    Ok(Message::new())
}

/// The SAs that a request names. `noblock` is met by nature: a snapshot waits for nobody.
pub(super) fn filter(request: &Request<'_>) -> SaFilter {
    SaFilter {
        ike: request.string("ike"),
        ike_id: request.id("ike-id").map(UniqueId),
        child: request.string("child"),
        child_id: request.id("child-id").map(UniqueId),
    }
}
