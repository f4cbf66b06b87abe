//! Messages of IKE_SA_INIT, and messages in clear: anybody may have sent them.

use std::time::Duration;

use charon_types::algorithm::KeMethod;
use charon_types::endpoint::Path;
use charon_types::id::MessageId;
use charon_types::snapshot::IkeSaState;

use super::forge::{MOMENT, Which, answer_init, established, seen_path, withhold};
use super::handshake::{assert_keys_agree, assert_nothing_left, psk_pair, set_ike_proposals};
use super::pair::{Pair, Seen, Sent, Side};
use crate::admission::DropReason;
use crate::failure::{Failure, Misbehaviour};
use crate::ike_sa::{Command, Force};
use crate::wire::{ExchangeType, Message, MessageKind, NotifyType, Payload, PayloadType};

const REQUEST: Which = Which(Side::A, ExchangeType::IKE_SA_INIT, MessageKind::Request);
const ANSWER: Which = Which(Side::B, ExchangeType::IKE_SA_INIT, MessageKind::Response);

/// A has begun, and nothing of it arrives.
fn begun() -> (Pair, Sent) {
    let mut pair = psk_pair();
    let request = withhold(&mut pair, REQUEST, Pair::initiate);
    (pair, request)
}

/// A's request arrives, changed.
fn told(edit: impl FnOnce(&mut Vec<u8>)) -> Pair {
    let (mut pair, mut request) = begun();
    edit(&mut request.octets);
    pair.deliver(Side::B, seen_path(&request), &request.octets);
    pair
}

fn answers(pair: &Pair) -> usize {
    pair.sent.iter().filter(|sent| sent.from == Side::B).count()
}

#[test]
fn reserved_bits_the_version_bit_and_a_minor_version_are_ignored() {
    let pair = told(|octets| {
        octets[17] |= 0x0f;
        octets[19] |= 0xd7;
        octets[29] |= 0x7f;
    });
    assert_eq!((pair.b.sas.len(), answers(&pair)), (1, 1));
}

#[test]
fn a_message_of_an_earlier_version_is_dropped() {
    let pair = told(|octets| octets[17] = 0x10);
    assert_eq!((pair.b.sas.len(), answers(&pair)), (0, 0));
}

#[test]
fn a_message_without_an_initiator_spi_is_dropped() {
    let pair = told(|octets| octets[..8].fill(0));
    assert_eq!((pair.b.sas.len(), answers(&pair)), (0, 0));
}

#[test]
fn a_first_request_that_is_none_is_dropped() {
    let edits: [fn(&mut Vec<u8>); 4] = [
        |octets| octets[15] = 1,
        |octets| octets[23] = 1,
        |octets| octets[19] = 0,
        |octets| octets[18] = ExchangeType::IKE_AUTH.0,
    ];
    for edit in edits {
        let pair = told(edit);
        assert_eq!((pair.b.sas.len(), answers(&pair)), (0, 0));
        assert_eq!(pair.b.dropped, [DropReason::NotInit]);
    }
}

#[test]
fn a_message_of_an_ike_sa_that_is_not_there_is_dropped() {
    let mut pair = established();
    pair.b.sas.clear();
    let sent = pair.sent.len();
    pair.command(Side::A, Command::TerminateIke { force: Force::Polite, token: None });
    pair.run(MOMENT);
    assert_eq!(pair.sent.len(), sent + 1);
    assert_eq!(pair.b.dropped, [DropReason::NotInit]);
}

#[test]
fn an_error_in_clear_changes_nothing_once_keys_exist() {
    for kind in [NotifyType::INVALID_IKE_SPI, NotifyType::AUTHENTICATION_FAILED] {
        let mut pair = established();
        let which = Which(Side::A, ExchangeType::INFORMATIONAL, MessageKind::Request);
        let sent = withhold(&mut pair, which, |pair| {
            pair.command(Side::A, Command::TerminateChild { child: charon_types::UniqueId(1), token: None });
        });
        for answers in [MessageKind::Response, MessageKind::Request] {
            let mut header = sent.header();
            (header.kind, header.sender) = (answers, header.sender.peer());
            let payloads = vec![Payload::status(kind)];
            pair.deliver(Side::A, sent.path, &Message { header, payloads }.emit());
        }
        assert_eq!(pair.a.events, []);
        assert!(pair.sa(Side::A).sa.outstanding.is_some(), "it still waits");
    }
}

