//! Input that nobody sane sends: it changes nothing, or it ends in the answer that the RFC names.

use charon_types::endpoint::Path;
use charon_types::id::{MessageId, Role};
use charon_types::snapshot::IkeSaState;

use super::handshake::{SOON, assert_keys_agree, psk_pair};
use super::pair::{Pair, Seen, Side};
use super::world::crypto;
use crate::failure::{Failure, Misbehaviour};
use crate::ike_sa::Command;
use crate::output::CloseReason;
use crate::wire::protect::{Opened, open};
use crate::wire::{ExchangeType, Header, Message, MessageKind, NotifyType, Payload, PayloadType};

fn established() -> Pair {
    let mut pair = psk_pair();
    pair.initiate();
    pair.run(SOON);
    pair
}

/// Seals a request that A would never send, with A's keys, and hands it to B.
fn inject(pair: &mut Pair, exchange: ExchangeType, payloads: &[Payload]) {
    let sa = &mut pair.a.sas[0].sa;
    let id = sa.next_request;
    sa.next_request = id.next();
    inject_as(pair, exchange, MessageKind::Request, id, payloads);
}

/// As [`inject`], any message.
fn inject_as(
    pair: &mut Pair,
    exchange: ExchangeType,
    kind: MessageKind,
    id: MessageId,
    payloads: &[Payload],
) {
    let sa = &mut pair.a.sas[0].sa;
    let header = Header {
        spi_initiator: sa.spi_initiator().unwrap(),
        spi_responder: sa.spi_responder(),
        next_payload: PayloadType::NONE,
        exchange,
        sender: Role::Initiator,
        kind,
        message_id: id,
    };
    let octets = sa.keys.as_mut().unwrap().sealer.seal(&header, payloads, crypto().random());
    let path = Path { local: sa.path.remote, remote: sa.path.local };
    pair.deliver(Side::B, path, &octets);
}

/// What B answered last.
fn last_answer(pair: &Pair) -> Message {
    let sent = pair.sent.iter().rev().find(|sent| sent.from == Side::B).unwrap();
    let keys = pair.a.sas[0].sa.keys.as_ref().unwrap();
    let (header, opened) = open(&sent.octets, &keys.inbound).unwrap();
    let Opened::Whole(plaintext) = opened else { panic!("not fragmented") };
    let payloads = crate::wire::message::parse_chain(plaintext.first, &plaintext.octets).unwrap();
    Message { header, payloads }
}

#[test]
fn any_flipped_bit_on_the_way_is_harmless_once_keys_exist() {
    // Every octet of both IKE_AUTH messages, one bit each: the genuine copy, repeated later, still leads to a tunnel.
    let mut pair = psk_pair();
    pair.filter = Box::new(|sent| sent.header().exchange == ExchangeType::IKE_SA_INIT);
    pair.initiate();
    pair.run(std::time::Duration::from_secs(1));
    let request =
        pair.sent.iter().find(|sent| sent.header().exchange == ExchangeType::IKE_AUTH).unwrap().clone();
    let path = Path { local: request.path.remote, remote: request.path.local };
    for at in 0..request.octets.len() {
        let mut forged = request.octets.clone();
        forged[at] ^= 1 << (at % 8);
        pair.deliver(Side::B, path, &forged);
    }
    assert_eq!(pair.b.events, [], "nothing came of it");
    pair.filter = Box::new(|_| true);
    pair.run(std::time::Duration::from_secs(5));
    assert_keys_agree(&pair);
}

#[test]
fn truncated_and_extended_messages_are_dropped_everywhere() {
    let pair = established();
    let sent = pair.sent;
    for original in &sent {
        for len in (0..original.octets.len()).step_by(3) {
            let mut pair = established();
            let to = if original.from == Side::A { Side::B } else { Side::A };
            let path = Path { local: original.path.remote, remote: original.path.local };
            let before = (pair.a.sas.len(), pair.b.sas.len());
            pair.deliver(to, path, &original.octets[..len]);
            assert_eq!((pair.a.sas.len(), pair.b.sas.len()), before);
            if len % 30 != 0 {
                continue;
            }
            let longer = [&original.octets[..], &vec![0; len]].concat();
            pair.deliver(to, path, &longer);
            assert_eq!(pair.a.sas.len(), 1);
        }
    }
}

