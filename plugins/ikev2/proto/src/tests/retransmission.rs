//! Loss, repetition, silence.

use std::time::Duration;

use charon_types::id::Role;
use charon_types::snapshot::IkeSaState;

use super::handshake::{SOON, assert_keys_agree, assert_nothing_left, psk_pair};
use super::pair::{Pair, Seen, Sent, Side};
use crate::failure::Failure;
use crate::ike_sa::Command;
use crate::output::{CloseReason, CommandSuccess, CommandToken};
use crate::wire::{ExchangeType, MessageKind};

fn sends_at(pair: &Pair, side: Side) -> Vec<u64> {
    let of_side = pair.sent.iter().filter(|sent| sent.from == side);
    of_side.map(|sent| (sent.at.as_millis() + 500) / 1000).map(|at| u64::try_from(at).unwrap()).collect()
}

#[test]
fn a_silent_peer_is_asked_six_times_by_strongswans_schedule() {
    let mut pair = psk_pair();
    pair.filter = Box::new(|_| false);
    pair.initiate();
    pair.run(Duration::from_secs(164));
    assert_eq!(sends_at(&pair, Side::A), [0, 4, 11, 24, 47, 89]);
    assert!(pair.sent.iter().all(|sent| sent.octets == pair.sent[0].octets), "unchanged");
    assert!(pair.a.events.is_empty());
    pair.run(Duration::from_secs(3));
    let reason = CloseReason::Failed(Failure::Unreachable);
    assert_eq!(
        pair.a.events,
        [Seen::Done(1, Err(Failure::Unreachable)), Seen::Closed(reason, IkeSaState::Connecting)]
    );
    assert_nothing_left(&pair);
}

#[test]
fn every_round_of_keyingtries_starts_afresh() {
    let mut pair = psk_pair();
    let mut connection = (*pair.a.world.connections[0]).clone();
    connection.ike.keyingtries = 2;
    pair.a.world.connections[0] = std::sync::Arc::new(connection);
    pair.filter = Box::new(|_| false);
    pair.initiate();
    pair.run(Duration::from_secs(400));
    assert_eq!(pair.sent.len(), 12);
    assert_ne!(pair.sent[0].octets, pair.sent[6].octets, "a fresh key pair and nonce");
    assert_nothing_left(&pair);
}

#[test]
fn responder_repeats_its_answer_to_a_retransmitted_request() {
    for exchange in [ExchangeType::IKE_SA_INIT, ExchangeType::IKE_AUTH] {
        let mut pair = psk_pair();
        let mut first = true;
        pair.filter = Box::new(move |sent: &Sent| {
            let hit = sent.is(Side::B, exchange, MessageKind::Response) && first;
            first &= !hit;
            !hit
        });
        pair.initiate();
        pair.run(Duration::from_secs(6));
        let answers: Vec<_> =
            pair.sent.iter().filter(|sent| sent.is(Side::B, exchange, MessageKind::Response)).collect();
        assert_eq!(answers.len(), 2);
        assert_eq!(answers[0].octets, answers[1].octets, "byte for byte");
        assert_keys_agree(&pair);
        assert_eq!(pair.b.events, [Seen::Established, Seen::ChildInstalled], "processed once");
    }
}

#[test]
fn a_forged_repetition_is_not_answered() {
    let mut pair = psk_pair();
    pair.initiate();
    pair.run(SOON);
    let mut forged = pair.sent[2].clone();
    let last = forged.octets.len() - 1;
    forged.octets[last] ^= 1;
    let path = charon_types::endpoint::Path { local: forged.path.remote, remote: forged.path.local };
    let before = pair.sent.len();
    pair.deliver(Side::B, path, &forged.octets);
    assert_eq!(pair.sent.len(), before);
}

#[test]
fn loss_reorder_and_duplicates_lead_to_one_tunnel() {
    for seed in 1..=30_u64 {
        let mut pair = psk_pair();
        pair.seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        pair.network.loss_percent = 25;
        pair.network.duplicate_percent = 25;
        pair.network.jitter = Duration::from_millis(500);
        pair.initiate();
        pair.run(Duration::from_secs(120));
        if pair.a.events.contains(&Seen::Established) {
            assert_keys_agree(&pair);
            assert_eq!(pair.a.sas.len(), 1);
        }
        pair.network.loss_percent = 0;
        pair.command(Side::A, Command::TerminateIke { force: crate::ike_sa::Force::Polite, token: None });
        pair.run(Duration::from_secs(300));
        assert_nothing_left(&pair);
    }
}

#[test]
fn a_half_open_ike_sa_ends_after_thirty_seconds() {
    let mut pair = psk_pair();
    pair.filter = Box::new(|sent| sent.header().exchange == ExchangeType::IKE_SA_INIT);
    pair.initiate();
    pair.run(Duration::from_secs(29));
    assert_eq!(pair.b.sas.len(), 1);
    assert!(pair.b.sas[0].is_half_open());
    pair.run(SOON);
    assert_eq!(pair.b.events, [Seen::Closed(CloseReason::HalfOpen, IkeSaState::Connecting)]);
}

#[test]
fn a_peer_that_is_silent_for_long_is_asked_and_then_given_up() {
    let mut pair = with_dpd(Duration::from_secs(30));
    pair.initiate();
    pair.run(Duration::from_secs(40));
    let asked =
        pair.sent.iter().filter(|sent| sent.is(Side::A, ExchangeType::INFORMATIONAL, MessageKind::Request));
    assert_eq!(asked.count(), 1, "one check in the first 40 s");
    assert_eq!(pair.snapshot(Side::A).state, IkeSaState::Established);
    pair.filter = Box::new(|_| false);
    pair.run(Duration::from_secs(300));
    assert_eq!(pair.a.events.last(), Some(&Seen::Closed(CloseReason::PeerDead, IkeSaState::Established)));
    assert!(pair.a.kernel.is_empty());
}

#[test]
fn encapsulated_esp_is_a_sign_of_life() {
    let mut pair = with_dpd(Duration::from_secs(30));
    pair.network.nat = true;
    pair.a.world.settings.keep_alive = Duration::ZERO;
    pair.a.kernel.usage.idle = Some(Duration::from_secs(1));
    pair.initiate();
    pair.run(Duration::from_secs(300));
    assert_eq!(pair.sent.len(), 6, "nothing was asked but how the NAT maps us");
}

#[test]
fn the_initiator_side_of_a_delete_survives_loss() {
    let mut pair = psk_pair();
    pair.initiate();
    pair.run(SOON);
    let mut first = true;
    pair.filter = Box::new(move |_| !std::mem::take(&mut first));
    let token = Some(CommandToken(2));
    pair.command(Side::A, Command::TerminateIke { force: crate::ike_sa::Force::Polite, token });
    pair.run(Duration::from_secs(10));
    assert!(pair.a.events.contains(&Seen::Done(2, Ok(CommandSuccess::Terminated))));
    assert_nothing_left(&pair);
}

fn with_dpd(delay: Duration) -> Pair {
    let mut pair = psk_pair();
    let mut connection = (*pair.a.world.connections[0]).clone();
    connection.ike.dpd_delay = delay;
    pair.a.world.connections[0] = std::sync::Arc::new(connection);
    pair
}

#[test]
fn roles_stay_what_they_were() {
    let mut pair = psk_pair();
    pair.initiate();
    pair.run(SOON);
    assert_eq!((pair.sa(Side::A).role(), pair.sa(Side::B).role()), (Role::Initiator, Role::Responder));
}
