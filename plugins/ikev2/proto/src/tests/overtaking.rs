//! Messages that overtake others, found by simulated histories.

use std::sync::Arc;
use std::time::Duration;

use charon_types::id::UniqueId;
use charon_types::kernel_op::Direction;

use super::handshake::{SOON, psk_pair};
use super::pair::{Pair, Seen, Side};
use crate::failure::Failure;
use crate::ike_sa::Command;
use crate::output::CommandToken;
use crate::wire::{ExchangeType, MessageKind, NotifyType};

/// Long enough for a second retransmission.
const A_WHILE: Duration = Duration::from_secs(30);

fn established() -> Pair {
    let mut pair = psk_pair();
    pair.initiate();
    pair.run(SOON);
    pair
}

fn rekey(child: UniqueId, token: u64) -> Command {
    Command::RekeyChild { child, token: Some(CommandToken(token)) }
}

/// Drops the first message of that kind.
fn lose_one(pair: &mut Pair, from: Side, exchange: ExchangeType, kind: MessageKind) {
    let mut lost = false;
    pair.filter = Box::new(move |sent| {
        let loses = !lost && sent.is(from, exchange, kind);
        lost |= loses;
        !loses
    });
}

/// A begins a further child, B has it, and A does not know.
fn half_known_child(pair: &mut Pair) -> UniqueId {
    lose_one(pair, Side::B, ExchangeType::CREATE_CHILD_SA, MessageKind::Response);
    let config = Arc::clone(&pair.a.world.connections[0].children[0]);
    pair.command(Side::A, Command::InitiateChild { child: config, token: Some(CommandToken(2)) });
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.snapshot(Side::A).children.len(), 1);
    pair.snapshot(Side::B).children[1].unique_id
}

#[test]
fn rekeying_a_child_that_the_peer_is_about_to_learn_of_has_to_wait() {
    let mut pair = established();
    let child = half_known_child(&mut pair);
    // A --> CREATE_CHILD_SA (answer lost) <-- B; A <-- REKEY_SA <-- B; A --> TEMPORARY_FAILURE --> B
    pair.command(Side::B, rekey(child, 3));
    pair.run(SOON);
    let refused = Failure::Rejected(NotifyType::TEMPORARY_FAILURE.0);
    assert!(pair.b.events.contains(&Seen::Done(3, Err(refused))));
    pair.run(A_WHILE);
    for side in [Side::A, Side::B] {
        assert_eq!(pair.snapshot(side).children.len(), 2);
        assert_eq!(pair.host(side).kernel.sas.len(), 4);
    }
}

#[test]
fn the_replacement_is_used_when_we_delete_what_the_peer_replaced() {
    let mut pair = established();
    let old = pair.snapshot(Side::A).children[0].unique_id;
    // A <-- REKEY_SA <-- B; A <-- DELETE (lost) <-- B; A --> DELETE --> B
    lose_one(&mut pair, Side::B, ExchangeType::INFORMATIONAL, MessageKind::Request);
    pair.command(Side::B, rekey(UniqueId(1), 2));
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.snapshot(Side::A).children.len(), 2);
    pair.expire(Side::A, old);
    pair.run(A_WHILE);
    for side in [Side::A, Side::B] {
        assert_eq!(pair.snapshot(side).children.len(), 1);
        let directions = pair.host(side).kernel.sas.iter().map(|sa| sa.direction);
        assert_eq!(directions.collect::<Vec<_>>(), [Direction::Inbound, Direction::Outbound]);
    }
}
