//! DELETE, by one side and by both at once.

use std::time::Duration;

use charon_types::connection::AuthMethod;
use charon_types::id::UniqueId;
use charon_types::kernel_op::{Direction, PolicyDirection};
use charon_types::snapshot::IkeSaState;

use super::handshake::{SOON, assert_nothing_left, psk_pair};
use super::pair::{Pair, Seen, Side};
use crate::failure::{Failure, Refusal};
use crate::ike_sa::{Command, Force};
use crate::output::{CloseReason, CommandSuccess, CommandToken};
use crate::wire::{ExchangeType, MessageKind};

fn established() -> Pair {
    let mut pair = psk_pair();
    pair.initiate();
    pair.run(SOON);
    pair.a.events.clear();
    pair.b.events.clear();
    pair
}

fn terminate_child(token: u64) -> Command {
    Command::TerminateChild { child: UniqueId(1), token: Some(CommandToken(token)) }
}

fn terminate_ike(token: u64) -> Command {
    Command::TerminateIke { force: Force::Polite, token: Some(CommandToken(token)) }
}

#[test]
fn either_side_may_delete_the_child_and_the_ike_sa_stays() {
    for side in [Side::A, Side::B] {
        let mut pair = established();
        pair.command(side, terminate_child(2));
        pair.run(SOON);
        let done = Seen::Done(2, Ok(CommandSuccess::Terminated));
        assert_eq!(pair.host(side).events, [Seen::ChildRemoved(CloseReason::Command), done]);
        let other = if side == Side::A { Side::B } else { Side::A };
        assert_eq!(pair.host(other).events, [Seen::ChildRemoved(CloseReason::Peer)]);
        assert!(pair.a.kernel.is_empty() && pair.b.kernel.is_empty());
        assert_eq!(pair.snapshot(Side::A).state, IkeSaState::Established);
    }
}

#[test]
fn either_side_may_delete_the_ike_sa() {
    for side in [Side::A, Side::B] {
        let mut pair = established();
        pair.command(side, terminate_ike(2));
        pair.run(SOON);
        assert_eq!(
            pair.host(side).events,
            [
                Seen::ChildRemoved(CloseReason::Command),
                Seen::Closed(CloseReason::Command, IkeSaState::Deleting),
                Seen::Done(2, Ok(CommandSuccess::Terminated)),
            ]
        );
        assert_nothing_left(&pair);
    }
}

#[test]
fn a_muted_ike_sa_receives_until_it_is_deleted() {
    let mut pair = established();
    pair.command(Side::A, Command::Mute { token: Some(CommandToken(2)) });
    pair.run(SOON);
    assert_eq!(pair.a.events, [Seen::Done(2, Ok(CommandSuccess::IkeEstablished))]);
    let directions: Vec<_> = pair.a.kernel.sas.iter().map(|sa| sa.direction).collect();
    assert_eq!(directions, [Direction::Inbound]);
    assert!(pair.a.kernel.policies.iter().all(|policy| policy.direction != PolicyDirection::Out));
    pair.command(Side::A, terminate_ike(3));
    pair.run(SOON);
    assert_nothing_left(&pair);
    assert_eq!(pair.a.kernel.deleted_in_vain, 0);
}

#[test]
fn whoever_asks_whether_the_peer_lives_hears_when_it_answers_and_when_it_does_not() {
    let check = |token| Command::CheckLiveness { token: Some(CommandToken(token)) };
    let mut pair = established();
    pair.command(Side::A, check(2));
    pair.run(SOON);
    assert_eq!(pair.a.events, [Seen::Done(2, Ok(CommandSuccess::IkeEstablished))]);
    pair.filter = Box::new(|sent| sent.from == Side::A);
    pair.command(Side::A, check(3));
    pair.run(Duration::from_secs(600));
    assert!(pair.a.events.contains(&Seen::Done(3, Err(Failure::Unreachable))));
    assert!(pair.a.sas.is_empty());
}

#[test]
fn crossing_deletes_of_a_child_both_succeed() {
    let mut pair = established();
    // A --> DELETE <-- B
    pair.command(Side::A, terminate_child(2));
    pair.command(Side::B, terminate_child(3));
    pair.run(SOON);
    assert!(pair.a.events.contains(&Seen::Done(2, Ok(CommandSuccess::Terminated))));
    assert!(pair.b.events.contains(&Seen::Done(3, Ok(CommandSuccess::Terminated))));
    assert!(pair.a.kernel.is_empty() && pair.b.kernel.is_empty());
    assert_eq!(pair.snapshot(Side::B).state, IkeSaState::Established);
}

