//! Moves that meet other things under way: reservations, rekeyings, refusals of the kernel, and no address at all.

use std::sync::Arc;
use std::time::Duration;

use charon_types::endpoint::Path;
use charon_types::id::MessageId;
use charon_types::snapshot::NatConditions;

use super::handshake::{SOON, psk_pair};
use super::mobike::{A, A_LATER, A_LATEST, B, B_OTHER, assert_at, established, ip};
use super::pair::{Seen, Side};
use crate::ike_sa::Command;
use crate::output::CloseReason;
use crate::sa::Cx;
use crate::wire::{ExchangeType, MessageKind};

/// Of the first UPDATE_SA_ADDRESSES after a move.
const UPDATE: MessageId = MessageId(4);

#[test]
fn a_responder_that_was_cut_off_repeats_its_request_from_its_new_address() {
    let mut pair = established(&[A], &[B]);
    pair.filter = Box::new(|sent| sent.from != Side::B);
    let child = pair.snapshot(Side::B).children[0].unique_id;
    pair.command(Side::B, Command::RekeyChild { child, token: None });
    pair.roam(Side::B, &[]);
    pair.run(SOON);
    pair.filter = Box::new(|sent| sent.path.local.ip() != ip(B));
    pair.roam(Side::B, &[B_OTHER]);
    pair.run(SOON * 10);
    assert_at(&mut pair, A, B_OTHER);
    assert!(pair.b.events.iter().any(|event| matches!(event, Seen::ChildRekeyed(..))));
}

#[test]
fn a_reserved_spi_goes_along_to_the_new_address() {
    let mut pair = established(&[A], &[B]);
    pair.filter = Box::new(|sent| sent.path.local.ip() != ip(A));
    let child = pair.snapshot(Side::A).children[0].unique_id;
    pair.command(Side::A, Command::RekeyChild { child, token: None });
    pair.run(SOON);
    assert_eq!(pair.a.kernel.reserved.len(), 1);
    pair.roam(Side::A, &[A_LATER]);
    pair.run(SOON);
    pair.run(SOON * 10);
    assert_at(&mut pair, A_LATER, B);
    assert!(pair.a.kernel.reserved.is_empty(), "nothing is left behind");
    assert_eq!(pair.a.kernel.deleted_in_vain, 0);
}

#[test]
fn a_rekeying_by_the_peer_does_not_swallow_a_change_of_address() {
    // It comes while the path is looked for, while the peer is told, and after that.
    for answered in 0..5 {
        let mut pair = established(&[A], &[B]);
        let mut answers = 0;
        pair.filter = Box::new(move |sent| {
            let answer = sent.is(Side::B, ExchangeType::INFORMATIONAL, MessageKind::Response);
            answers += u32::from(answer);
            answers <= answered || !answer
        });
        pair.roam(Side::A, &[A_LATER]);
        pair.run(Duration::from_millis(100));
        pair.command(Side::B, Command::RekeyIke { token: None });
        pair.run(Duration::from_millis(100));
        pair.filter = Box::new(|_| true);
        pair.run(SOON * 10);
        assert_at(&mut pair, A_LATER, B);
    }
}

#[test]
fn a_rekeying_by_the_peer_does_not_swallow_the_second_of_two_changes_of_address() {
    let mut pair = established(&[A], &[B]);
    // A: probe, list of addresses, UPDATE_SA_ADDRESSES of its second address, which leaves from its third one only.
    pair.filter = Box::new(|sent| sent.from == Side::B || sent.header().message_id < UPDATE);
    pair.roam(Side::A, &[A_LATER]);
    pair.run(Duration::from_millis(100));
    pair.filter = Box::new(|sent| sent.from == Side::B || sent.header().message_id <= UPDATE);
    pair.roam(Side::A, &[A_LATEST]);
    pair.run(Duration::from_secs(1));
    assert_ne!(
        pair.snapshot(Side::B).nat,
        NatConditions::default(),
        "what it says is not where it comes from"
    );
    // The next update is lost until the peer has replaced the IKE_SA.
    pair.command(Side::B, Command::RekeyIke { token: None });
    pair.run(Duration::from_millis(100));
    pair.filter = Box::new(|_| true);
    pair.run(SOON * 10);
    assert_at(&mut pair, A_LATEST, B);
    assert_eq!(pair.snapshot(Side::B).nat, NatConditions::default());
}

#[test]
fn a_nat_that_forgot_before_a_rekeying_is_noticed_after_it() {
    let mut pair = psk_pair();
    Arc::make_mut(&mut pair.a.world.connections[0]).ike.dpd_delay = Duration::ZERO;
    *pair.a.world.addresses.borrow_mut() = vec![ip(A)];
    pair.network.nat = true;
    pair.initiate();
    pair.run(SOON);
    let before = pair.snapshot(Side::B).path.remote;
    pair.network.nat_shift += 1000;
    pair.command(Side::A, Command::RekeyIke { token: None });
    pair.run(SOON);
    let after = pair.snapshot(Side::B).path.remote;
    assert_eq!((after.ip(), after.port()), (before.ip(), before.port() + 1000));
}

#[test]
fn a_child_that_the_kernel_does_not_move_is_deleted() {
    let mut pair = established(&[A], &[B]);
    pair.a.kernel.stuck = true;
    pair.roam(Side::A, &[A_LATER]);
    pair.run(SOON);
    assert!(pair.snapshot(Side::A).children.is_empty() && pair.snapshot(Side::B).children.is_empty());
    let failed = |event: &Seen| matches!(event, Seen::ChildRemoved(CloseReason::Failed(_)));
    assert!(pair.a.events.iter().any(failed));
}

#[test]
fn an_ike_sa_without_any_path_ends_with_its_lifetime() {
    let mut pair = psk_pair();
    let lifetime = &mut Arc::make_mut(&mut pair.a.world.connections[0]).ike.lifetime;
    (lifetime.rekey_time, lifetime.over_time, lifetime.rand_time) = (SOON * 10, SOON, Duration::ZERO);
    *pair.a.world.addresses.borrow_mut() = vec![ip(A)];
    pair.initiate();
    pair.run(SOON);
    pair.roam(Side::A, &[]);
    pair.filter = Box::new(|sent| sent.from == Side::B);
    pair.run(SOON * 20);
    assert!(pair.a.sas.is_empty());
}

#[test]
fn a_message_from_another_port_makes_the_initiator_look_where_a_responder_behind_a_nat_is_now() {
    let mut pair = established(&[A], &[B]);
    let now = pair.now();
    let host = &mut pair.a;
    let cx = Cx { now, env: &host.world.env() };
    let sa = &mut host.sas[0].sa;
    let mut remote = sa.path.remote;
    remote.set_port(61_000);
    let elsewhere = Path { remote, ..sa.path };
    sa.mind_mapping(cx, elsewhere);
    assert!(sa.mobility.probing.is_empty(), "without a NAT it is of no account");
    sa.nat.remote = true;
    sa.mind_mapping(cx, elsewhere);
    assert_eq!(sa.mobility.probing, [elsewhere, sa.path]);
    let mut again = elsewhere;
    again.remote.set_port(62_000);
    sa.mind_mapping(cx, again);
    assert_eq!(sa.mobility.probing, [elsewhere, sa.path, again], "it may change while one looks");
}
