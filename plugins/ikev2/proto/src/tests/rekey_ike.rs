//! IKE_SAs replaced: by one side, by both at once, and while other things happen.

use std::sync::Arc;
use std::time::Duration;

use charon_types::connection::Connection;
use charon_types::id::UniqueId;
use charon_types::lifetime::IkeLifetime;
use charon_types::proposal::Protocol;
use charon_types::snapshot::{ChildSaState, IkeSaState};

use super::handshake::{SOON, assert_keys_agree, assert_nothing_left, psk_pair};
use super::pair::{Pair, Seen, Side};
use super::world::proposals;
use crate::failure::Failure;
use crate::ike_sa::{Command, Force};
use crate::output::{CloseReason, CommandSuccess, CommandToken};
use crate::wire::{ExchangeType, MessageKind, NotifyType};

const LINGER: Duration = Duration::from_secs(6);
/// Longer than any retry and any wait for a peer that deletes nothing.
const LONG: Duration = Duration::from_secs(300);

fn established() -> Pair {
    let mut pair = psk_pair();
    pair.initiate();
    pair.run(SOON);
    pair.a.events.clear();
    pair.b.events.clear();
    pair
}

fn rekey_ike(token: u64) -> Command {
    Command::RekeyIke { token: Some(CommandToken(token)) }
}

fn rekey_child(token: u64) -> Command {
    Command::RekeyChild { child: UniqueId(1), token: Some(CommandToken(token)) }
}

/// One IKE_SA, the same on both sides, with one child that works.
fn assert_one_of_each(pair: &mut Pair) {
    let (a, b) = (pair.snapshot(Side::A), pair.snapshot(Side::B));
    assert_eq!((a.spi_initiator, a.spi_responder), (b.spi_initiator, b.spi_responder));
    assert_eq!(a.role, b.role.peer());
    for side in [Side::A, Side::B] {
        let sa = pair.snapshot(side);
        assert_eq!(sa.state, IkeSaState::Established, "{side:?}");
        assert_eq!(sa.children.len(), 1, "{side:?}");
        assert_eq!(sa.children[0].state, ChildSaState::Installed);
        assert_eq!(pair.host(side).world.reqids_in_use(), 1);
        assert_eq!(pair.host(side).kernel.policies.len(), 3);
    }
    assert_keys_agree(pair);
}

fn count(pair: &mut Pair, side: Side, wanted: impl Fn(&Seen) -> bool) -> usize {
    pair.host(side).events.iter().filter(|event| wanted(event)).count()
}

/// The successor works: it is asked for liveness by way of another child.
fn assert_works(pair: &mut Pair) {
    for (side, token) in [(Side::A, 90), (Side::B, 91)] {
        let child = pair.snapshot(side).children[0].unique_id;
        let command = Command::RekeyChild { child, token: Some(CommandToken(token)) };
        pair.command(side, command);
        pair.run(SOON + LINGER);
        assert!(count(pair, side, |event| matches!(event, Seen::Done(done, Ok(_)) if *done == token)) == 1);
    }
    assert_one_of_each(pair);
}

#[test]
fn either_side_may_replace_the_ike_sa_and_the_child_moves() {
    for side in [Side::A, Side::B] {
        let mut pair = established();
        let before = (pair.snapshot(Side::A), pair.a.kernel.sas.clone());
        pair.command(side, rekey_ike(2));
        pair.run(SOON);
        let done = Seen::Done(2, Ok(CommandSuccess::IkeRekeyed));
        let closed = Seen::Closed(CloseReason::Rekeyed, IkeSaState::Deleting);
        let old = UniqueId(1);
        let rekeyed = Seen::Rekeyed(old, UniqueId(101));
        assert_eq!(pair.host(side).events, [done, rekeyed.clone(), closed.clone()]);
        let other = if side == Side::A { Side::B } else { Side::A };
        assert_eq!(pair.host(other).events, [rekeyed, closed]);
        assert_one_of_each(&mut pair);
        let after = pair.snapshot(Side::A);
        assert_ne!(before.0.spi_initiator, after.spi_initiator);
        assert_ne!(before.0.spi_responder, after.spi_responder);
        assert_eq!(before.0.children[0].unique_id, after.children[0].unique_id);
        assert_eq!(
            before.1.iter().map(|sa| sa.spi).collect::<Vec<_>>(),
            pair.a.kernel.sas.iter().map(|sa| sa.spi).collect::<Vec<_>>(),
            "the kernel noticed nothing"
        );
        assert_works(&mut pair);
    }
}