#[test]
fn an_answer_from_another_address_is_dropped() {
    let mut pair = psk_pair();
    let answer = withhold(&mut pair, ANSWER, Pair::initiate);
    let elsewhere = Path { remote: "192.0.2.66:500".parse().unwrap(), ..seen_path(&answer) };
    pair.deliver(Side::A, elsewhere, &answer.octets);
    assert_eq!(pair.a.sas[0].remote_spi(), None);
    pair.run(Duration::from_secs(5));
    assert_keys_agree(&pair);
}

#[test]
fn an_answer_that_cannot_be_one_is_ignored() {
    let edits: [fn(&mut Vec<u8>); 3] = [
        // Without the responder's SPI, cut, of another exchange.
        |octets| octets[8..16].fill(0),
        |octets| octets.truncate(60),
        |octets| octets[18] = ExchangeType::INFORMATIONAL.0,
    ];
    for edit in edits {
        let mut pair = psk_pair();
        let answer = withhold(&mut pair, ANSWER, Pair::initiate);
        let mut octets = answer.octets.clone();
        edit(&mut octets);
        pair.deliver(Side::A, seen_path(&answer), &octets);
        assert_eq!(pair.a.sas[0].remote_spi(), None);
        pair.run(Duration::from_secs(5));
        assert_keys_agree(&pair);
    }
}

#[test]
fn an_error_that_anybody_can_send_is_believed_if_nothing_better_comes() {
    for (wait, outcome) in [(900, None), (1100, Some(NotifyType::NO_PROPOSAL_CHOSEN))] {
        let mut pair = psk_pair();
        let answer = withhold(&mut pair, ANSWER, Pair::initiate);
        answer_init(&mut pair, |message| {
            message.payloads = vec![Payload::status(NotifyType::NO_PROPOSAL_CHOSEN)]
        });
        pair.run(Duration::from_millis(wait));
        match outcome {
            None => {
                pair.deliver(Side::A, seen_path(&answer), &answer.octets);
                pair.run(MOMENT);
                assert_keys_agree(&pair);
            }
            Some(error) => {
                assert_eq!(pair.a.events.first(), Some(&Seen::Done(1, Err(Failure::Rejected(error.0)))));
                assert!(pair.a.sas.is_empty());
            }
        }
    }
}

#[test]
fn a_cookie_that_was_sent_already_or_is_none_is_ignored() {
    let (mut pair, _) = begun();
    let send = |pair: &mut Pair, cookie: &[u8]| {
        let before = pair.sent.len();
        let payload = Payload::notify(NotifyType::COOKIE, cookie.to_vec());
        answer_init(pair, |message| message.payloads = vec![payload]);
        pair.sent.len() - before
    };
    assert_eq!(send(&mut pair, &[7; 20]), 1);
    assert_eq!(send(&mut pair, &[7; 20]), 0, "the same");
    assert_eq!(send(&mut pair, &[]), 0);
    assert_eq!(send(&mut pair, &[8; 65]), 0, "too long");
    assert_eq!(send(&mut pair, &[8; 64]), 1);
}

