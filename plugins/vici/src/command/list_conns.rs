//! `list-conns`: an event for each connection.

use vici::Message;

use crate::certificate;
use crate::emit::{Emitter, Gone};
use crate::event::EventKind;
use crate::listing::Listing;
use crate::render;
use crate::request::Request;
use crate::server::Server;

pub(super) async fn run(server: &Server, request: &Request<'_>, emitter: &Emitter) -> Result<Message, Gone> {
    if let Some(mut listing) = Listing::new(EventKind::ListConn, emitter, &server.turns) {
        let wanted = request.text("ike");
        for connection in server.control.connections.all().iter() {
            if wanted.is_none_or(|name| name == &*connection.name) {
                let fill = |message: &mut Message| {
                    render::connection::push(message, connection, &server.names, &certificate::subject);
                };
                listing.event(fill).await?;
            }
        }
    }
    Ok(Message::new())
}