#[test]
fn ike_sas_are_replaced_again_and_again() {
    let mut pair = established();
    for round in 0..5 {
        for (side, token) in [(Side::A, 2 * round + 2), (Side::B, 2 * round + 3)] {
            pair.command(side, rekey_ike(token));
            pair.run(SOON);
            assert_one_of_each(&mut pair);
        }
    }
    assert_eq!(count(&mut pair, Side::A, |event| matches!(event, Seen::Rekeyed(..))), 10);
    assert_works(&mut pair);
}

#[test]
fn message_ids_begin_at_zero_again() {
    let mut pair = established();
    pair.command(Side::A, rekey_ike(2));
    pair.run(SOON);
    pair.sent.clear();
    pair.command(Side::B, rekey_child(3));
    pair.run(SOON);
    let first =
        pair.sent.iter().find(|sent| sent.is(Side::B, ExchangeType::CREATE_CHILD_SA, MessageKind::Request));
    assert_eq!(first.unwrap().header().message_id.0, 0);
}

#[test]
fn another_key_exchange_method_is_tried_when_the_peer_asks_for_it() {
    let mut pair = established();
    // From now on B prefers, and has, other methods than A tries first.
    let change = |connection: &mut Arc<Connection>, list: &[&str]| {
        let mut changed = (**connection).clone();
        changed.ike.proposals = proposals(Protocol::Ike, list);
        *connection = Arc::new(changed);
    };
    change(pair.a.sas[0].sa.connection.as_mut().unwrap(), &["aes256-sha256-prfsha256-x25519-ecp256"]);
    change(pair.b.sas[0].sa.connection.as_mut().unwrap(), &["aes256-sha256-prfsha256-ecp256"]);
    pair.command(Side::A, rekey_ike(2));
    pair.run(SOON);
    assert_one_of_each(&mut pair);
    let requests =
        pair.sent.iter().filter(|sent| sent.is(Side::A, ExchangeType::CREATE_CHILD_SA, MessageKind::Request));
    assert_eq!(requests.count(), 2);
    assert!(pair.a.events.contains(&Seen::Done(2, Ok(CommandSuccess::IkeRekeyed))));
}

#[test]
fn without_a_common_proposal_the_old_ike_sa_stays_and_another_attempt_follows() {
    let mut pair = established();
    let connection = pair.b.sas[0].sa.connection.as_mut().unwrap();
    let mut changed = (**connection).clone();
    let good = std::mem::replace(
        &mut changed.ike.proposals,
        proposals(Protocol::Ike, &["aes128gcm16-prfsha384-ecp256"]),
    );
    *connection = Arc::new(changed.clone());
    pair.command(Side::A, rekey_ike(2));
    pair.run(SOON);
    let rejected = Failure::Rejected(NotifyType::NO_PROPOSAL_CHOSEN.0);
    assert_eq!(pair.a.events, [Seen::Done(2, Err(rejected))]);
    assert_one_of_each(&mut pair);
    changed.ike.proposals = good;
    pair.b.sas[0].sa.connection = Some(Arc::new(changed));
    pair.run(Duration::from_secs(20));
    assert_eq!(count(&mut pair, Side::A, |event| matches!(event, Seen::Rekeyed(..))), 1);
    assert_one_of_each(&mut pair);
}

#[test]
fn crossing_rekeyings_leave_one_ike_sa_whoever_wins() {
    // A --> CREATE_CHILD_SA <-- B: the lowest of four nonces decides, so both outcomes come up.
    for _ in 0..12 {
        let mut pair = established();
        pair.command(Side::A, rekey_ike(2));
        pair.command(Side::B, rekey_ike(3));
        pair.run(SOON);
        assert_one_of_each(&mut pair);
        for (side, token) in [(Side::A, 2), (Side::B, 3)] {
            let done = Seen::Done(token, Ok(CommandSuccess::IkeRekeyed));
            assert_eq!(count(&mut pair, side, |event| *event == done), 1);
            assert_eq!(count(&mut pair, side, |event| matches!(event, Seen::Rekeyed(..))), 1);
            assert_eq!(count(&mut pair, side, |event| matches!(event, Seen::ChildRemoved(_))), 0);
            let ended =
                |event: &Seen| matches!(event, Seen::Closed(reason, _) if *reason != CloseReason::Rekeyed);
            assert_eq!(count(&mut pair, side, ended), 0);
        }
        assert_works(&mut pair);
    }
}

