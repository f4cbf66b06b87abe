//! Requests and answers under an established IKE_SA that break the rules, and what they break: as little as possible.

use std::time::Duration;

use charon_types::algorithm::KeMethod;
use charon_types::connection::ChildConfig;
use charon_types::endpoint::Path;
use charon_types::id::{MessageId, UniqueId};
use charon_types::proposal::Protocol;
use charon_types::snapshot::{ChildSaState, IkeSaState};
use std::sync::Arc;

use super::forge::{
    MOMENT, Which, established, inject, lie, lie_critically, read, seal, seen_path, withhold,
};
use super::handshake::{assert_keys_agree, assert_nothing_left, psk_pair};
use super::pair::{Pair, Seen, Side};
use crate::failure::{Failure, Incompatibility, Misbehaviour};
use crate::ike_sa::{Command, Force};
use crate::output::{CloseReason, CommandToken, Order};
use crate::wire::payload::{Delete, Notify};
use crate::wire::{ExchangeType, Message, MessageKind, NotifyType, Payload, PayloadType};

const TOKEN: Option<CommandToken> = Some(CommandToken(2));
const REQUEST: Which = Which(Side::A, ExchangeType::CREATE_CHILD_SA, MessageKind::Request);
const ANSWER: Which = Which(Side::B, ExchangeType::CREATE_CHILD_SA, MessageKind::Response);

fn child(pair: &Pair) -> Arc<ChildConfig> {
    Arc::clone(&pair.a.world.connections[0].children[0])
}

/// A wants a second child.
fn another_child(pair: &mut Pair) {
    let child = child(pair);
    pair.command(Side::A, Command::InitiateChild { child, token: TOKEN });
}

fn rekey_child(pair: &mut Pair) {
    pair.command(Side::A, Command::RekeyChild { child: UniqueId(1), token: TOKEN });
}

fn rekey_ike(pair: &mut Pair) {
    pair.command(Side::A, Command::RekeyIke { token: TOKEN });
}

fn outcome(pair: &Pair) -> Failure {
    let done = pair.a.events.iter().find_map(|event| match event {
        Seen::Done(2, Err(failure)) => Some(failure.clone()),
        _ => None,
    });
    done.unwrap_or_else(|| panic!("{:?}", pair.a.events))
}

/// Nothing but the first child, as before.
fn assert_as_before(pair: &mut Pair) {
    for side in [Side::A, Side::B] {
        let sa = pair.snapshot(side);
        assert_eq!(sa.state, IkeSaState::Established, "{side:?}");
        assert_eq!(sa.children.len(), 1, "{side:?}");
        assert_eq!(sa.children[0].state, ChildSaState::Installed);
        assert!(pair.host(side).kernel.reserved.is_empty());
    }
    assert_keys_agree(pair);
}

fn without(kind: PayloadType) -> impl FnOnce(&mut Vec<Payload>) {
    move |payloads| payloads.retain(|payload| payload.kind() != kind)
}

#[test]
fn unknown_notifies_in_a_request_are_ignored() {
    for kind in [NotifyType(45_000), NotifyType(9_000)] {
        let mut pair = established();
        let answer = inject(&mut pair, Side::A, ExchangeType::INFORMATIONAL, &[Payload::status(kind)]);
        assert_eq!(answer.unwrap().payloads, []);
        assert_as_before(&mut pair);
    }
}

#[test]
fn an_unknown_error_in_an_answer_fails_what_was_asked_for_alone() {
    let mut pair = established();
    lie(&mut pair, ANSWER, another_child, |payloads| *payloads = vec![Payload::status(NotifyType(9_000))]);
    assert_eq!(outcome(&pair), Failure::Rejected(9_000));
    assert_eq!(pair.snapshot(Side::A).state, IkeSaState::Established);
    assert_eq!(pair.snapshot(Side::A).children.len(), 1);
}

