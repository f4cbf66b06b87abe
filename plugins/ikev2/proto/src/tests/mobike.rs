//! Hosts that move, NATs that forget, and who is told.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use charon_types::connection::Toggle;
use charon_types::endpoint::Path;
use charon_types::id::MessageId;
use charon_types::kernel_op::Encap;
use charon_types::snapshot::IkeSaState;

use super::handshake::{SOON, psk_pair};
use super::pair::{Pair, Seen, Side};
use crate::exchange::mobike::{self, Answered};
use crate::ike_sa::Command;
use crate::sa::{Cx, Processing};
use crate::window::Digest;
use crate::wire::{ExchangeType, Header, Message, MessageKind, NotifyType, Payload, PayloadType};

pub(super) const A: &str = "192.0.2.1";
pub(super) const A_LATER: &str = "192.0.2.11";
pub(super) const A_LATEST: &str = "192.0.2.12";
pub(super) const B: &str = "192.0.2.2";
pub(super) const B_OTHER: &str = "192.0.2.22";

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Two hosts with a tunnel and these addresses.
pub(super) fn established(a: &[&str], b: &[&str]) -> Pair {
    let mut pair = psk_pair();
    for (host, addresses) in [(&pair.a, a), (&pair.b, b)] {
        *host.world.addresses.borrow_mut() = addresses.iter().map(|text| ip(text)).collect();
    }
    pair.initiate();
    pair.run(SOON);
    assert_eq!(pair.snapshot(Side::B).state, IkeSaState::Established);
    pair
}

/// Both ends and all their SAs are at these addresses.
pub(super) fn assert_at(pair: &mut Pair, a: &str, b: &str) {
    let (a, b) = (ip(a), ip(b));
    for (side, local, remote) in [(Side::A, a, b), (Side::B, b, a)] {
        let path = pair.snapshot(side).path;
        assert_eq!((path.local.ip(), path.remote.ip()), (local, remote), "{side:?}");
        let kernel = &pair.host(side).kernel;
        assert_eq!(kernel.sas.len(), 2);
        for sa in &kernel.sas {
            let mut ends = [sa.source.ip(), sa.destination.ip()];
            ends.sort();
            let mut expected = [a, b];
            expected.sort();
            assert_eq!(ends, expected, "{side:?}");
        }
    }
}

fn moves(pair: &mut Pair, side: Side) -> usize {
    pair.host(side).events.iter().filter(|event| matches!(event, Seen::Moved(_))).count()
}

#[test]
fn both_sides_learn_of_each_others_addresses() {
    let mut pair = established(&[A, "10.1.0.1", "2001:db8::1"], &[B]);
    assert_eq!(pair.sa(Side::B).sa.mobility.peer_addresses, [ip("10.1.0.1"), ip("2001:db8::1")]);
    assert!(pair.sa(Side::A).sa.mobility.agreed && pair.sa(Side::B).sa.mobility.agreed);
    assert!(pair.sa(Side::A).sa.mobility.peer_addresses.is_empty());
}

#[test]
fn the_initiator_goes_on_at_its_new_address_and_the_responder_follows() {
    let mut pair = established(&[A], &[B]);
    pair.roam(Side::A, &[A_LATER]);
    pair.run(SOON);
    assert_at(&mut pair, A_LATER, B);
    assert_eq!((moves(&mut pair, Side::A), moves(&mut pair, Side::B)), (1, 1));
    assert_eq!(pair.a.kernel.deleted_in_vain + pair.b.kernel.deleted_in_vain, 0);
    let child = pair.snapshot(Side::A).children[0].unique_id;
    pair.command(Side::A, Command::RekeyChild { child, token: None });
    pair.run(SOON * 10);
    assert_at(&mut pair, A_LATER, B);
}

#[test]
fn an_address_that_stays_means_that_nothing_moves_but_the_list_is_told() {
    let mut pair = established(&[A], &[B]);
    pair.roam(Side::A, &[A, A_LATER]);
    pair.run(SOON);
    assert_at(&mut pair, A, B);
    assert_eq!(moves(&mut pair, Side::A), 0);
    assert_eq!(pair.sa(Side::B).sa.mobility.peer_addresses, [ip(A_LATER)]);
    pair.roam(Side::A, &[A]);
    pair.run(SOON);
    assert!(pair.sa(Side::B).sa.mobility.peer_addresses.is_empty());
}