#[test]
fn a_collision_that_only_one_side_noticed_is_settled_by_the_delete() {
    let mut pair = established();
    // A --> CREATE_CHILD_SA --> B; B's own request is late: A finishes and deletes the old IKE_SA before it sees it.
    let mut held = 0;
    pair.filter = Box::new(move |sent| {
        let request = sent.is(Side::B, ExchangeType::CREATE_CHILD_SA, MessageKind::Request);
        held += u32::from(request);
        !(request && held == 1)
    });
    pair.command(Side::B, rekey_ike(3));
    pair.command(Side::A, rekey_ike(2));
    pair.run(LONG);
    assert_one_of_each(&mut pair);
    for side in [Side::A, Side::B] {
        assert_eq!(count(&mut pair, side, |event| matches!(event, Seen::Rekeyed(..))), 1);
    }
    assert_works(&mut pair);
}

#[test]
fn crossing_rekeyings_on_a_bad_network_leave_one_ike_sa() {
    for seed in 1..=60_u64 {
        let mut pair = established();
        pair.seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        pair.network.loss_percent = 20;
        pair.network.duplicate_percent = 20;
        pair.network.jitter = Duration::from_millis(300);
        pair.command(Side::A, rekey_ike(2));
        pair.command(Side::B, rekey_ike(3));
        pair.run(Duration::from_secs(100));
        pair.network.loss_percent = 0;
        pair.run(LONG);
        if pair.a.sas.is_empty() || pair.b.sas.is_empty() {
            continue; // Every copy of one message was lost: the IKE_SA was given up.
        }
        assert_one_of_each(&mut pair);
    }
}

#[test]
fn a_child_under_way_makes_the_peer_wait() {
    for (side, other) in [(Side::A, Side::B), (Side::B, Side::A)] {
        let mut pair = established();
        // side --> CREATE_CHILD_SA(child) <-- CREATE_CHILD_SA(IKE): both are told TEMPORARY_FAILURE, and try again.
        pair.command(side, rekey_child(2));
        pair.command(other, rekey_ike(3));
        pair.run(SOON);
        let refused = Failure::Rejected(NotifyType::TEMPORARY_FAILURE.0);
        assert!(pair.host(side).events.contains(&Seen::Done(2, Err(refused.clone()))));
        assert!(pair.host(other).events.contains(&Seen::Done(3, Err(refused))));
        assert_one_of_each(&mut pair);
        pair.run(Duration::from_secs(60));
        assert_eq!(count(&mut pair, side, |event| matches!(event, Seen::Rekeyed(..))), 1);
        assert_eq!(count(&mut pair, side, |event| matches!(event, Seen::ChildRekeyed(..))), 1);
        assert_one_of_each(&mut pair);
    }
}

#[test]
fn a_child_deleted_while_the_peer_rekeys_goes_and_the_rekeying_waits() {
    let mut pair = established();
    // A --> DELETE(child) <-- CREATE_CHILD_SA(IKE) B
    pair.command(Side::A, Command::TerminateChild { child: UniqueId(1), token: Some(CommandToken(2)) });
    pair.command(Side::B, rekey_ike(3));
    pair.run(Duration::from_secs(40));
    assert!(pair.a.events.contains(&Seen::Done(2, Ok(CommandSuccess::Terminated))));
    assert_eq!(count(&mut pair, Side::B, |event| matches!(event, Seen::Rekeyed(..))), 1);
    for side in [Side::A, Side::B] {
        assert!(pair.snapshot(side).children.is_empty());
        assert!(pair.host(side).kernel.is_empty());
    }
}

#[test]
fn a_delete_of_the_ike_sa_ends_the_rekeying() {
    let mut pair = established();
    // A --> CREATE_CHILD_SA(IKE) <-- DELETE B
    pair.command(Side::B, Command::TerminateIke { force: Force::Polite, token: Some(CommandToken(3)) });
    pair.command(Side::A, rekey_ike(2));
    pair.run(SOON);
    assert!(pair.b.events.contains(&Seen::Done(3, Ok(CommandSuccess::Terminated))));
    assert_eq!(count(&mut pair, Side::A, |event| matches!(event, Seen::Done(2, Err(_)))), 1);
    assert_nothing_left(&pair);
}

