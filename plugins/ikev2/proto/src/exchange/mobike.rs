//! MOBIKE's exchanges (RFC 4555): INFORMATIONAL with addresses, paths to be checked, and cookies that must come back.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use charon_types::connection::Connection;
use charon_types::endpoint::Path;
use charon_types::id::Role;

use super::nat_detection;
use crate::failure::{Failure, Misbehaviour};
use crate::output::CloseReason;
use crate::sa::{Cx, Sa};
use crate::task::Task;
use crate::wire::{ExchangeType, Message, NotifyType, Payload};

/// Octets of our COOKIE2; 8 to 64 are allowed (RFC 4555 §4.2.5).
const COOKIE_LEN: usize = 16;

/// Most additional addresses that we announce, as strongSwan does.
const ANNOUNCED_MAX: usize = 8;

/// What an exchange of ours is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Find the path that works.
    Probe,
    /// Have the peer use the path that works.
    Update,
    /// List our addresses.
    Announce,
    /// See that the peer is where it says (RFC 4555 §3.7).
    Verify,
    /// See whether it lives, and whether our NAT still maps us as before.
    CheckMapping,
}

/// An exchange of ours under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mobike {
    step: Step,
    cookie: Option<[u8; COOKIE_LEN]>,
}

/// What the answer leads to.
pub(crate) enum Answered {
    /// Go on.
    Done,
    /// Somebody else answered: close at once.
    Close(CloseReason),
}

/// MOBIKE_SUPPORTED and our addresses, for IKE_AUTH.
pub(crate) fn announce(sa: &mut Sa, cx: Cx<'_>, connection: &Connection) -> Vec<Payload> {
    if !connection.ike.mobike.is_enabled() {
        return Vec::new();
    }
    let mut payloads = vec![Payload::status(NotifyType::MOBIKE_SUPPORTED)];
    payloads.extend(addresses(sa, cx));
    payloads
}

/// What the peer's IKE_AUTH message says of MOBIKE.
pub(crate) fn agree(sa: &mut Sa, cx: Cx<'_>, connection: &Connection, message: &Message) {
    let announced = message.has_notify(NotifyType::MOBIKE_SUPPORTED);
    sa.mobility.agreed = announced && connection.ike.mobike.is_enabled();
    if announced {
        tracing::info!(target: "IKE", "peer supports MOBIKE");
    }
    if sa.mobility.agreed {
        let from = sa.path.remote.ip();
        sa.note_peer_addresses(cx, from, listed(message).unwrap_or_default());
    }
    if sa.chooses_path() && sa.nat.local {
        // What later answers are compared with.
        sa.queue_step(Step::CheckMapping);
    }
}

fn addresses(sa: &mut Sa, cx: Cx<'_>) -> Vec<Payload> {
    sa.mobility.told = Some(cx.env.host.addresses());
    let others = sa.additional_addresses(cx);
    if others.is_empty() {
        return vec![Payload::status(NotifyType::NO_ADDITIONAL_ADDRESSES)];
    }
    let notify = |address: &IpAddr| match address {
        IpAddr::V4(address) => Payload::notify(NotifyType::ADDITIONAL_IP4_ADDRESS, address.octets().to_vec()),
        IpAddr::V6(address) => Payload::notify(NotifyType::ADDITIONAL_IP6_ADDRESS, address.octets().to_vec()),
    };
    others.iter().take(ANNOUNCED_MAX).map(notify).collect()
}

/// The addresses that a message lists; `None` if it lists none and does not say so.
fn listed(message: &Message) -> Option<Vec<IpAddr>> {
    let mut listed = None;
    for notify in message.notifies() {
        match notify.kind {
            NotifyType::NO_ADDITIONAL_ADDRESSES => listed = Some(Vec::new()),
            NotifyType::ADDITIONAL_IP4_ADDRESS => {
                let octets = <[u8; 4]>::try_from(notify.data.as_slice()).ok();
                let address = octets.map(|octets| IpAddr::from(Ipv4Addr::from(octets)));
                listed.get_or_insert_default().extend(address.filter(is_usable));
            }
            NotifyType::ADDITIONAL_IP6_ADDRESS => {
                let octets = <[u8; 16]>::try_from(notify.data.as_slice()).ok();
                let address = octets.map(|octets| IpAddr::from(Ipv6Addr::from(octets)));
                listed.get_or_insert_default().extend(address.filter(is_usable));
            }
            _ => {}
        }
    }
    listed
}

fn is_usable(address: &IpAddr) -> bool {
    !address.is_unspecified() && !address.is_loopback() && !address.is_multicast()
}

/// Begins an exchange.
pub(crate) fn begin(sa: &mut Sa, cx: Cx<'_>, step: Step) -> Result<Mobike, Failure> {
    let mut payloads = Vec::new();
    match step {
        Step::Probe | Step::Verify => {}
        Step::Update => {
            tracing::info!(target: "IKE", "requesting address change using MOBIKE");
            payloads.push(Payload::status(NotifyType::UPDATE_SA_ADDRESSES));
            payloads.extend(detection(sa, cx, sa.path));
        }
        Step::Announce => {
            tracing::info!(target: "IKE", "sending address list update using MOBIKE");
            payloads.extend(addresses(sa, cx));
            sa.mobility.announcing = true;
        }
        Step::CheckMapping => {
            tracing::info!(target: "IKE", "sending DPD request");
            payloads.extend(detection(sa, cx, sa.path));
        }
    }
    let cookie = match step {
        Step::Probe | Step::Verify | Step::Update => {
            let mut cookie = [0; COOKIE_LEN];
            cx.env.crypto.random().fill(&mut cookie);
            payloads.push(Payload::notify(NotifyType::COOKIE2, cookie.to_vec()));
            Some(cookie)
        }
        Step::Announce | Step::CheckMapping => None,
    };
    sa.send_request(cx, ExchangeType::INFORMATIONAL, payloads)?;
    Ok(Mobike { step, cookie })
}