#[test]
fn of_several_paths_the_one_that_works_is_taken() {
    let mut pair = established(&[A], &[B, B_OTHER]);
    pair.filter = Box::new(|sent| sent.from == Side::B || sent.path.remote.ip() != ip(B));
    pair.roam(Side::A, &[A_LATER]);
    pair.run(SOON * 5);
    assert_at(&mut pair, A_LATER, B_OTHER);
}

#[test]
fn silence_makes_the_initiator_try_the_peers_other_address() {
    let mut pair = established(&[A], &[B, B_OTHER]);
    pair.filter = Box::new(|sent| sent.from == Side::B || sent.path.remote.ip() != ip(B));
    let child = pair.snapshot(Side::A).children[0].unique_id;
    pair.command(Side::A, Command::RekeyChild { child, token: None });
    pair.run(Duration::from_secs(40));
    let path = pair.snapshot(Side::A).path;
    assert_eq!(path.remote.ip(), ip(B_OTHER));
    assert_eq!(pair.snapshot(Side::B).path.local.ip(), ip(B_OTHER));
}

#[test]
fn a_peer_that_is_silent_at_all_its_addresses_is_given_up_no_later_than_others() {
    let mut pair = established(&[A], &[B, B_OTHER]);
    pair.filter = Box::new(|sent| sent.from == Side::B);
    let child = pair.snapshot(Side::A).children[0].unique_id;
    pair.command(Side::A, Command::RekeyChild { child, token: None });
    // strongSwan's schedule: 4 s and five longer waits, 165 s in all.
    pair.run(Duration::from_secs(164));
    assert!(pair.sent.iter().any(|sent| sent.path.remote.ip() == ip(B_OTHER)), "its other address is tried");
    assert!(!pair.a.sas.is_empty());
    pair.run(Duration::from_secs(2));
    assert!(pair.a.sas.is_empty());
}

#[test]
fn a_request_under_way_is_finished_at_the_new_address() {
    let mut pair = established(&[A], &[B]);
    pair.filter = Box::new(|sent| sent.path.local.ip() != ip(A));
    let child = pair.snapshot(Side::A).children[0].unique_id;
    pair.command(Side::A, Command::RekeyChild { child, token: None });
    pair.run(SOON);
    pair.roam(Side::A, &[A_LATER]);
    pair.run(SOON * 10);
    assert_at(&mut pair, A_LATER, B);
    assert!(pair.a.events.iter().any(|event| matches!(event, Seen::ChildRekeyed(..))));
}

#[test]
fn without_any_path_it_waits_until_there_is_one() {
    let mut pair = established(&[A], &[B]);
    pair.roam(Side::A, &[]);
    let before = pair.sent.len();
    pair.run(Duration::from_secs(3600));
    let from_a = pair.sent[before..].iter().filter(|sent| sent.from == Side::A).count();
    assert_eq!(from_a, 0, "nothing is sent from nowhere");
    pair.roam(Side::A, &[A_LATER]);
    pair.run(SOON);
    assert_at(&mut pair, A_LATER, B);
}

#[test]
fn the_responders_new_address_is_taken_up_by_the_initiator() {
    let mut pair = established(&[A], &[B]);
    pair.roam(Side::B, &[B_OTHER]);
    pair.filter = Box::new(|sent| sent.path.local.ip() != ip(B) && sent.path.remote.ip() != ip(B));
    pair.run(SOON * 10);
    assert_at(&mut pair, A, B_OTHER);
}

#[test]
fn without_mobike_nothing_is_announced_and_nothing_moves() {
    let mut pair = psk_pair();
    Arc::make_mut(&mut pair.b.world.connections[0]).ike.mobike = Toggle::Disabled;
    *pair.a.world.addresses.borrow_mut() = vec![ip(A)];
    pair.initiate();
    pair.run(SOON);
    assert!(!pair.sa(Side::A).sa.mobility.agreed && !pair.sa(Side::B).sa.mobility.agreed);
    let before = pair.sent.len();
    pair.roam(Side::A, &[A_LATER]);
    pair.run(SOON);
    assert_eq!(pair.sent.len(), before);
}

