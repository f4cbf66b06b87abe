//! When an IKE_SA is established anew, and what with.

use std::sync::Arc;
use std::time::Duration;

use charon_types::connection::{Connection, Toggle};
use charon_types::lifetime::IkeLifetime;
use charon_types::snapshot::IkeSaState;

use super::handshake::{SOON, assert_nothing_left, psk_pair};
use super::pair::{Host, Pair, Seen, Side};
use crate::ike_sa::Command;
use crate::output::{CloseReason, CommandSuccess, CommandToken, Order};

fn reauthenticate(token: u64) -> Command {
    Command::Reauthenticate { token: Some(CommandToken(token)) }
}

fn change(host: &mut Host, change: impl FnOnce(&mut Connection)) {
    let mut connection = (*host.world.connections[0]).clone();
    change(&mut connection);
    host.world.connections[0] = Arc::new(connection);
}

fn reauth_after(seconds: u64, over: u64) -> IkeLifetime {
    IkeLifetime {
        rekey_time: Duration::ZERO,
        reauth_time: Duration::from_secs(seconds),
        over_time: Duration::from_secs(over),
        rand_time: Duration::ZERO,
    }
}

fn established(pair: &mut Pair) {
    pair.initiate();
    pair.run(SOON);
    pair.a.events.clear();
    pair.b.events.clear();
}

#[test]
fn make_before_break_leaves_the_old_ike_sa_to_the_shell_and_asks_once() {
    let mut pair = psk_pair();
    established(&mut pair);
    pair.command(Side::A, reauthenticate(2));
    pair.command(Side::A, reauthenticate(3));
    pair.run(SOON);
    let done = |token| Seen::Done(token, Ok(CommandSuccess::IkeRekeyed));
    assert_eq!(pair.a.events, [Seen::Reauthenticate(Order::MakeBeforeBreak, 1), done(2), done(3)]);
    assert_eq!(pair.snapshot(Side::A).state, IkeSaState::Established);
}

#[test]
fn what_could_not_be_established_anew_is_tried_again_as_long_as_the_old_ike_sa_lives() {
    let mut pair = psk_pair();
    change(&mut pair.a, |connection| connection.ike.lifetime = reauth_after(1000, 100));
    established(&mut pair);
    let attempts = |pair: &Pair| {
        let begun = |event: &&Seen| matches!(event, Seen::Reauthenticate(Order::MakeBeforeBreak, 1));
        pair.a.events.iter().filter(begun).count()
    };
    pair.run(Duration::from_secs(1000));
    for attempt in 1..=3 {
        assert_eq!(attempts(&pair), attempt);
        pair.fail_reauthentication(Side::A);
        assert_eq!(attempts(&pair), attempt, "not at once");
        pair.run(Duration::from_secs(16));
    }
    pair.run(Duration::from_secs(100));
    assert_nothing_left(&pair);
}

#[test]
fn a_rekeying_that_waited_for_the_reauthentication_begins_when_that_has_failed() {
    let mut pair = psk_pair();
    established(&mut pair);
    pair.command(Side::A, reauthenticate(2));
    pair.command(Side::A, Command::RekeyIke { token: Some(CommandToken(3)) });
    pair.run(SOON);
    let rekeyed = Seen::Done(3, Ok(CommandSuccess::IkeRekeyed));
    assert!(!pair.a.events.contains(&rekeyed));
    pair.fail_reauthentication(Side::A);
    pair.run(Duration::from_secs(1));
    assert!(pair.a.events.contains(&rekeyed), "at once");
}

#[test]
fn a_failure_that_nobody_waits_for_changes_nothing() {
    let mut pair = psk_pair();
    established(&mut pair);
    pair.fail_reauthentication(Side::A);
    pair.run(Duration::from_secs(20));
    assert_eq!(pair.a.events, []);
}

#[test]
fn break_before_make_deletes_first_and_remembers_the_children() {
    let mut pair = psk_pair();
    pair.a.world.settings.make_before_break = Toggle::Disabled;
    established(&mut pair);
    pair.command(Side::A, reauthenticate(2));
    pair.run(SOON);
    assert_eq!(
        pair.a.events,
        [
            Seen::Reauthenticate(Order::BreakBeforeMake, 1),
            Seen::ChildRemoved(CloseReason::Reauthentication),
            Seen::Closed(CloseReason::Reauthentication, IkeSaState::Deleting),
            Seen::Done(2, Ok(CommandSuccess::Terminated)),
        ]
    );
    assert_nothing_left(&pair);
}

