//! The configuration changes while something is under way.

use std::sync::Arc;
use std::time::Duration;

use charon_types::connection::Connection;
use charon_types::id::UniqueId;
use charon_types::selector::TrafficSelector;
use charon_types::snapshot::IkeSaState;

use super::forge::{MOMENT, Which, established, seen_path, withhold};
use super::handshake::{assert_keys_agree, assert_nothing_left, psk_pair, set_child, set_ike_proposals};
use super::pair::{Pair, Seen, Side};
use crate::failure::Failure;
use crate::ike_sa::{Command, Force};
use crate::output::{CommandSuccess, CommandToken};
use crate::wire::{ExchangeType, MessageKind, NotifyType};

const AUTH: Which = Which(Side::A, ExchangeType::IKE_AUTH, MessageKind::Request);

/// Half of the handshake is done when `reload` happens to one of them; then the rest goes on.
fn while_connecting(reload: impl FnOnce(&mut Pair)) -> Pair {
    let mut pair = psk_pair();
    let request = withhold(&mut pair, AUTH, Pair::initiate);
    reload(&mut pair);
    pair.deliver(Side::B, seen_path(&request), &request.octets);
    pair.run(MOMENT);
    pair
}

#[test]
fn a_connection_that_is_gone_when_the_peer_authenticates_lets_nobody_in() {
    let pair = while_connecting(|pair| pair.b.world.connections.clear());
    let rejected = Failure::Rejected(NotifyType::AUTHENTICATION_FAILED.0);
    assert_eq!(pair.a.events.first(), Some(&Seen::Done(1, Err(rejected))));
    assert_nothing_left(&pair);
}

#[test]
fn a_child_is_taken_as_it_is_configured_when_the_peer_authenticates() {
    let mut pair = while_connecting(|pair| set_child(&mut pair.b.world, ("10.2.7.0/24", "10.1.0.0/16")));
    let children = pair.snapshot(Side::A).children;
    assert_eq!(children[0].remote_ts, [TrafficSelector::subnet("10.2.7.0".parse().unwrap(), 24)]);
    assert_keys_agree(&pair);
}

#[test]
fn who_has_begun_goes_on_with_what_it_began_with() {
    let mut pair = while_connecting(|pair| {
        pair.a.world.connections.clear();
    });
    assert_eq!(pair.snapshot(Side::A).state, IkeSaState::Established);
    assert_keys_agree(&pair);
}

#[test]
fn what_is_being_established_ends_if_its_connection_is_to_go() {
    let mut pair = psk_pair();
    let request = withhold(&mut pair, AUTH, Pair::initiate);
    pair.command(Side::A, Command::TerminateIke { force: Force::Polite, token: Some(CommandToken(2)) });
    assert!(pair.a.sas.is_empty() && pair.a.kernel.is_empty());
    pair.deliver(Side::B, seen_path(&request), &request.octets);
    pair.run(MOMENT);
    assert!(pair.a.sas.is_empty(), "an answer that comes too late changes nothing");
}

#[test]
fn a_rekeying_under_way_is_finished_as_it_began() {
    for of_ike_sa in [false, true] {
        let mut pair = established();
        let before = pair.snapshot(Side::A).children[0].remote_ts.clone();
        let answer = Which(Side::B, ExchangeType::CREATE_CHILD_SA, MessageKind::Response);
        let answer = withhold(&mut pair, answer, |pair| match of_ike_sa {
            false => pair
                .command(Side::A, Command::RekeyChild { child: UniqueId(1), token: Some(CommandToken(2)) }),
            true => pair.command(Side::A, Command::RekeyIke { token: Some(CommandToken(2)) }),
        });
        for side in [Side::A, Side::B] {
            let world = &mut pair.host(side).world;
            set_child(world, ("10.7.0.0/16", "10.8.0.0/16"));
            set_ike_proposals(world, &["aes128-sha256-prfsha256-ecp256"]);
        }
        pair.deliver(Side::A, seen_path(&answer), &answer.octets);
        pair.run(Duration::from_secs(8));
        assert!(
            pair.a.events.iter().any(|event| matches!(event, Seen::Done(2, Ok(_)))),
            "{of_ike_sa}: {:?}",
            pair.a.events
        );
        assert_eq!(pair.snapshot(Side::A).children[0].remote_ts, before);
        assert_keys_agree(&pair);
    }
}

#[test]
fn a_child_that_is_configured_no_more_ends_and_the_other_stays_untouched() {
    let mut pair = established();
    let second = Arc::clone(&pair.a.world.connections[0].children[0]);
    pair.command(Side::A, Command::InitiateChild { child: second, token: Some(CommandToken(2)) });
    pair.run(MOMENT);
    let kept: Vec<_> = pair.a.kernel.sas.iter().take(2).cloned().collect();
    let gone = pair.snapshot(Side::A).children[1].unique_id;
    let mut connection = Connection::clone(&pair.a.world.connections[0]);
    connection.children.clear();
    pair.a.world.connections[0] = Arc::new(connection);
    pair.a.events.clear();
    pair.command(Side::A, Command::TerminateChild { child: gone, token: Some(CommandToken(3)) });
    pair.run(MOMENT);
    assert_eq!(pair.a.events.last(), Some(&Seen::Done(3, Ok(CommandSuccess::Terminated))));
    assert_eq!(pair.a.kernel.sas, kept, "not even its counters");
    assert_keys_agree(&pair);
}
