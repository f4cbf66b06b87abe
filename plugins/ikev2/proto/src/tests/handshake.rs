//! From nothing to a tunnel.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use charon_types::algorithm::KeMethod;
use charon_types::connection::{AuthMethod, Connection, Unique};
use charon_types::endpoint::Path;
use charon_types::id::{Reqid, UniqueId};
use charon_types::kernel_op::{Direction, Encap, EncapSupport};
use charon_types::proposal::Protocol;
use charon_types::selector::TrafficSelector;
use charon_types::snapshot::IkeSaState;

use super::pair::{Pair, Seen, Side};
use super::world::{World, auth, child, connection, id, proposals};
use crate::admission::{DropReason, HalfOpen, shows_cookie};
use crate::failure::{Failure, Refusal};
use crate::ike_sa::Command;
use crate::output::{CloseReason, CommandSuccess, CommandToken, InitialContact};
use crate::wire::{Message, NotifyType, PayloadType};

pub(super) const A_NETS: (&str, &str) = ("10.1.0.0/16", "10.2.0.0/16");
pub(super) const B_NETS: (&str, &str) = ("10.2.0.0/16", "10.1.0.0/16");

/// Two hosts that share a key.
pub(super) fn psk_pair() -> Pair {
    let (moon, sun) = ("moon.example.org", "sun.example.org");
    let psk = |name| auth(AuthMethod::Psk, Some(name));
    let mut a = World::new(connection("gw", psk(moon), psk(sun), A_NETS));
    let mut b = World::new(connection("gw", psk(sun), psk(moon), B_NETS));
    a.share(moon, sun, b"a shared secret");
    b.share(sun, moon, b"a shared secret");
    Pair::new(a, b)
}

pub(super) const SOON: Duration = Duration::from_secs(2);

#[test]
fn an_established_tunnel_keeps_no_room_for_what_is_over() {
    let mut pair = psk_pair();
    pair.initiate();
    pair.run(SOON);
    for side in [Side::A, Side::B] {
        assert_eq!(pair.sa(side).sa.spare_room(), 0);
    }
}

#[test]
fn hosts_with_a_shared_key_establish_a_tunnel() {
    let mut pair = psk_pair();
    pair.initiate();
    pair.run(SOON);
    assert_eq!(
        pair.a.events,
        [
            Seen::Established,
            Seen::ChildInstalled,
            Seen::Done(1, Ok(CommandSuccess::ChildInstalled(UniqueId(1)))),
        ]
    );
    assert_eq!(pair.b.events, [Seen::Established, Seen::ChildInstalled]);
    assert_eq!(pair.sent.len(), 4, "two exchanges");
    for side in [Side::A, Side::B] {
        let snapshot = pair.snapshot(side);
        assert_eq!(snapshot.state, IkeSaState::Established);
        assert_eq!(snapshot.children.len(), 1);
        assert!(!snapshot.nat.any());
    }
    assert_keys_agree(&pair);
}

/// What one side sends with, the other receives with.
pub(super) fn assert_keys_agree(pair: &Pair) {
    assert_eq!(pair.a.kernel.sas.len(), 2);
    assert_eq!(pair.b.kernel.sas.len(), 2);
    for sa in &pair.a.kernel.sas {
        let twin =
            pair.b.kernel.sas.iter().find(|twin| twin.spi == sa.spi).expect("the same SPI on both sides");
        assert_ne!(twin.direction, sa.direction);
        assert_eq!(twin.encryption, sa.encryption);
        assert_eq!(twin.integrity, sa.integrity);
        assert_eq!((&twin.source_ts, &twin.destination_ts), (&sa.source_ts, &sa.destination_ts));
        assert_eq!((twin.encap, twin.mode, twin.esn), (sa.encap, sa.mode, sa.esn));
    }
    let inbound = pair.a.kernel.sas.iter().find(|sa| sa.direction == Direction::Inbound).unwrap();
    assert!(inbound.encap == Encap::None || inbound.destination.port() == 4500);
}

#[test]
fn a_wrong_key_ends_in_authentication_failed_and_leaves_nothing() {
    let mut pair = psk_pair();
    pair.b.world.secrets.clear();
    pair.b.world.share("sun.example.org", "moon.example.org", b"another secret");
    pair.initiate();
    pair.run(SOON);
    let rejected = Failure::Rejected(NotifyType::AUTHENTICATION_FAILED.0);
    assert_eq!(
        pair.a.events,
        [
            Seen::Done(1, Err(rejected.clone())),
            Seen::Closed(CloseReason::Failed(rejected), IkeSaState::Connecting),
        ]
    );
    let refused = CloseReason::Failed(Refusal::AuthenticationFailed.into());
    assert_eq!(pair.b.events, [Seen::Closed(refused, IkeSaState::Connecting)]);
    assert_nothing_left(&pair);
}

