//! Children replaced: by one side, by both at once, and what stays in the kernels.

use std::sync::Arc;
use std::time::Duration;

use charon_types::connection::ChildConfig;
use charon_types::id::UniqueId;
use charon_types::kernel_op::{Direction, PolicyAction, PolicyDirection};
use charon_types::lifetime::{ChildLifetime, Limit};
use charon_types::snapshot::{ChildSaState, IkeSaState};

use super::handshake::{SOON, assert_keys_agree, assert_nothing_left, psk_pair};
use super::pair::{Host, Pair, Seen, Side};
use crate::failure::Failure;
use crate::ike_sa::{Command, Force};
use crate::output::{CloseReason, CommandSuccess, CommandToken};
use crate::state::State;
use crate::wire::{ExchangeType, MessageKind, NotifyType};

const LINGER: Duration = Duration::from_secs(6);

fn established() -> Pair {
    let mut pair = psk_pair();
    pair.initiate();
    pair.run(SOON);
    pair.a.events.clear();
    pair.b.events.clear();
    pair
}

fn rekey(child: u32, token: u64) -> Command {
    Command::RekeyChild { child: UniqueId(child), token: Some(CommandToken(token)) }
}

/// One child on each side, agreeing with the other, every outbound policy leading to its outbound SA, nothing else.
fn assert_one_child(pair: &mut Pair) {
    for side in [Side::A, Side::B] {
        let children = pair.snapshot(side).children;
        assert_eq!(children.len(), 1, "{side:?}");
        assert_eq!(children[0].state, ChildSaState::Installed);
        assert_eq!(pair.host(side).world.reqids_in_use(), 1);
        assert_sends_on_the_only_sa(pair.host(side));
    }
    assert_keys_agree(pair);
}

fn assert_sends_on_the_only_sa(host: &Host) {
    assert_eq!(host.kernel.policies.len(), 3);
    let outbound = host.kernel.sas.iter().find(|sa| sa.direction == Direction::Outbound).unwrap();
    let policy = host.kernel.policies.iter().find(|policy| policy.direction == PolicyDirection::Out).unwrap();
    assert!(matches!(policy.action, PolicyAction::Protect { spi, .. } if spi == Some(outbound.spi)));
}

#[test]
fn either_side_may_rekey_the_child() {
    for side in [Side::A, Side::B] {
        let mut pair = established();
        let before = pair.a.kernel.sas.clone();
        pair.command(side, rekey(1, 2));
        pair.run(SOON);
        let done = Seen::Done(2, Ok(CommandSuccess::ChildInstalled(UniqueId(2))));
        assert_eq!(pair.host(side).events, [Seen::ChildRekeyed(UniqueId(1), UniqueId(2)), done]);
        let other = if side == Side::A { Side::B } else { Side::A };
        assert_eq!(pair.host(other).events, [Seen::ChildRekeyed(UniqueId(1), UniqueId(2))]);
        assert_eq!(pair.a.kernel.sas.len(), 3, "the old inbound SA lingers");
        pair.run(LINGER);
        assert_one_child(&mut pair);
        assert!(
            pair.a.kernel.sas.iter().all(|sa| before.iter().all(|old| old.spi != sa.spi)),
            "both are new"
        );
    }
}

#[test]
fn the_responder_sends_on_the_old_sa_until_the_initiator_deletes_it() {
    let mut pair = established();
    // A --> CREATE_CHILD_SA, B --> answer, A --> DELETE (lost)
    pair.filter = Box::new(|sent| !sent.is(Side::A, ExchangeType::INFORMATIONAL, MessageKind::Request));
    pair.command(Side::A, rekey(1, 2));
    pair.run(SOON);
    let outbound =
        |host: &Host| host.kernel.sas.iter().filter(|sa| sa.direction == Direction::Outbound).count();
    assert_eq!((outbound(&pair.b), pair.b.kernel.sas.len()), (1, 3), "one way out, two ways in");
    assert_eq!((outbound(&pair.a), pair.a.kernel.sas.len()), (2, 4));
    let states: Vec<_> = pair.snapshot(Side::B).children.iter().map(|child| child.state).collect();
    assert_eq!(states, [ChildSaState::Rekeyed, ChildSaState::Installed]);
    pair.filter = Box::new(|_| true);
    pair.run(Duration::from_secs(10) + LINGER);
    assert_one_child(&mut pair);
}