#[test]
fn crossing_deletes_of_the_ike_sa_both_succeed() {
    let mut pair = established();
    // A --> DELETE <-- B
    pair.command(Side::A, terminate_ike(2));
    pair.command(Side::B, terminate_ike(3));
    pair.run(SOON);
    assert!(pair.a.events.contains(&Seen::Done(2, Ok(CommandSuccess::Terminated))));
    assert!(pair.b.events.contains(&Seen::Done(3, Ok(CommandSuccess::Terminated))));
    assert_nothing_left(&pair);
}

#[test]
fn a_forced_termination_tells_the_peer_and_does_not_wait() {
    let mut pair = established();
    pair.command(Side::A, Command::TerminateIke { force: Force::Immediate, token: Some(CommandToken(2)) });
    assert_eq!(pair.a.events.last(), Some(&Seen::Done(2, Ok(CommandSuccess::Terminated))));
    assert!(pair.a.sas.is_empty());
    pair.run(SOON);
    assert_nothing_left(&pair);
}

#[test]
fn a_handshake_under_way_is_given_up_without_notification() {
    let mut pair = psk_pair();
    pair.filter = Box::new(|_| false);
    pair.initiate();
    pair.command(Side::A, terminate_ike(2));
    assert!(pair.a.events.contains(&Seen::Done(1, Err(Failure::from(Refusal::Closing)))));
    assert!(pair.a.events.contains(&Seen::Done(2, Ok(CommandSuccess::Terminated))));
    assert_eq!(pair.sent.len(), 1);
    assert_nothing_left(&pair);
}

#[test]
fn a_child_that_is_not_there_cannot_be_terminated() {
    let mut pair = established();
    let command = Command::TerminateChild { child: UniqueId(99), token: Some(CommandToken(2)) };
    pair.command(Side::A, command);
    assert_eq!(pair.a.events, [Seen::Done(2, Err(Refusal::ChildNotFound.into()))]);
}

#[test]
fn a_further_child_and_its_deletion_do_not_touch_the_first() {
    let mut pair = established();
    let config = std::sync::Arc::clone(&pair.b.world.connections[0].children[0]);
    pair.command(Side::B, Command::InitiateChild { child: config, token: Some(CommandToken(2)) });
    pair.run(SOON);
    assert_eq!(pair.snapshot(Side::A).children.len(), 2);
    assert_eq!(pair.a.kernel.sas.len(), 4);
    pair.command(Side::A, terminate_child(3));
    pair.run(SOON);
    assert_eq!(pair.snapshot(Side::A).children.len(), 1);
    assert_eq!(pair.snapshot(Side::B).children.len(), 1);
    assert_eq!(pair.a.kernel.sas.len(), 2);
}

#[test]
fn simultaneous_requests_of_both_sides_are_served() {
    let mut pair = established();
    // A --> CREATE_CHILD_SA <-- B
    for side in [Side::A, Side::B] {
        let config = std::sync::Arc::clone(&pair.host(side).world.connections[0].children[0]);
        pair.command(side, Command::InitiateChild { child: config, token: Some(CommandToken(2)) });
    }
    pair.run(SOON);
    assert_eq!(pair.snapshot(Side::A).children.len(), 3);
    assert_eq!(pair.snapshot(Side::B).children.len(), 3);
    assert_eq!((pair.a.kernel.sas.len(), pair.b.kernel.sas.len()), (6, 6));
    assert!(matches!(pair.a.world.connections[0].local[0].method, AuthMethod::Psk));
}

#[test]
fn a_delete_that_overtakes_the_answer_leaves_no_child() {
    let mut pair = established();
    // A --> CREATE_CHILD_SA --> B, the answer is lost; A <-- DELETE <-- B; A --> CREATE_CHILD_SA again
    let mut lost = 0;
    pair.filter = Box::new(move |sent| {
        let answer = sent.is(Side::B, ExchangeType::CREATE_CHILD_SA, MessageKind::Response);
        lost += u32::from(answer);
        !answer || lost > 1
    });
    let config = std::sync::Arc::clone(&pair.a.world.connections[0].children[0]);
    pair.command(Side::A, Command::InitiateChild { child: config, token: Some(CommandToken(2)) });
    pair.run(Duration::from_secs(1));
    let child = pair.snapshot(Side::B).children[1].unique_id;
    pair.command(Side::B, Command::TerminateChild { child, token: Some(CommandToken(3)) });
    pair.run(Duration::from_secs(10));
    assert!(pair.a.events.contains(&Seen::Done(2, Err(Refusal::Deleted.into()))));
    assert!(pair.b.events.contains(&Seen::Done(3, Ok(CommandSuccess::Terminated))));
    for side in [Side::A, Side::B] {
        assert_eq!(pair.snapshot(side).children.len(), 1);
        assert_eq!(pair.host(side).kernel.sas.len(), 2);
        assert!(pair.host(side).kernel.reserved.is_empty());
    }
}