#[test]
fn a_responder_without_a_key_tells_no_more_than_with_a_wrong_one() {
    let mut pair = psk_pair();
    pair.b.world.secrets.clear();
    pair.initiate();
    pair.run(SOON);
    let rejected = Failure::Rejected(NotifyType::AUTHENTICATION_FAILED.0);
    assert_eq!(pair.a.events.first(), Some(&Seen::Done(1, Err(rejected))));
    assert_nothing_left(&pair);
}

#[test]
fn an_initiator_that_distrusts_the_responder_says_so() {
    let mut pair = psk_pair();
    let mut connection = Connection::clone(&pair.b.world.connections[0]);
    connection.local[0].id = Some(id("mallory.example.org"));
    pair.b.world.connections[0] = Arc::new(connection);
    pair.b.world.share("mallory.example.org", "moon.example.org", b"a shared secret");
    let mut connection = Connection::clone(&pair.a.world.connections[0]);
    connection.remote[0].id = Some(id("*.example.com"));
    pair.a.world.share("moon.example.org", "*.example.com", b"a shared secret");
    pair.a.world.connections[0] = Arc::new(connection);
    pair.initiate();
    pair.run(SOON);
    let refusal = Failure::from(Refusal::IdentityMismatch);
    assert_eq!(pair.a.events.first(), Some(&Seen::Done(1, Err(refusal))));
    let told = CloseReason::Failed(Failure::Rejected(NotifyType::AUTHENTICATION_FAILED.0));
    assert_eq!(pair.b.events.last(), Some(&Seen::Closed(told, IkeSaState::Deleting)));
    assert_nothing_left(&pair);
}

#[test]
fn the_responder_asks_for_the_key_exchange_method_that_it_wants() {
    let mut pair = psk_pair();
    set_ike_proposals(&mut pair.b.world, &["aes256-sha256-prfsha256-ecp256"]);
    set_ike_proposals(&mut pair.a.world, &["aes256-sha256-prfsha256-x25519-ecp256"]);
    pair.initiate();
    pair.run(SOON);
    assert_eq!(pair.sent.len(), 6, "one more exchange");
    let suite = pair.snapshot(Side::A).suite.unwrap();
    assert_eq!(suite.ke, KeMethod::ECP_256);
    assert_keys_agree(&pair);
}

#[test]
fn nothing_in_common_is_no_proposal_chosen_and_no_state() {
    let mut pair = psk_pair();
    set_ike_proposals(&mut pair.b.world, &["aes128gcm16-prfsha256-modp2048"]);
    pair.initiate();
    pair.run(SOON);
    let rejected = Failure::Rejected(NotifyType::NO_PROPOSAL_CHOSEN.0);
    assert_eq!(pair.a.events.first(), Some(&Seen::Done(1, Err(rejected))));
    assert!(pair.b.events.is_empty(), "the responder forgot it at once");
    assert_nothing_left(&pair);
}

#[test]
fn a_responder_under_load_demands_a_cookie_once() {
    let mut pair = psk_pair();
    pair.b.half_open = HalfOpen { total: 40, from_source: 0, ..HalfOpen::default() };
    pair.initiate();
    pair.run(SOON);
    assert_eq!(pair.sent.len(), 6, "one more exchange");
    let cookie = Message::parse(&pair.sent[2].octets).unwrap();
    assert_eq!(cookie.payloads[0].kind(), PayloadType::NOTIFY, "the cookie comes first");
    assert!(cookie.has_notify(NotifyType::COOKIE));
    assert_eq!(cookie.nonce(), Message::parse(&pair.sent[0].octets).unwrap().nonce());
    assert_keys_agree(&pair);
}

#[test]
fn a_request_that_shows_a_cookie_of_ours_is_known_by_it() {
    let mut pair = psk_pair();
    pair.b.half_open = HalfOpen { total: 40, from_source: 0, ..HalfOpen::default() };
    pair.initiate();
    pair.run(SOON);
    let (without, with) = (&pair.sent[0], &pair.sent[2]);
    let path = Path { local: with.path.remote, remote: with.path.local };
    let shows = |octets: &[u8]| shows_cookie(pair.now().mono, &pair.b.cookies, path, octets);
    assert!(shows(&with.octets));
    assert!(!shows(&without.octets));
    let mut made_up = with.octets.clone();
    // The first octet behind header, payload header, notification header and time.
    made_up[28 + 4 + 4 + 4] ^= 1;
    assert!(!shows(&made_up));
    assert!(!shows_cookie(
        pair.now().mono,
        &pair.b.cookies,
        Path { remote: path.local, ..path },
        &with.octets
    ));
}