#[test]
fn random_octets_with_a_valid_header_never_panic() {
    let mut pair = established();
    let header = pair.sent[2].header();
    let path = Path { local: pair.sent[2].path.remote, remote: pair.sent[2].path.local };
    for round in 0..2000_u32 {
        let mut body = vec![0; usize::try_from(round % 200).unwrap()];
        crypto().random().fill(&mut body);
        let header = Header {
            exchange: ExchangeType(34 + u8::try_from(round % 5).unwrap()),
            message_id: MessageId(round % 4),
            next_payload: PayloadType(u8::try_from(33 + round % 22).unwrap()),
            kind: if round % 2 == 0 { MessageKind::Request } else { MessageKind::Response },
            ..header
        };
        let mut octets = Vec::new();
        header.emit(28 + body.len(), &mut octets);
        octets.extend_from_slice(&body);
        pair.deliver(Side::B, path, &octets);
    }
    assert_eq!(pair.snapshot(Side::B).state, IkeSaState::Established);
}

#[test]
fn an_unknown_payload_is_ignored() {
    let mut pair = established();
    let kind = PayloadType(200);
    inject(&mut pair, ExchangeType::INFORMATIONAL, &[Payload::Unknown { kind, body: vec![1, 2, 3] }]);
    assert_eq!(last_answer(&pair).payloads, []);
    assert_eq!(pair.snapshot(Side::B).state, IkeSaState::Established);
}

#[test]
fn an_unknown_critical_payload_is_named_in_the_answer() {
    const CRITICAL_AT: usize = 29;
    let mut pair = psk_pair();
    pair.initiate();
    let mut message = Message::parse(&pair.sent[0].octets).unwrap();
    message.payloads.insert(0, Payload::Unknown { kind: PayloadType(200), body: vec![1, 2, 3] });
    let mut octets = message.emit();
    octets[CRITICAL_AT] |= 0x80;
    let path = Path { local: pair.sent[0].path.remote, remote: pair.sent[0].path.local };
    pair.deliver(Side::B, path, &octets);
    let answer = Message::parse(&pair.sent.last().unwrap().octets).unwrap();
    assert_eq!(answer.notify(NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD).unwrap().data, [200]);
    assert!(pair.b.sas.is_empty());
}

#[test]
fn an_unparsable_request_of_the_peer_is_answered_and_ends_the_ike_sa() {
    let mut pair = established();
    // A nonce of three octets.
    inject(&mut pair, ExchangeType::INFORMATIONAL, &[Payload::Nonce(vec![1, 2, 3])]);
    assert!(last_answer(&pair).has_notify(NotifyType::INVALID_SYNTAX));
    let reason = CloseReason::Failed(Failure::from(Misbehaviour::InvalidSyntax));
    assert_eq!(pair.b.events.last(), Some(&Seen::Closed(reason, IkeSaState::Established)));
    assert!(pair.b.kernel.is_empty());
}

#[test]
fn a_request_beyond_the_window_is_dropped() {
    let mut pair = established();
    let (sent, id) = (pair.sent.len(), pair.a.sas[0].sa.next_request.next());
    inject_as(&mut pair, ExchangeType::INFORMATIONAL, MessageKind::Request, id, &[]);
    assert_eq!(pair.sent.len(), sent);
    assert_eq!(pair.snapshot(Side::B).state, IkeSaState::Established);
}

#[test]
fn a_response_that_nobody_awaits_or_to_something_else_is_dropped() {
    let mut pair = established();
    let unparsable = [Payload::Nonce(vec![1, 2, 3])];
    inject_as(&mut pair, ExchangeType::INFORMATIONAL, MessageKind::Response, MessageId(0), &unparsable);
    assert_eq!(pair.snapshot(Side::B).state, IkeSaState::Established);
    pair.filter = Box::new(|_| false);
    let child = pair.snapshot(Side::B).children[0].unique_id;
    pair.command(Side::B, Command::RekeyChild { child, token: None });
    for (exchange, id) in [(ExchangeType::INFORMATIONAL, 0), (ExchangeType::CREATE_CHILD_SA, 1)] {
        inject_as(&mut pair, exchange, MessageKind::Response, MessageId(id), &unparsable);
        assert!(pair.sa(Side::B).sa.outstanding.is_some(), "it still waits");
    }
}