#[test]
fn an_unknown_status_in_an_answer_is_ignored() {
    let mut pair = established();
    lie(&mut pair, ANSWER, another_child, |payloads| payloads.push(Payload::status(NotifyType(45_000))));
    assert_eq!(pair.snapshot(Side::A).children.len(), 2);
}

#[test]
fn an_unknown_critical_payload_in_a_request_is_named_and_the_ike_sa_stays() {
    let mut pair = established();
    lie_critically(&mut pair, REQUEST, another_child);
    assert_eq!(outcome(&pair), Failure::Rejected(NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD.0));
    let answer = pair.sent.last().unwrap().clone();
    let answer = read(&mut pair, &answer);
    assert_eq!(answer.notify(NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD).unwrap().data, [200]);
    assert_as_before(&mut pair);
}

#[test]
fn an_unknown_critical_payload_in_an_answer_ends_the_ike_sa_on_both_sides() {
    let mut pair = established();
    lie_critically(&mut pair, ANSWER, another_child);
    let reason = CloseReason::Failed(Incompatibility::CriticalPayload(200).into());
    assert!(pair.a.events.contains(&Seen::Closed(reason, IkeSaState::Deleting)), "{:?}", pair.a.events);
    assert_nothing_left(&pair);
}

#[test]
fn the_peer_hears_of_an_answer_that_cannot_be_parsed() {
    let mut pair = established();
    lie(&mut pair, ANSWER, another_child, |payloads| payloads.push(Payload::Nonce(vec![1, 2, 3])));
    assert_eq!(pair.b.events.last(), Some(&Seen::Closed(CloseReason::Peer, IkeSaState::Deleting)));
    assert_nothing_left(&pair);
}

fn rekey_notify(protocol: u8, spi: &[u8]) -> Payload {
    let kind = NotifyType::REKEY_SA;
    Payload::Notify(Notify { protocol, spi: spi.to_vec(), kind, data: Vec::new() })
}

/// B's answer to a rekeying whose REKEY_SA notify is that one.
fn asked_to_rekey(pair: &mut Pair, notify: Payload) -> Message {
    lie(pair, REQUEST, another_child, |payloads| payloads.insert(0, notify));
    let answer = pair.sent.iter().rev().find(|sent| sent.is(ANSWER.0, ANSWER.1, ANSWER.2)).unwrap().clone();
    read(pair, &answer)
}

#[test]
fn a_child_to_be_rekeyed_that_is_not_known_is_named_in_the_answer() {
    let mut pair = established();
    // There is a child with that SPI, of another protocol.
    let ours = pair.snapshot(Side::A).children[0].installed.as_ref().unwrap().spi_in.to_be_bytes();
    for (protocol, spi) in [(3, [0xc0, 0xff, 0xee, 1]), (2, ours)] {
        pair.a.events.clear();
        let answer = asked_to_rekey(&mut pair, rekey_notify(protocol, &spi));
        let notify = answer.notify(NotifyType::CHILD_SA_NOT_FOUND).unwrap();
        assert_eq!((notify.protocol, &*notify.spi), (protocol, &spi[..]));
        assert_as_before(&mut pair);
    }
}

#[test]
fn a_rekeying_of_what_cannot_be_is_refused() {
    for (protocol, spi) in [(3, &[1, 2, 3][..]), (3, &[0, 0, 0, 9]), (1, &[1, 2, 3, 4]), (0, &[])] {
        let mut pair = established();
        let answer = asked_to_rekey(&mut pair, rekey_notify(protocol, spi));
        assert!(answer.has_notify(NotifyType::INVALID_SYNTAX));
        assert_as_before(&mut pair);
    }
}