#[test]
fn a_cookie_and_another_method_may_be_demanded_in_one_handshake() {
    let mut pair = psk_pair();
    pair.b.half_open = HalfOpen { total: 40, from_source: 0, ..HalfOpen::default() };
    set_ike_proposals(&mut pair.b.world, &["aes256-sha256-prfsha256-ecp256"]);
    set_ike_proposals(&mut pair.a.world, &["aes256-sha256-prfsha256-x25519-ecp256"]);
    pair.initiate();
    pair.run(SOON);
    assert_keys_agree(&pair);
    assert!(pair.sent.len() <= 10, "cookie, method, cookie for the new nonce at most");
}

#[test]
fn a_source_with_too_many_half_open_sas_is_not_answered() {
    let mut pair = psk_pair();
    pair.b.half_open = HalfOpen { total: 5, from_source: 5, ..HalfOpen::default() };
    pair.initiate();
    pair.run(SOON);
    assert_eq!(pair.sent.len(), 1);
    assert_eq!(pair.b.dropped, [DropReason::Blocked]);
}

#[test]
fn selectors_are_narrowed_to_what_both_allow() {
    let mut pair = psk_pair();
    set_child(&mut pair.a.world, ("10.1.0.0/16", "0.0.0.0/0"));
    pair.initiate();
    pair.run(SOON);
    let children = pair.snapshot(Side::A).children;
    assert_eq!(children[0].remote_ts, [TrafficSelector::subnet("10.2.0.0".parse().unwrap(), 16)]);
    assert_keys_agree(&pair);
}

#[test]
fn a_child_that_a_trap_brings_up_has_the_reqid_of_the_trap_however_it_is_narrowed_and_rekeyed() {
    let mut pair = psk_pair();
    set_child(&mut pair.a.world, ("10.1.0.0/16", "0.0.0.0/0"));
    let reqid = NonZeroU32::new(77).map(Reqid);
    pair.a.world.trap_reqid.set(reqid);
    // Those of the peer are its own affair.
    pair.b.world.trap_reqid.set(NonZeroU32::new(88).map(Reqid));
    pair.initiate();
    pair.run(SOON);
    let reqids = |pair: &Pair| [&pair.a, &pair.b].map(|host| host.kernel.sas.first().map(|sa| sa.reqid));
    assert_eq!(reqids(&pair), [reqid, Some(Reqid(NonZeroU32::MIN))]);
    pair.a.world.trap_reqid.set(None);
    for side in [Side::A, Side::B] {
        let child = pair.snapshot(side).children[0].unique_id;
        pair.command(side, Command::RekeyChild { child, token: None });
        pair.run(Duration::from_secs(10));
        assert_eq!(reqids(&pair), [reqid, Some(Reqid(NonZeroU32::MIN))]);
    }
}

#[test]
fn selectors_without_overlap_leave_the_ike_sa_alone() {
    let mut pair = psk_pair();
    set_child(&mut pair.a.world, ("172.16.0.0/16", "10.2.0.0/16"));
    pair.initiate();
    pair.run(SOON);
    let rejected = Failure::Rejected(NotifyType::TS_UNACCEPTABLE.0);
    assert_eq!(pair.a.events, [Seen::Established, Seen::Done(1, Err(rejected))]);
    assert_eq!(pair.b.events, [Seen::Established]);
    assert!(pair.a.kernel.is_empty() && pair.b.kernel.is_empty(), "the reserved SPI was given back");
}

#[test]
fn a_kernel_that_refuses_the_child_leaves_the_ike_sa_alone() {
    for broken in [Side::A, Side::B] {
        let mut pair = psk_pair();
        pair.host(broken).kernel.broken = true;
        pair.initiate();
        pair.run(SOON);
        assert_eq!(pair.snapshot(Side::A).state, IkeSaState::Established);
        assert!(pair.snapshot(Side::A).children.is_empty());
        assert!(pair.snapshot(Side::B).children.is_empty(), "the peer was told");
        assert!(pair.a.kernel.is_empty() && pair.b.kernel.is_empty());
        assert_eq!(pair.a.world.reqids_in_use() + pair.b.world.reqids_in_use(), 0);
    }
}

#[test]
fn without_a_child_the_ike_sa_is_established_alone() {
    let mut pair = psk_pair();
    pair.initiate_with(None);
    pair.run(SOON);
    let done = Seen::Done(1, Ok(CommandSuccess::IkeEstablished));
    assert_eq!(pair.a.events, [Seen::Established, done]);
    let config = Arc::clone(&pair.a.world.connections[0].children[0]);
    pair.command(Side::A, Command::InitiateChild { child: config, token: Some(CommandToken(2)) });
    pair.run(SOON);
    assert_eq!(pair.a.events.last(), Some(&Seen::Done(2, Ok(CommandSuccess::ChildInstalled(UniqueId(1))))));
    let suite = pair.snapshot(Side::B).children[0].installed.as_ref().unwrap().suite;
    assert_eq!(suite.ke, Some(KeMethod::CURVE_25519), "a key exchange of its own");
    assert_keys_agree(&pair);
}