#[test]
fn crossing_rekeyings_leave_one_child_whoever_wins() {
    // A --> CREATE_CHILD_SA <-- B: the lowest of four nonces decides, so both outcomes come up.
    for _ in 0..12 {
        let mut pair = established();
        pair.command(Side::A, rekey(1, 2));
        pair.command(Side::B, rekey(1, 3));
        pair.run(SOON + LINGER);
        assert_one_child(&mut pair);
        for (side, token) in [(Side::A, 2), (Side::B, 3)] {
            let events = &pair.host(side).events;
            assert!(
                events.iter().any(|event| matches!(event, Seen::Done(done, Ok(_)) if *done == token)),
                "{events:?}"
            );
            let rekeyed = events.iter().filter(|event| matches!(event, Seen::ChildRekeyed(..)));
            assert_eq!(rekeyed.count(), 1, "{events:?}");
            assert!(!events.iter().any(|event| matches!(event, Seen::ChildRemoved(_))), "{events:?}");
        }
    }
}

#[test]
fn a_collision_won_in_vain_leaves_the_old_child_to_be_rekeyed_again() {
    // A --> CREATE_CHILD_SA <-- B; A's kernel refuses the replacement, whoever wins.
    for _ in 0..12 {
        let mut pair = established();
        pair.command(Side::A, rekey(1, 2));
        pair.command(Side::B, rekey(1, 3));
        pair.run(Duration::from_millis(15));
        pair.a.kernel.broken = true;
        pair.run(SOON);
        pair.a.kernel.broken = false;
        pair.run(Duration::from_secs(60) + LINGER);
        if pair.snapshot(Side::A).children.is_empty() {
            continue; // A lost, and its kernel did not take B's replacement either.
        }
        for side in [Side::A, Side::B] {
            let child = pair.snapshot(side).children[0].unique_id;
            let command = Command::RekeyChild { child, token: Some(CommandToken(9)) };
            pair.command(side, command);
            pair.run(Duration::from_secs(60) + LINGER);
            let done = |event: &&Seen| matches!(event, Seen::Done(9, Ok(_)));
            assert_eq!(pair.host(side).events.iter().filter(done).count(), 1, "{side:?}");
        }
        assert_one_child(&mut pair);
    }
}

/// A has won a collision, and B has not heard A's answer to its own attempt, and does not until the filter is taken off.
fn won_unheard() -> Pair {
    for _ in 0..100 {
        let mut pair = established();
        pair.filter =
            Box::new(|sent| !sent.is(Side::A, ExchangeType::CREATE_CHILD_SA, MessageKind::Response));
        pair.command(Side::A, rekey(1, 2));
        pair.command(Side::B, rekey(1, 3));
        pair.run(SOON);
        let states: Vec<_> = pair.snapshot(Side::A).children.iter().map(|child| child.state).collect();
        if states == [ChildSaState::Installed; 2] {
            return pair;
        }
    }
    panic!("the lowest nonce is never B's");
}

#[test]
fn an_ike_sa_is_not_rekeyed_while_the_peer_has_to_delete_what_lost_a_collision() {
    let mut pair = won_unheard();
    pair.command(Side::A, Command::RekeyIke { token: Some(CommandToken(4)) });
    pair.run(SOON);
    assert!(!pair.a.events.iter().any(|event| matches!(event, Seen::Rekeyed(..))), "{:?}", pair.a.events);
    pair.filter = Box::new(|_| true);
    pair.run(Duration::from_secs(30) + LINGER);
    assert!(pair.a.events.iter().any(|event| matches!(event, Seen::Done(4, Ok(_)))), "{:?}", pair.a.events);
    assert_one_child(&mut pair);
}

#[test]
fn a_child_that_lost_a_collision_and_that_the_peer_forgets_is_deleted() {
    let mut pair = won_unheard();
    // B forgets what it has asked for.
    let forgetful = pair.sa(Side::B);
    forgetful.sa.outstanding = None;
    if let State::Established { active, .. } = &mut forgetful.state {
        *active = None;
    }
    pair.run(Duration::from_secs(40) + LINGER);
    assert_eq!(pair.snapshot(Side::A).children.len(), 1);
    assert_eq!(pair.a.kernel.sas.len(), 2);
}