fn detection(sa: &Sa, cx: Cx<'_>, path: Path) -> Vec<Payload> {
    sa.connection
        .as_ref()
        .map_or_else(Vec::new, |connection| nat_detection::announce_at(sa, cx, connection, path))
}

impl Mobike {
    /// The answer, authenticated.
    pub(crate) fn handle(self, sa: &mut Sa, cx: Cx<'_>, answer: &Message) -> Answered {
        if let Some(cookie) = self.cookie {
            let echoed = answer.notify(NotifyType::COOKIE2);
            if echoed.is_none_or(|notify| notify.data != cookie) {
                tracing::info!(target: "IKE", "COOKIE2 mismatch, closing IKE_SA");
                return Answered::Close(CloseReason::Failed(Misbehaviour::Cookie.into()));
            }
        }
        match self.step {
            Step::Probe | Step::Verify => {}
            Step::Announce => sa.mobility.announcing = false,
            Step::Update => return updated(sa, cx, answer),
            Step::CheckMapping => check_mapping(sa, answer),
        }
        Answered::Done
    }
}

/// The peer goes on where we are.
fn updated(sa: &mut Sa, cx: Cx<'_>, answer: &Message) -> Answered {
    if let Some(error) = answer.first_error() {
        tracing::info!(target: "IKE", "peer refuses the change of addresses with {error}");
        let failure = Failure::Rejected(error.0);
        sa.queue.push_front(Task::DeleteIke(CloseReason::Failed(failure), None));
        return Answered::Done;
    }
    // The answer may have come by another path than the one that it is about: then the next update waits already.
    sa.mobility.update_due = sa.waits_to(Step::Update);
    let (path, mut nat) = (sa.path, sa.nat);
    if answer.has_notify(NotifyType::NAT_DETECTION_DESTINATION_IP) {
        nat = nat_detection::examine(sa, cx, answer);
        sa.mobility.mapping = mapping(answer);
    }
    sa.relocate(cx, path, nat);
    Answered::Done
}

/// How the peer sees us.
fn mapping(answer: &Message) -> Option<Vec<u8>> {
    answer.notify(NotifyType::NAT_DETECTION_DESTINATION_IP).map(|notify| notify.data.clone())
}

fn check_mapping(sa: &mut Sa, answer: &Message) {
    let Some(seen) = mapping(answer) else { return };
    if sa.mobility.mapping.as_ref().is_some_and(|known| *known != seen) {
        tracing::info!(target: "IKE", "detected changes in NAT mappings, initiating MOBIKE update");
        sa.queue_step(Step::Update);
    }
    sa.mobility.mapping = Some(seen);
}

/// What a request of the peer's asks of us; the answer's payloads.
pub(crate) fn handle_request(sa: &mut Sa, cx: Cx<'_>, request: &Message) -> Vec<Payload> {
    let mut answer = Vec::new();
    if !sa.mobility.agreed {
        return answer;
    }
    let path = sa.processing.as_ref().map_or(sa.path, |request| request.path);
    if prohibits_nat(request, path) {
        tracing::info!(target: "IKE", "peer allows no NAT, but its packets are translated");
        return vec![Payload::status(NotifyType::UNEXPECTED_NAT_DETECTED)];
    }
    if let Some(listed) = listed(request) {
        sa.note_peer_addresses(cx, path.remote.ip(), listed);
    }
    let detects = request.has_notify(NotifyType::NAT_DETECTION_SOURCE_IP);
    if request.has_notify(NotifyType::UPDATE_SA_ADDRESSES) && sa.origin == Role::Responder {
        let came_from_elsewhere = path != sa.path;
        let nat = if detects { nat_detection::examine_at(sa, cx, request, path) } else { sa.nat };
        sa.relocate(cx, path, nat);
        if came_from_elsewhere {
            sa.queue_step(Step::Verify);
        }
    }
    if detects {
        answer.extend(detection(sa, cx, path));
    }
    answer.extend(
        request
            .notifies()
            .filter(|notify| notify.kind == NotifyType::COOKIE2)
            .take(1)
            .map(|notify| Payload::notify(NotifyType::COOKIE2, notify.data.clone())),
    );
    answer
}

/// Whether the peer allows no NAT (RFC 4555 §3.9), and there is one: NO_NATS_ALLOWED holds the addresses and ports as the
/// peer sent from and to.
pub(crate) fn prohibits_nat(request: &Message, path: Path) -> bool {
    let seen = [ip_octets(path.remote.ip()), ip_octets(path.local.ip())].concat();
    let ports = [path.remote.port().to_be_bytes(), path.local.port().to_be_bytes()].concat();
    let seen = [seen, ports].concat();
    request.notify(NotifyType::NO_NATS_ALLOWED).is_some_and(|notify| notify.data != seen)
}

fn ip_octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// Data of NO_NATS_ALLOWED for a path, for whoever speaks to us.
#[cfg(test)]
pub(crate) fn no_nats_allowed(source: std::net::SocketAddr, destination: std::net::SocketAddr) -> Vec<u8> {
    [
        ip_octets(source.ip()),
        ip_octets(destination.ip()),
        source.port().to_be_bytes().to_vec(),
        destination.port().to_be_bytes().to_vec(),
    ]
    .concat()
}