#[test]
fn behind_a_nat_both_sides_encapsulate_and_only_the_inside_keeps_alive() {
    let mut pair = psk_pair();
    pair.network.nat = true;
    pair.initiate();
    pair.run(Duration::from_secs(65));
    let (inside, outside) = (pair.snapshot(Side::A), pair.snapshot(Side::B));
    assert!(inside.nat.local && !inside.nat.remote);
    assert!(outside.nat.remote && !outside.nat.local);
    assert_eq!(inside.path.local.port(), 4500);
    assert_eq!(outside.path.local.port(), 4500);
    assert_eq!(outside.path.remote, "198.51.100.1:34500".parse().unwrap());
    assert!(pair.a.kernel.sas.iter().chain(&pair.b.kernel.sas).all(|sa| sa.encap == Encap::Udp));
    assert_eq!((pair.a.keepalives, pair.b.keepalives), (3, 0));
}

#[test]
fn a_kernel_that_only_encapsulates_pretends_a_nat() {
    let mut pair = psk_pair();
    for side in [Side::A, Side::B] {
        pair.host(side).world.capabilities.encapsulation = EncapSupport::UdpOnly;
    }
    pair.initiate();
    pair.run(SOON);
    assert_keys_agree(&pair);
    assert!(pair.snapshot(Side::A).nat.remote && pair.snapshot(Side::B).nat.remote);
    assert!(pair.a.kernel.sas.iter().chain(&pair.b.kernel.sas).all(|sa| sa.encap == Encap::Udp));
    assert_eq!(pair.snapshot(Side::B).path.local.port(), 4500);
}

#[test]
fn only_one_side_that_must_encapsulate_is_enough() {
    for side in [Side::A, Side::B] {
        let mut pair = psk_pair();
        pair.host(side).world.capabilities.encapsulation = EncapSupport::UdpOnly;
        pair.initiate();
        pair.run(SOON);
        assert_keys_agree(&pair);
        assert!(pair.a.kernel.sas.iter().chain(&pair.b.kernel.sas).all(|sa| sa.encap == Encap::Udp));
    }
}

#[test]
fn initial_contact_is_sent_when_nobody_else_is_connected() {
    for connected in [false, true] {
        let mut pair = psk_pair();
        pair.a.world.connected.set(connected);
        pair.initiate();
        pair.run(SOON);
        let expected = if connected { InitialContact::Absent } else { InitialContact::Received };
        assert_eq!(pair.b.initial_contact, Some(expected));
    }
}

#[test]
fn a_newcomer_is_refused_where_the_older_ike_sa_is_kept() {
    let mut pair = psk_pair();
    pair.a.world.connected.set(true);
    pair.b.world.refuses.set(true);
    let mut connection = Connection::clone(&pair.b.world.connections[0]);
    connection.ike.unique = Unique::Keep;
    pair.b.world.connections[0] = Arc::new(connection);
    pair.initiate();
    pair.run(SOON);
    assert_nothing_left(&pair);
}

/// Replaces the IKE proposals of a host's first connection.
pub(super) fn set_ike_proposals(world: &mut World, list: &[&str]) {
    let mut connection = Connection::clone(&world.connections[0]);
    connection.ike.proposals = proposals(Protocol::Ike, list);
    world.connections[0] = Arc::new(connection);
}

/// Replaces the child of a host's first connection.
pub(super) fn set_child(world: &mut World, nets: (&str, &str)) {
    let mut connection = Connection::clone(&world.connections[0]);
    connection.children = vec![Arc::new(child("net", nets))];
    world.connections[0] = Arc::new(connection);
}

/// No IKE_SA, no SA or policy in a kernel, no reqid in use.
pub(super) fn assert_nothing_left(pair: &Pair) {
    for host in [&pair.a, &pair.b] {
        assert!(host.sas.is_empty());
        assert!(host.kernel.is_empty());
        assert_eq!(host.world.reqids_in_use(), 0);
    }
}

#[test]
fn a_refused_sa_of_somebody_else_stays_where_it_is() {
    // The peer chose an SPI that our kernel has for another child: that one must not be taken out.
    let mut pair = psk_pair();
    pair.initiate();
    pair.run(SOON);
    let before = pair.a.kernel.sas.len();
    pair.a.kernel.refuses_outbound = true;
    let config = Arc::clone(&pair.a.world.connections[0].children[0]);
    pair.command(Side::A, Command::InitiateChild { child: config, token: Some(CommandToken(2)) });
    pair.run(SOON);
    assert_eq!(pair.a.kernel.sas.len(), before);
    assert_eq!(pair.a.kernel.deleted_in_vain, 0);
    assert!(pair.a.kernel.reserved.is_empty());
}
