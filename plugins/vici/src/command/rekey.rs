//! `rekey`: replaces the keys of CHILD_SAs and IKE_SAs. The answer tells what was begun; events tell how it ended.

use charon_core::control::Renewal;
use vici::Message;

use super::list_sas::filter;
use crate::reply;
use crate::request::Request;
use crate::server::Server;

pub(super) async fn run(server: &Server, request: &Request<'_>) -> Message {
    let how = if request.boolean("reauth") == Some(true) { Renewal::Reauthenticate } else { Renewal::Rekey };
    let begun = match server.control.rekey(filter(request), how).await {
        Ok(begun) => begun,
        Err(error) => return reply::failure(error),
    };
    let mut message = Message::new()
        .with("success", if begun.error.is_none() { "yes" } else { "no" })
        .with("matches", begun.matches.to_string());
    if let Some(error) = begun.error {
        reply::push_reason(&mut message, error);
    }
    message
}