#[test]
fn crossing_rekeyings_on_a_bad_network_leave_one_child() {
    for seed in 1..=40_u64 {
        let mut pair = established();
        pair.seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        pair.network.loss_percent = 20;
        pair.network.duplicate_percent = 20;
        pair.network.jitter = Duration::from_millis(300);
        pair.command(Side::A, rekey(1, 2));
        pair.command(Side::B, rekey(1, 3));
        pair.run(Duration::from_secs(100));
        pair.network.loss_percent = 0;
        pair.run(Duration::from_secs(100));
        if pair.a.sas.is_empty() || pair.b.sas.is_empty() {
            continue; // Every copy of one message was lost: the IKE_SA was given up.
        }
        assert_one_child(&mut pair);
    }
}

#[test]
fn a_child_is_rekeyed_when_its_time_comes_and_dies_if_that_never_works() {
    let mut pair = psk_pair();
    let mut connection = (*pair.a.world.connections[0]).clone();
    let lifetime =
        ChildLifetime { time: Limit { rekey: 100, life: 130, jitter: 10 }, ..ChildLifetime::default() };
    connection.children = vec![Arc::new(ChildConfig { lifetime, ..(*connection.children[0]).clone() })];
    pair.a.world.connections[0] = Arc::new(connection);
    pair.initiate();
    pair.run(Duration::from_secs(250));
    let rekeyed = pair.a.events.iter().filter(|event| matches!(event, Seen::ChildRekeyed(..))).count();
    assert_eq!(rekeyed, 2);
    assert_one_child(&mut pair);
    // From now on the responder's kernel refuses whatever is new.
    pair.b.kernel.broken = true;
    pair.run(Duration::from_secs(150));
    assert_eq!(pair.a.events.last(), Some(&Seen::ChildRemoved(CloseReason::Expired)));
    assert!(pair.snapshot(Side::B).children.is_empty());
    assert!(pair.a.kernel.is_empty() && pair.b.kernel.is_empty());
}

#[test]
fn a_child_that_the_peer_lost_is_made_anew() {
    let mut pair = established();
    // B forgets the child without a word.
    let lost = pair.b.sas[0].sa.children.remove(0);
    for op in lost.remove_ops() {
        pair.b.kernel.perform(op).unwrap();
    }
    pair.command(Side::A, rekey(1, 2));
    pair.run(SOON);
    let rejected = Failure::Rejected(NotifyType::CHILD_SA_NOT_FOUND.0);
    assert!(pair.a.events.contains(&Seen::Done(2, Err(rejected))));
    assert_eq!(pair.a.events.last(), Some(&Seen::ChildInstalled));
    assert_eq!(pair.snapshot(Side::B).children.len(), 1);
    assert_keys_agree(&pair);
}

#[test]
fn a_rekeying_that_meets_a_delete_ends_without_the_child() {
    let mut pair = established();
    // A --> CREATE_CHILD_SA(rekey) <-- DELETE B
    pair.command(Side::A, rekey(1, 2));
    pair.command(Side::B, Command::TerminateChild { child: UniqueId(1), token: Some(CommandToken(3)) });
    pair.run(Duration::from_secs(40));
    assert!(pair.b.events.contains(&Seen::Done(3, Ok(CommandSuccess::Terminated))));
    assert!(pair.snapshot(Side::A).children.is_empty() && pair.snapshot(Side::B).children.is_empty());
    assert!(pair.a.kernel.is_empty() && pair.b.kernel.is_empty());
}