#[test]
fn a_delete_of_what_is_not_there_is_answered_with_nothing() {
    let mut pair = established();
    let known = pair.snapshot(Side::A).children[0].installed.as_ref().unwrap().spi_in;
    let unknown = charon_types::EspSpi::from_be_bytes([0xc0, 0xff, 0xee, 1]).unwrap();
    for (protocol, spi) in [(Protocol::Esp, unknown), (Protocol::Ah, known)] {
        let delete = Payload::Delete(Delete { protocol, spis: vec![spi] });
        let answer = inject(&mut pair, Side::A, ExchangeType::INFORMATIONAL, &[delete]);
        assert_eq!(answer.unwrap().payloads, []);
        assert_as_before(&mut pair);
    }
}

#[test]
fn a_request_of_long_ago_is_dropped() {
    let mut pair = established();
    for _ in 0..2 {
        inject(&mut pair, Side::A, ExchangeType::INFORMATIONAL, &[]).unwrap();
    }
    let (sent, path) = (pair.sent.len(), pair.sa(Side::B).sa.path);
    let (exchange, kind) = (ExchangeType::INFORMATIONAL, MessageKind::Request);
    let octets = seal(&mut pair, Side::A, exchange, kind, MessageId(2), &[]);
    pair.deliver(Side::B, path, &octets);
    assert_eq!(pair.sent.len(), sent);
    assert_as_before(&mut pair);
}

#[test]
fn a_repeated_request_is_answered_to_where_it_came_from() {
    let mut pair = established();
    let path = pair.sa(Side::B).sa.path;
    let id = pair.sa(Side::A).sa.next_request;
    let (exchange, kind) = (ExchangeType::INFORMATIONAL, MessageKind::Request);
    let octets = seal(&mut pair, Side::A, exchange, kind, id, &[]);
    pair.deliver(Side::B, path, &octets);
    let first = pair.sent.last().unwrap().octets.clone();
    let elsewhere = Path { remote: "192.0.2.77:4500".parse().unwrap(), ..path };
    pair.deliver(Side::B, elsewhere, &octets);
    let again = pair.sent.last().unwrap();
    assert_eq!((&again.octets, again.path), (&first, elsewhere));
    assert_eq!(pair.sa(Side::B).sa.path, path, "nobody has moved");
}

#[test]
fn only_the_first_fragment_of_a_repeated_request_is_answered() {
    let mut pair = psk_pair();
    pair.a.world.settings.fragment_size_v4 = 200;
    pair.initiate();
    pair.run(MOMENT);
    let pieces: Vec<_> = pair
        .sent
        .iter()
        .filter(|sent| sent.is(Side::A, ExchangeType::IKE_AUTH, MessageKind::Request))
        .cloned()
        .collect();
    assert!(pieces.len() > 1, "the request is fragmented");
    let answers = |pair: &mut Pair, at: usize| {
        let before = pair.sent.len();
        pair.deliver(Side::B, seen_path(&pieces[at]), &pieces[at].octets);
        pair.sent.len() - before
    };
    assert_eq!(answers(&mut pair, 1), 0);
    assert_eq!(answers(&mut pair, 0), 1);
    assert_as_before(&mut pair);
}

/// B has begun something of which A does not hear, and answers what A asks for meanwhile.
fn meanwhile(begin: impl FnOnce(&mut Pair), ask: impl FnOnce(&mut Pair)) -> Failure {
    let mut pair = established();
    pair.filter = Box::new(|sent| !(sent.from == Side::B && sent.header().kind == MessageKind::Request));
    begin(&mut pair);
    pair.run(MOMENT);
    ask(&mut pair);
    pair.run(MOMENT);
    outcome(&pair)
}

fn temporary() -> Failure {
    Failure::Rejected(NotifyType::TEMPORARY_FAILURE.0)
}

#[test]
fn a_child_that_is_being_deleted_is_not_rekeyed() {
    let delete = |pair: &mut Pair| {
        pair.command(Side::B, Command::TerminateChild { child: UniqueId(1), token: None });
    };
    assert_eq!(meanwhile(delete, rekey_child), temporary());
    assert_eq!(meanwhile(delete, rekey_ike), temporary(), "nor is the IKE_SA");
}