#[test]
fn a_key_exchange_method_that_was_not_offered_or_was_tried_is_not_tried() {
    let (mut pair, _) = begun();
    set_ike_proposals(&mut pair.a.world, &["aes256-sha256-prfsha256-x25519-ecp256"]);
    pair.a.sas.clear();
    let request = withhold(&mut pair, REQUEST, Pair::initiate);
    assert_eq!(Message::parse(&request.octets).unwrap().ke().unwrap().method, KeMethod::CURVE_25519);
    let wants = |method: KeMethod| {
        move |message: &mut Message| {
            let data = method.0.to_be_bytes().to_vec();
            message.payloads = vec![Payload::notify(NotifyType::INVALID_KE_PAYLOAD, data)];
        }
    };
    answer_init(&mut pair, wants(KeMethod::ECP_256));
    let request = pair.sent.last().unwrap().clone();
    assert_eq!(Message::parse(&request.octets).unwrap().ke().unwrap().method, KeMethod::ECP_256);
    pair.a.events.clear();
    answer_init(&mut pair, wants(KeMethod::CURVE_25519));
    let failure = Failure::from(Misbehaviour::UnofferedKeMethod(KeMethod::CURVE_25519));
    assert_eq!(pair.a.events.first(), Some(&Seen::Done(1, Err(failure))));
    let (mut pair, _) = begun();
    answer_init(&mut pair, wants(KeMethod(2)));
    let failure = Failure::from(Misbehaviour::UnofferedKeMethod(KeMethod(2)));
    assert_eq!(pair.a.events.first(), Some(&Seen::Done(1, Err(failure))));
}

/// B's answer arrives, changed.
fn answered(edit: impl FnOnce(&mut Vec<Payload>)) -> Failure {
    let mut pair = psk_pair();
    let answer = withhold(&mut pair, ANSWER, Pair::initiate);
    let mut message = Message::parse(&answer.octets).unwrap();
    edit(&mut message.payloads);
    pair.deliver(Side::A, seen_path(&answer), &message.emit());
    pair.run(Duration::from_secs(40));
    assert_nothing_left(&pair);
    let Some(Seen::Done(1, Err(failure))) = pair.a.events.first().cloned() else {
        panic!("{:?}", pair.a.events)
    };
    failure
}

fn without(kind: PayloadType) -> impl FnOnce(&mut Vec<Payload>) {
    move |payloads| payloads.retain(|payload| payload.kind() != kind)
}

#[test]
fn an_answer_must_have_what_an_answer_has() {
    for kind in [PayloadType::SA, PayloadType::KE, PayloadType::NONCE] {
        assert_eq!(answered(without(kind)), Misbehaviour::MissingPayload(kind.0).into());
    }
}

#[test]
fn an_answer_chooses_one_proposal_of_those_that_were_offered() {
    let change = |edit: fn(&mut Vec<charon_types::proposal::Offer>)| {
        answered(|payloads| {
            for payload in payloads {
                if let Payload::Sa(offers) = payload {
                    edit(offers);
                }
            }
        })
    };
    let edits: [fn(&mut Vec<charon_types::proposal::Offer>); 4] = [
        |offers| offers.push(offers[0].clone()),
        |offers| offers[0].number = 77,
        |offers| offers[0].proposal.transforms[0].id = 3,
        |offers| {
            let first = offers[0].proposal.transforms[0];
            offers[0].proposal.transforms.push(first);
        },
    ];
    for edit in edits {
        assert_eq!(change(edit), Misbehaviour::UnofferedProposal.into());
    }
}

#[test]
fn a_public_value_that_cannot_be_is_refused_by_either_side() {
    let spoil = |payloads: &mut Vec<Payload>| {
        for payload in payloads {
            if let Payload::Ke(ke) = payload {
                ke.data.fill(0);
            }
        }
    };
    assert_eq!(answered(spoil), Misbehaviour::InvalidPublicValue.into());
    let (mut pair, request) = begun();
    let mut message = Message::parse(&request.octets).unwrap();
    spoil(&mut message.payloads);
    pair.deliver(Side::B, seen_path(&request), &message.emit());
    assert!(pair.b.sas.is_empty());
    let answer = Message::parse(&pair.sent.last().unwrap().octets).unwrap();
    assert!(answer.has_notify(NotifyType::INVALID_SYNTAX));
}

#[test]
fn an_answer_of_another_ike_sa_is_dropped() {
    let mut pair = psk_pair();
    let mut answer = withhold(&mut pair, ANSWER, Pair::initiate);
    answer.octets[0] ^= 1;
    pair.deliver(Side::A, seen_path(&answer), &answer.octets);
    assert_eq!(pair.snapshot(Side::A).state, IkeSaState::Connecting);
    assert_eq!(pair.sa(Side::A).sa.outstanding.as_ref().map(|request| request.id), Some(MessageId(0)));
}