#[test]
fn a_child_that_is_terminated_while_the_peer_replaces_it_does_not_live_on_in_the_other() {
    let mut pair = established();
    pair.command(Side::B, rekey(1, 2));
    // B --> CREATE_CHILD_SA(rekey), answered, and then A --> DELETE <-- B
    while pair.snapshot(Side::A).children.len() < 2 {
        pair.run(Duration::from_micros(100));
    }
    pair.command(Side::A, Command::TerminateChild { child: UniqueId(1), token: Some(CommandToken(3)) });
    pair.run(LINGER);
    assert!(pair.a.events.contains(&Seen::Done(3, Ok(CommandSuccess::Terminated))), "{:?}", pair.a.events);
    for side in [Side::A, Side::B] {
        assert!(pair.snapshot(side).children.is_empty(), "{side:?}");
        assert!(pair.host(side).kernel.is_empty(), "{side:?}");
        assert_eq!(pair.host(side).world.reqids_in_use(), 0);
        assert_eq!(pair.snapshot(side).state, IkeSaState::Established);
    }
}

#[test]
fn deleting_the_ike_sa_takes_along_what_lingers() {
    let mut pair = established();
    pair.command(Side::A, rekey(1, 2));
    pair.run(Duration::from_millis(500));
    pair.command(Side::B, Command::TerminateIke { force: Force::Polite, token: None });
    pair.run(SOON);
    assert_nothing_left(&pair);
}

#[test]
fn a_child_that_the_peer_replaces_again_is_known_to_have_replaced_its_predecessor() {
    // A --> CREATE_CHILD_SA, B --> answer (lost), B --> DELETE of the old child, whose time is over, A --> answer (lost); then A rekeys once more.
    let mut pair = established();
    pair.filter = Box::new(|sent| sent.from == Side::A && sent.header().kind == MessageKind::Request);
    pair.command(Side::A, rekey(1, 2));
    pair.run(SOON);
    pair.filter = Box::new(|sent| !sent.is(Side::A, ExchangeType::INFORMATIONAL, MessageKind::Response));
    pair.expire(Side::B, UniqueId(1));
    pair.run(SOON);
    pair.command(Side::A, rekey(2, 4));
    pair.run(SOON);
    pair.filter = Box::new(|_| true);
    pair.run(Duration::from_secs(60) + LINGER);
    assert_one_child(&mut pair);
    let rekeyed: Vec<_> =
        pair.b.events.iter().filter(|event| matches!(event, Seen::ChildRekeyed(..))).collect();
    let expected = [(1, 2), (2, 3)].map(|(old, new)| Seen::ChildRekeyed(UniqueId(old), UniqueId(new)));
    assert_eq!(rekeyed, expected.iter().collect::<Vec<_>>());
}

#[test]
fn ten_thousand_rekeyings_leave_every_table_as_it_was() {
    let mut pair = established();
    let rooms = |pair: &mut Pair| [Side::A, Side::B].map(|side| pair.sa(side).sa.room());
    let mut before = None;
    for round in 0..10_000_u64 {
        let side = if round % 2 == 0 { Side::A } else { Side::B };
        let child = pair.snapshot(side).children[0].unique_id;
        pair.command(side, Command::RekeyChild { child, token: None });
        if round % 1000 == 999 {
            pair.run(SOON);
            pair.command(side, Command::RekeyIke { token: None });
        }
        // Longer than what is replaced lingers.
        pair.run(Duration::from_secs(6));
        pair.sent.clear();
        pair.a.events.clear();
        pair.b.events.clear();
        if round % 1000 == 20 {
            let now = rooms(&mut pair);
            assert_eq!(*before.get_or_insert(now), now, "after {round}");
        }
    }
    assert_one_child(&mut pair);
    for host in [&pair.a, &pair.b] {
        assert_eq!((host.kernel.sas.len(), host.kernel.reserved.len()), (2, 0));
    }
}

#[test]
fn a_child_that_is_to_go_while_it_is_replaced_does_not_live_on_in_its_successor() {
    let mut pair = established();
    pair.command(Side::A, rekey(1, 2));
    pair.command(Side::A, Command::TerminateChild { child: UniqueId(1), token: Some(CommandToken(3)) });
    pair.run(SOON + Duration::from_secs(6));
    assert!(pair.a.events.contains(&Seen::Done(3, Ok(CommandSuccess::Terminated))));
    for side in [Side::A, Side::B] {
        assert!(pair.snapshot(side).children.is_empty());
        assert!(pair.host(side).kernel.is_empty());
        assert_eq!(pair.host(side).world.reqids_in_use(), 0);
    }
}