#[test]
fn a_nat_that_is_found_on_the_way_is_encapsulated_for_and_one_that_is_left_no_more() {
    let mut pair = established(&[A], &[B]);
    assert!(pair.a.kernel.sas.iter().all(|sa| sa.encap == Encap::None));
    pair.network.nat = true;
    pair.roam(Side::A, &[A_LATER]);
    pair.run(SOON);
    assert!(pair.snapshot(Side::A).nat.local && pair.snapshot(Side::B).nat.remote);
    assert!(pair.a.kernel.sas.iter().chain(&pair.b.kernel.sas).all(|sa| sa.encap == Encap::Udp));
    pair.network.nat = false;
    pair.roam(Side::A, &[A]);
    pair.run(SOON);
    assert_at(&mut pair, A, B);
    assert!(pair.a.kernel.sas.iter().chain(&pair.b.kernel.sas).all(|sa| sa.encap == Encap::None));
}

#[test]
fn the_responder_checks_that_the_initiator_is_where_it_says() {
    let mut pair = established(&[A], &[B]);
    let before = pair.sent.len();
    pair.roam(Side::A, &[A_LATER]);
    pair.run(SOON);
    let asked = pair.sent[before..]
        .iter()
        .any(|sent| sent.is(Side::B, ExchangeType::INFORMATIONAL, MessageKind::Request));
    assert!(asked, "with a cookie that must come back");
}

fn informational(kind: MessageKind, payloads: Vec<Payload>, pair: &mut Pair) -> Message {
    let spi = pair.sa(Side::A).local_spi();
    let header = Header {
        spi_initiator: spi,
        spi_responder: pair.sa(Side::A).remote_spi(),
        next_payload: PayloadType::NOTIFY,
        exchange: ExchangeType::INFORMATIONAL,
        sender: charon_types::id::Role::Responder,
        kind,
        message_id: MessageId(9),
    };
    Message { header, payloads }
}

#[test]
fn whoever_returns_another_cookie_is_not_the_peer() {
    let mut pair = established(&[A], &[B]);
    let forged = vec![Payload::notify(NotifyType::COOKIE2, vec![7; 16])];
    let answer = informational(MessageKind::Response, forged, &mut pair);
    let now = pair.now();
    let host = &mut pair.a;
    let cx = Cx { now, env: &host.world.env() };
    let sa = &mut host.sas[0].sa;
    let asked = mobike::begin(sa, cx, mobike::Step::Verify).unwrap();
    assert!(matches!(asked.handle(sa, cx, &answer), Answered::Close(_)));
}

#[test]
fn a_peer_that_allows_no_nat_is_told_of_one() {
    let mut pair = established(&[A], &[B]);
    let path = pair.snapshot(Side::B).path;
    for (data, refused) in [
        (mobike::no_nats_allowed(path.remote, path.local), false),
        (mobike::no_nats_allowed("10.0.0.1:4500".parse().unwrap(), path.local), true),
        (Vec::new(), true),
    ] {
        let payloads = vec![Payload::notify(NotifyType::NO_NATS_ALLOWED, data)];
        let request = informational(MessageKind::Request, payloads, &mut pair);
        let answer = handle(&mut pair, path, &request);
        let told =
            answer.iter().any(|payload| *payload == Payload::status(NotifyType::UNEXPECTED_NAT_DETECTED));
        assert_eq!(told, refused);
    }
}

/// What B answers to a request.
fn handle(pair: &mut Pair, path: Path, request: &Message) -> Vec<Payload> {
    let now = pair.now();
    let host = &mut pair.b;
    let cx = Cx { now, env: &host.world.env() };
    let sa = &mut host.sas[0].sa;
    sa.processing = Some(Processing {
        id: MessageId(9),
        exchange: ExchangeType::INFORMATIONAL,
        digest: Digest::of(cx.env.crypto, b"request"),
        path,
    });
    let answer = mobike::handle_request(sa, cx, request);
    sa.processing = None;
    answer
}

#[test]
fn a_nat_that_forgets_is_noticed_by_the_next_liveness_check() {
    let mut pair = psk_pair();
    Arc::make_mut(&mut pair.a.world.connections[0]).ike.dpd_delay = SOON;
    *pair.a.world.addresses.borrow_mut() = vec![ip(A)];
    pair.network.nat = true;
    pair.initiate();
    pair.run(SOON);
    let before = pair.snapshot(Side::B).path.remote;
    pair.network.nat_shift += 1000;
    pair.run(SOON * 3);
    let after = pair.snapshot(Side::B).path.remote;
    assert_eq!((after.ip(), after.port()), (before.ip(), before.port() + 1000));
    let outbound = pair.b.kernel.sas.iter().find(|sa| sa.destination == after);
    assert!(outbound.is_some(), "what the responder sends goes to the new mapping");
    assert_eq!(moves(&mut pair, Side::B), 1);
}