#[test]
fn an_unparsable_response_ends_the_ike_sa() {
    let mut pair = established();
    pair.filter = Box::new(|_| false);
    let child = pair.snapshot(Side::B).children[0].unique_id;
    pair.command(Side::B, Command::RekeyChild { child, token: None });
    let unparsable = [Payload::Nonce(vec![1, 2, 3])];
    let exchange = ExchangeType::CREATE_CHILD_SA;
    inject_as(&mut pair, exchange, MessageKind::Response, MessageId(0), &unparsable);
    let reason = CloseReason::Failed(Failure::from(Misbehaviour::InvalidSyntax));
    assert!(pair.b.events.contains(&Seen::Closed(reason, IkeSaState::Deleting)));
    assert!(pair.b.sas.is_empty() && pair.b.kernel.is_empty());
}

#[test]
fn a_create_child_sa_request_without_its_payloads_is_refused_and_the_ike_sa_stays() {
    let mut pair = established();
    inject(&mut pair, ExchangeType::CREATE_CHILD_SA, &[]);
    assert!(last_answer(&pair).has_notify(NotifyType::INVALID_SYNTAX));
    assert_eq!(pair.snapshot(Side::B).state, IkeSaState::Established);
    assert_eq!(pair.snapshot(Side::B).children.len(), 1);
}

#[test]
fn an_unknown_exchange_is_refused_and_the_ike_sa_stays() {
    let mut pair = established();
    inject(&mut pair, ExchangeType(99), &[]);
    assert!(last_answer(&pair).has_notify(NotifyType::INVALID_SYNTAX));
    assert_eq!(pair.snapshot(Side::B).state, IkeSaState::Established);
}

#[test]
fn an_empty_request_is_answered_with_nothing() {
    let mut pair = established();
    inject(&mut pair, ExchangeType::INFORMATIONAL, &[]);
    assert_eq!(last_answer(&pair).payloads, []);
}

#[test]
fn a_request_of_a_later_major_version_hears_ours() {
    let mut pair = psk_pair();
    pair.initiate();
    let mut octets = pair.sent[0].octets.clone();
    octets[17] = 0x30;
    let path = Path { local: pair.sent[0].path.remote, remote: pair.sent[0].path.local };
    pair.deliver(Side::B, path, &octets);
    let answer = Message::parse(&pair.sent.last().unwrap().octets).unwrap();
    assert!(answer.has_notify(NotifyType::INVALID_MAJOR_VERSION));
    assert!(pair.b.sas.is_empty());
}

#[test]
fn a_request_without_key_exchange_is_dropped_without_state() {
    let mut pair = psk_pair();
    pair.initiate();
    let mut message = Message::parse(&pair.sent[0].octets).unwrap();
    message.payloads.retain(|payload| payload.kind() != PayloadType::KE);
    let path = Path { local: pair.sent[0].path.remote, remote: pair.sent[0].path.local };
    pair.deliver(Side::B, path, &message.emit());
    assert!(pair.b.sas.is_empty());
    assert_eq!(pair.b.dropped.len(), 1);
}

#[test]
fn an_initiator_gives_up_on_endless_cookies() {
    let mut pair = psk_pair();
    pair.filter = Box::new(|_| false);
    pair.initiate();
    for round in 0..10_u8 {
        if pair.a.sas.is_empty() {
            break;
        }
        let request = Message::parse(&pair.sent.last().unwrap().octets).unwrap();
        let header = Header { sender: Role::Responder, kind: MessageKind::Response, ..request.header };
        let cookie = Payload::notify(NotifyType::COOKIE, vec![round; 16]);
        let path = Path { local: pair.sent[0].path.local, remote: pair.sent[0].path.remote };
        pair.deliver(Side::A, path, &Message { header, payloads: vec![cookie] }.emit());
    }
    assert!(pair.a.sas.is_empty());
    assert_eq!(pair.sent.len(), 6, "five restarts");
}