#[test]
fn a_termination_behind_a_rekeying_ends_the_successor() {
    for terminator in [Side::A, Side::B] {
        let mut pair = established();
        pair.command(Side::A, rekey_ike(2));
        pair.run(Duration::from_millis(15));
        // B has answered; A does not know yet.
        let command = Command::TerminateIke { force: Force::Polite, token: Some(CommandToken(3)) };
        match terminator {
            Side::A => pair.command(Side::A, command),
            Side::B => pair.command_last(Side::B, command),
        }
        pair.run(SOON);
        let done = Seen::Done(3, Ok(CommandSuccess::Terminated));
        assert!(pair.host(terminator).events.contains(&done), "{terminator:?}");
        assert_nothing_left(&pair);
    }
}

#[test]
fn a_child_wanted_during_a_rekeying_comes_with_the_successor() {
    let mut pair = established();
    pair.command(Side::A, rekey_ike(2));
    let config = Arc::clone(&pair.a.world.connections[0].children[0]);
    pair.command(Side::A, Command::InitiateChild { child: config, token: Some(CommandToken(3)) });
    pair.run(SOON);
    let done = |event: &Seen| matches!(event, Seen::Done(3, Ok(CommandSuccess::ChildInstalled(_))));
    assert_eq!(count(&mut pair, Side::A, done), 1);
    assert_eq!(pair.snapshot(Side::A).children.len(), 2);
    assert_eq!(pair.snapshot(Side::B).children.len(), 2);
}

#[test]
fn a_responder_forgets_the_old_ike_sa_if_the_peer_never_deletes_it() {
    let mut pair = established();
    pair.command(Side::A, rekey_ike(2));
    // B's answer arrives, A's DELETE never does.
    pair.filter = Box::new(|sent| !sent.is(Side::A, ExchangeType::INFORMATIONAL, MessageKind::Request));
    pair.run(SOON);
    assert_eq!(pair.b.sas.len(), 2);
    assert_eq!(pair.b.sas[0].state(), IkeSaState::Rekeyed);
    pair.run(LONG);
    assert_one_of_each(&mut pair);
}

fn with_lifetime(lifetime: IkeLifetime) -> Pair {
    let mut pair = psk_pair();
    let mut connection = (*pair.a.world.connections[0]).clone();
    connection.ike.lifetime = lifetime;
    pair.a.world.connections[0] = Arc::new(connection);
    pair.initiate();
    pair.run(SOON);
    pair
}

#[test]
fn the_ike_sa_is_replaced_when_its_time_comes() {
    let seconds = Duration::from_secs;
    let lifetime = IkeLifetime {
        rekey_time: seconds(100),
        reauth_time: Duration::ZERO,
        over_time: seconds(10),
        rand_time: seconds(20),
    };
    let mut pair = with_lifetime(lifetime);
    let due = pair.snapshot(Side::A).rekey_in.unwrap();
    assert!((78..=100).contains(&due), "{due}");
    pair.run(seconds(250));
    let rekeyed = count(&mut pair, Side::A, |event| matches!(event, Seen::Rekeyed(..)));
    assert!((2..=3).contains(&rekeyed), "{rekeyed}");
    assert_one_of_each(&mut pair);
}

#[test]
fn an_ike_sa_that_cannot_be_replaced_ends_at_its_hard_limit() {
    let seconds = Duration::from_secs;
    let lifetime = IkeLifetime {
        rekey_time: seconds(100),
        reauth_time: Duration::ZERO,
        over_time: seconds(40),
        rand_time: Duration::ZERO,
    };
    let mut pair = with_lifetime(lifetime);
    let connection = pair.b.sas[0].sa.connection.as_mut().unwrap();
    let mut changed = (**connection).clone();
    changed.ike.proposals = proposals(Protocol::Ike, &["aes128gcm16-prfsha384-ecp256"]);
    *connection = Arc::new(changed);
    pair.run(seconds(130));
    assert_one_of_each(&mut pair);
    pair.run(seconds(15));
    assert_eq!(pair.a.events.last(), Some(&Seen::Closed(CloseReason::Expired, IkeSaState::Deleting)));
    assert_nothing_left(&pair);
}