#[test]
fn nothing_new_begins_while_the_ike_sa_is_replaced_or_deleted() {
    let replace = |pair: &mut Pair| pair.command(Side::B, Command::RekeyIke { token: None });
    let delete = |pair: &mut Pair| {
        pair.command(Side::B, Command::TerminateIke { force: Force::Polite, token: None });
    };
    assert_eq!(meanwhile(replace, another_child), temporary());
    assert_eq!(meanwhile(replace, rekey_child), temporary());
    assert_eq!(meanwhile(delete, another_child), temporary());
    assert_eq!(meanwhile(delete, rekey_child), temporary());
    assert_eq!(meanwhile(delete, rekey_ike), temporary());
}

#[test]
fn what_is_established_anew_is_not_replaced_as_well() {
    let anew = |pair: &mut Pair| pair.command(Side::B, Command::Reauthenticate { token: None });
    assert_eq!(meanwhile(anew, rekey_ike), temporary());
}

/// A's request is not as it should be: B answers with an error, and all is as before.
fn refused(begin: fn(&mut Pair), edit: impl FnOnce(&mut Vec<Payload>)) -> Failure {
    let mut pair = established();
    lie(&mut pair, REQUEST, begin, edit);
    assert_as_before(&mut pair);
    outcome(&pair)
}

fn spoil_ke(payloads: &mut Vec<Payload>) {
    for payload in payloads {
        if let Payload::Ke(ke) = payload {
            ke.data.fill(0);
        }
    }
}

#[test]
fn an_incomplete_request_for_a_child_is_refused() {
    let invalid = Failure::Rejected(NotifyType::INVALID_SYNTAX.0);
    for kind in [PayloadType::SA, PayloadType::NONCE, PayloadType::TS_R] {
        assert_eq!(refused(another_child, without(kind)), invalid, "{kind:?}");
    }
    assert_eq!(refused(another_child, spoil_ke), invalid);
    assert_eq!(refused(rekey_child, spoil_ke), invalid);
    let reserved = |payloads: &mut Vec<Payload>| {
        for payload in payloads {
            if let Payload::Sa(offers) = payload {
                offers.iter_mut().for_each(|offer| offer.spi = vec![0, 0, 0, 255]);
            }
        }
    };
    assert_eq!(refused(another_child, reserved), invalid);
}

#[test]
fn an_incomplete_request_for_an_ike_sa_is_refused() {
    let invalid = Failure::Rejected(NotifyType::INVALID_SYNTAX.0);
    for kind in [PayloadType::SA, PayloadType::NONCE, PayloadType::KE] {
        assert_eq!(refused(rekey_ike, without(kind)), invalid, "{kind:?}");
    }
    assert_eq!(refused(rekey_ike, spoil_ke), invalid);
    for spi in [vec![0; 8], vec![1; 4], Vec::new()] {
        let lie = |payloads: &mut Vec<Payload>| {
            for payload in payloads {
                if let Payload::Sa(offers) = payload {
                    offers.iter_mut().for_each(|offer| offer.spi.clone_from(&spi));
                }
            }
        };
        assert_eq!(refused(rekey_ike, lie), invalid);
    }
}

#[test]
fn an_answer_of_which_no_ike_sa_can_be_made_makes_both_start_over() {
    let lies: [fn(&mut Vec<Payload>); 3] = [
        spoil_ke,
        |payloads| without(PayloadType::NONCE)(payloads),
        |payloads| without(PayloadType::SA)(payloads),
    ];
    for spoil in lies {
        let mut pair = established();
        lie(&mut pair, ANSWER, rekey_ike, spoil);
        assert!(matches!(outcome(&pair), Failure::PeerMisbehaved(_)));
        // B goes on with what A does not have; A begins anew, which tells B so.
        let anew = Seen::Reauthenticate(Order::BreakBeforeMake, 1);
        assert!(pair.a.events.contains(&anew), "{:?}", pair.a.events);
        assert!(pair.a.sas.is_empty() && pair.a.kernel.is_empty());
        assert_eq!(pair.b.sas.iter().filter(|sa| sa.state() == IkeSaState::Rekeyed).count(), 0);
    }
}

