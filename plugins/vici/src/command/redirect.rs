//! `redirect`: sends clients to another gateway (RFC 5685). The engine cannot do that; what is wrong with a request is told as
//! strongSwan does, and a right one is refused.

use charon_core::service::ike_engine::SaFilter;
use charon_types::endpoint::EndpointPattern;
use charon_types::identity::Identity;
use charon_types::snapshot::IkeSaSnapshot;
use vici::Message;

use super::list_sas::filter;
use crate::load_conn::value;
use crate::reply;
use crate::request::Request;
use crate::server::Server;

pub(super) async fn run(server: &Server, request: &Request<'_>) -> Message {
    let selector = match Selector::read(request) {
        Ok(selector) => selector,
        Err(reason) => return reply::failure(reason),
    };
    let mut matches: usize = 0;
    let mut listing = server.control.engine.list(selector.filter.clone());
    while let Some(chunk) = listing.recv().await {
        matches += chunk.iter().filter(|sa| selector.matches(sa)).count();
    }
    let mut message = Message::new().with("success", "no").with("matches", matches.to_string());
    let reason =
        if matches == 0 { "no matching SAs to redirect found" } else { "redirecting is not supported" };
    reply::push_reason(&mut message, reason);
    message
}

/// Which IKE_SAs are meant. All that is given must hold.
struct Selector {
    filter: SaFilter,
    peer_address: Option<EndpointPattern>,
    peer_id: Option<Identity>,
}

impl Selector {
    fn read(request: &Request<'_>) -> Result<Self, &'static str> {
        let gateway = request.text("gateway").ok_or("missing target gateway")?;
        match value::identity(gateway.as_bytes()) {
            Some(Identity::Address(_) | Identity::Fqdn(_)) => {}
            _ => return Err("unsupported gateway identity"),
        }
        let peer_address = match request.text("peer-ip").map(EndpointPattern::parse) {
            Some(EndpointPattern::Name(_)) => return Err("invalid peer IP selector"),
            pattern => pattern,
        };
        let peer_id = match request.blob("peer-id") {
            Some(id) => Some(value::identity(id).ok_or("invalid peer identity selector")?),
            None => None,
        };
        let filter = SaFilter { child: None, child_id: None, ..filter(request) };
        if filter == SaFilter::default() && peer_address.is_none() && peer_id.is_none() {
            return Err("missing redirect selector");
        }
        Ok(Self { filter, peer_address, peer_id })
    }

    fn matches(&self, sa: &IkeSaSnapshot) -> bool {
        self.peer_address.as_ref().is_none_or(|pattern| pattern.matches(sa.path.remote.ip()).is_some())
            && self.peer_id.as_ref().is_none_or(|pattern| sa.remote_id.matches(pattern).is_some())
    }
}
