//! `list-conns`: an event for each connection.

use vici::Message;

use crate::certificate;
use crate::emit::{Emitter, Gone};
use crate::event::EventKind;
use crate::render;
use crate::request::Request;
use crate::server::Server;

pub(super) async fn run(server: &Server, request: &Request<'_>, emitter: &Emitter) -> Result<Message, Gone> {
    if emitter.wants(EventKind::ListConn) {
        let wanted = request.text("ike");
        let mut message = Message::new();
        for connection in server.control.connections.all().iter() {
            if wanted.is_none_or(|name| name == &*connection.name) {
                message.clear();
                render::connection::push(&mut message, connection, &server.names, &certificate::subject);
                emitter.send(EventKind::ListConn, &message).await?;
            }
        }
    }
    Ok(Message::new())
}
