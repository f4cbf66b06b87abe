//! `list-policies`: an event for each trap and shunt of the kinds asked for.

use charon_core::policies::{ListedPolicy, PolicyKind};
use vici::Message;

use crate::emit::{Emitter, Gone};
use crate::event::EventKind;
use crate::listing::Listing;
use crate::render;
use crate::request::Request;
use crate::server::Server;

pub(super) async fn run(server: &Server, request: &Request<'_>, emitter: &Emitter) -> Result<Message, Gone> {
    if let Some(mut listing) = Listing::new(EventKind::ListPolicy, emitter, &server.turns) {
        for policy in server.control.policies.list().iter().filter(|policy| is_wanted(policy, request)) {
            listing.event(|message| *message = render::policy::listed(policy, &server.names)).await?;
        }
    }
    Ok(Message::new())
}

/// That a key is there counts, whatever it says.
fn is_wanted(policy: &ListedPolicy, request: &Request<'_>) -> bool {
    let kind = match policy.kind {
        PolicyKind::Trap => "trap",
        PolicyKind::Pass => "pass",
        PolicyKind::Drop => "drop",
    };
    let named = |key, name: &str| request.text(key).is_none_or(|wanted| wanted == name);
    request.text(kind).is_some() && named("child", &policy.child) && named("ike", &policy.connection)
}