/// B's answer is not as it should be: A does without the child, and has B do without it.
fn disowned(edit: impl FnOnce(&mut Vec<Payload>)) -> Failure {
    let mut pair = established();
    lie(&mut pair, ANSWER, another_child, edit);
    assert_as_before(&mut pair);
    outcome(&pair)
}

#[test]
fn a_child_that_was_not_asked_for_is_disowned() {
    for kind in [PayloadType::SA, PayloadType::NONCE, PayloadType::TS_I, PayloadType::TS_R] {
        assert_eq!(disowned(without(kind)), Misbehaviour::MissingPayload(kind.0).into());
    }
    assert_eq!(disowned(without(PayloadType::KE)), Misbehaviour::UnofferedProposal.into());
    assert_eq!(disowned(spoil_ke), Misbehaviour::InvalidPublicValue.into());
    let wider = disowned(|payloads| {
        for payload in payloads {
            if let Payload::TsI(selectors) = payload {
                selectors[0].start = "10.0.0.0".parse().unwrap();
            }
        }
    });
    assert_eq!(wider, Misbehaviour::WiderSelectors.into());
    let twice = disowned(|payloads| {
        for payload in payloads {
            if let Payload::Sa(offers) = payload {
                offers.push(offers[0].clone());
            }
        }
    });
    assert_eq!(twice, Misbehaviour::UnofferedProposal.into());
    let mode = disowned(|payloads| payloads.push(Payload::status(NotifyType::USE_TRANSPORT_MODE)));
    assert_eq!(mode, Misbehaviour::UnofferedMode.into());
}

#[test]
fn a_method_that_was_not_offered_fails_the_child_alone() {
    let mut pair = established();
    let data = KeMethod(2).0.to_be_bytes().to_vec();
    lie(&mut pair, ANSWER, another_child, |payloads| {
        *payloads = vec![Payload::notify(NotifyType::INVALID_KE_PAYLOAD, data)];
    });
    assert_eq!(outcome(&pair), Misbehaviour::UnofferedKeMethod(KeMethod(2)).into());
    assert_eq!(pair.snapshot(Side::A).children.len(), 1);
}

#[test]
fn a_second_authentication_is_refused_and_the_ike_sa_stays() {
    let mut pair = established();
    let answer = inject(&mut pair, Side::A, ExchangeType::IKE_AUTH, &[]);
    assert!(answer.unwrap().has_notify(NotifyType::INVALID_SYNTAX));
    assert_as_before(&mut pair);
}

#[test]
fn only_the_initiator_moves_the_ike_sa() {
    let mut pair = established();
    let path = pair.sa(Side::A).sa.path;
    let (exchange, kind) = (ExchangeType::INFORMATIONAL, MessageKind::Request);
    let update = [Payload::status(NotifyType::UPDATE_SA_ADDRESSES)];
    let octets = seal(&mut pair, Side::B, exchange, kind, MessageId(0), &update);
    let elsewhere = Path { remote: "192.0.2.77:4500".parse().unwrap(), ..path };
    pair.deliver(Side::A, elsewhere, &octets);
    assert_eq!(pair.sa(Side::A).sa.path, path);
    assert!(pair.a.events.is_empty());
}

#[test]
fn an_answer_that_comes_twice_counts_once() {
    let mut pair = established();
    let answer = withhold(&mut pair, ANSWER, another_child);
    for _ in 0..2 {
        pair.deliver(Side::A, seen_path(&answer), &answer.octets);
    }
    pair.run(Duration::from_secs(3));
    assert_eq!(pair.snapshot(Side::A).children.len(), 2);
    assert_eq!(pair.a.events.iter().filter(|event| matches!(event, Seen::Done(2, _))).count(), 1);
}