#[test]
fn the_time_of_reauthentication_survives_rekeying() {
    let mut pair = psk_pair();
    change(&mut pair.a, |connection| connection.ike.lifetime = reauth_after(1000, 100));
    established(&mut pair);
    pair.run(Duration::from_secs(600));
    pair.command(Side::B, Command::RekeyIke { token: None });
    pair.run(SOON);
    let left = pair.snapshot(Side::A).reauth_in.unwrap();
    assert!((390..400).contains(&left), "{left}");
    pair.run(Duration::from_secs(400));
    assert_eq!(pair.a.events.last(), Some(&Seen::Reauthenticate(Order::MakeBeforeBreak, 1)));
}

#[test]
fn a_responder_says_when_it_wants_authentication_again() {
    let mut pair = psk_pair();
    change(&mut pair.a, |connection| connection.ike.lifetime = reauth_after(1000, 20));
    change(&mut pair.b, |connection| connection.ike.lifetime = reauth_after(120, 20));
    established(&mut pair);
    let left = pair.snapshot(Side::A).reauth_in.unwrap();
    assert!((96..=100).contains(&left), "before the responder's 120 seconds by over_time: {left}");
    pair.run(Duration::from_secs(101));
    assert_eq!(pair.a.events, [Seen::Reauthenticate(Order::MakeBeforeBreak, 1)]);
}

#[test]
fn a_responder_s_later_time_delays_nothing() {
    let mut pair = psk_pair();
    change(&mut pair.a, |connection| connection.ike.lifetime = reauth_after(100, 20));
    change(&mut pair.b, |connection| connection.ike.lifetime = reauth_after(1000, 20));
    established(&mut pair);
    let left = pair.snapshot(Side::A).reauth_in.unwrap();
    assert!((96..=100).contains(&left), "{left}");
}

fn without_mobike(pair: &mut Pair) {
    change(&mut pair.a, |connection| connection.ike.mobike = Toggle::Disabled);
    *pair.a.world.addresses.borrow_mut() = vec!["192.0.2.1".parse().unwrap()];
    established(pair);
}

#[test]
fn an_initiator_whose_address_went_begins_anew_from_another_one_without_mobike() {
    let mut pair = psk_pair();
    without_mobike(&mut pair);
    pair.roam(Side::A, &["192.0.2.1", "192.0.2.11"]);
    pair.run(SOON);
    assert_eq!(pair.a.events, [], "its address is still there");
    pair.roam(Side::A, &["192.0.2.11"]);
    pair.roam(Side::A, &["192.0.2.11"]);
    pair.run(SOON);
    let anew = |event: &&Seen| matches!(event, Seen::Reauthenticate(..));
    let begun: Vec<_> = pair.a.events.iter().filter(anew).collect();
    assert_eq!(begun, [&Seen::Reauthenticate(Order::MakeBeforeBreak, 1)]);
    assert_eq!(pair.snapshot(Side::A).path.local.ip().to_string(), "192.0.2.11");
    assert_eq!(pair.snapshot(Side::A).state, IkeSaState::Established);
}

#[test]
fn the_delete_of_a_break_before_make_leaves_from_the_new_address() {
    let mut pair = psk_pair();
    pair.a.world.settings.make_before_break = Toggle::Disabled;
    without_mobike(&mut pair);
    pair.roam(Side::A, &["192.0.2.11"]);
    pair.run(SOON);
    assert!(pair.a.events.contains(&Seen::Reauthenticate(Order::BreakBeforeMake, 1)), "{:?}", pair.a.events);
    assert_nothing_left(&pair);
}

#[test]
fn an_initiator_that_begins_anew_already_goes_on_at_its_next_address_without_mobike() {
    for address in ["192.0.2.1", "192.0.2.11"] {
        let mut pair = psk_pair();
        without_mobike(&mut pair);
        pair.filter = Box::new(|_| false);
        let child = pair.snapshot(Side::A).children[0].unique_id;
        pair.command(Side::A, Command::RekeyChild { child, token: None });
        pair.roam(Side::A, &[]);
        pair.run(SOON);
        pair.command(Side::A, Command::Reauthenticate { token: None });
        pair.run(SOON);
        pair.filter = Box::new(|_| true);
        pair.roam(Side::A, &[address]);
        pair.run(SOON);
        assert!(pair.a.events.iter().any(|event| matches!(event, Seen::ChildRekeyed(..))), "{address}");
    }
}
