//! IKE_AUTH from a peer with keys that breaks the rules.

use charon_types::id::MessageId;
use charon_types::snapshot::IkeSaState;

use super::forge::{MOMENT, Which, lie, lie_critically, seal, seen_path, withhold};
use super::handshake::{assert_keys_agree, assert_nothing_left, psk_pair};
use super::pair::{Pair, Seen, Side};
use crate::failure::{Failure, Incompatibility, Misbehaviour, Refusal};
use crate::output::CloseReason;
use crate::wire::payload::AuthMethodId;
use crate::wire::{ExchangeType, MessageKind, NotifyType, Payload, PayloadType};

const REQUEST: Which = Which(Side::A, ExchangeType::IKE_AUTH, MessageKind::Request);
const ANSWER: Which = Which(Side::B, ExchangeType::IKE_AUTH, MessageKind::Response);

fn without(kind: PayloadType) -> impl FnOnce(&mut Vec<Payload>) {
    move |payloads| payloads.retain(|payload| payload.kind() != kind)
}

/// What A hears of a request that is not as it should be. Nothing is left of it.
fn requested(edit: impl FnOnce(&mut Vec<Payload>)) -> (Failure, CloseReason) {
    let mut pair = psk_pair();
    lie(&mut pair, REQUEST, Pair::initiate, edit);
    assert_nothing_left(&pair);
    let Some(Seen::Done(1, Err(failure))) = pair.a.events.first().cloned() else {
        panic!("{:?}", pair.a.events)
    };
    let Some(Seen::Closed(reason, IkeSaState::Connecting)) = pair.b.events.last().cloned() else {
        panic!("{:?}", pair.b.events)
    };
    (failure, reason)
}

#[test]
fn a_request_without_an_identity_is_refused() {
    let (heard, reason) = requested(without(PayloadType::ID_I));
    assert_eq!(heard, Failure::Rejected(NotifyType::INVALID_SYNTAX.0));
    assert_eq!(reason, CloseReason::Failed(Misbehaviour::MissingPayload(PayloadType::ID_I.0).into()));
}

#[test]
fn a_request_without_authentication_is_refused() {
    let (heard, reason) = requested(without(PayloadType::AUTH));
    assert_eq!(heard, Failure::Rejected(NotifyType::AUTHENTICATION_FAILED.0));
    assert_eq!(reason, CloseReason::Failed(Refusal::AuthMethod.into()));
}

#[test]
fn an_unknown_way_of_authentication_is_refused() {
    let (heard, _) = requested(|payloads| {
        for payload in payloads {
            if let Payload::Auth(auth) = payload {
                auth.method = AuthMethodId(200);
            }
        }
    });
    assert_eq!(heard, Failure::Rejected(NotifyType::AUTHENTICATION_FAILED.0));
}

#[test]
fn what_is_reserved_in_an_identity_is_authenticated_as_it_came() {
    let (heard, reason) = requested(|payloads| {
        for payload in payloads {
            if let Payload::IdI(id) = payload {
                id.reserved = [1, 2, 3];
            }
        }
    });
    assert_eq!(heard, Failure::Rejected(NotifyType::AUTHENTICATION_FAILED.0));
    assert_eq!(reason, CloseReason::Failed(Refusal::AuthenticationFailed.into()));
}

#[test]
fn a_request_with_an_unknown_critical_payload_ends_the_handshake() {
    let mut pair = psk_pair();
    lie_critically(&mut pair, REQUEST, Pair::initiate);
    let rejected = Failure::Rejected(NotifyType::UNSUPPORTED_CRITICAL_PAYLOAD.0);
    assert_eq!(pair.a.events.first(), Some(&Seen::Done(1, Err(rejected))));
    let reason = CloseReason::Failed(Incompatibility::CriticalPayload(200).into());
    assert_eq!(pair.b.events, [Seen::Closed(reason, IkeSaState::Connecting)]);
    assert_nothing_left(&pair);
}

#[test]
fn an_unparsable_request_ends_the_handshake() {
    let (heard, reason) = requested(|payloads| payloads.push(Payload::Nonce(vec![1, 2, 3])));
    assert_eq!(heard, Failure::Rejected(NotifyType::INVALID_SYNTAX.0));
    assert_eq!(reason, CloseReason::Failed(Misbehaviour::InvalidSyntax.into()));
}

#[test]
fn a_child_without_selectors_is_refused_and_the_ike_sa_stays() {
    let mut pair = psk_pair();
    lie(&mut pair, REQUEST, Pair::initiate, without(PayloadType::TS_R));
    let rejected = Failure::Rejected(NotifyType::INVALID_SYNTAX.0);
    assert_eq!(pair.a.events, [Seen::Established, Seen::Done(1, Err(rejected))]);
    assert_eq!(pair.b.events, [Seen::Established]);
    assert!(pair.a.kernel.is_empty() && pair.b.kernel.is_empty());
}

#[test]
fn another_exchange_has_to_wait_for_authentication() {
    let mut pair = psk_pair();
    let request = withhold(&mut pair, REQUEST, Pair::initiate);
    let sent = pair.sent.len();
    for exchange in [ExchangeType::CREATE_CHILD_SA, ExchangeType::INFORMATIONAL, ExchangeType(99)] {
        let octets = seal(&mut pair, Side::A, exchange, MessageKind::Request, MessageId(1), &[]);
        pair.deliver(Side::B, seen_path(&request), &octets);
    }
    assert_eq!(pair.sent.len(), sent, "nothing is answered");
    pair.deliver(Side::B, seen_path(&request), &request.octets);
    pair.run(MOMENT);
    assert_keys_agree(&pair);
}

/// B's answer is not as it should be: A is not content, and B, who believes in the IKE_SA, hears of it.
fn answered(edit: impl FnOnce(&mut Vec<Payload>)) -> Failure {
    let mut pair = psk_pair();
    lie(&mut pair, ANSWER, Pair::initiate, edit);
    assert_nothing_left(&pair);
    let Some(Seen::Done(1, Err(failure))) = pair.a.events.first().cloned() else {
        panic!("{:?}", pair.a.events)
    };
    failure
}

#[test]
fn an_answer_without_identity_or_authentication_ends_the_ike_sa_on_both_sides() {
    for kind in [PayloadType::ID_R, PayloadType::AUTH] {
        assert_eq!(answered(without(kind)), Misbehaviour::MissingPayload(kind.0).into());
    }
}

#[test]
fn an_answer_that_proves_nothing_ends_the_ike_sa_on_both_sides() {
    let failure = answered(|payloads| {
        for payload in payloads {
            if let Payload::Auth(auth) = payload {
                auth.data[0] ^= 1;
            }
        }
    });
    assert_eq!(failure, Refusal::AuthenticationFailed.into());
}

#[test]
fn an_unparsable_or_overdemanding_answer_ends_the_ike_sa_on_both_sides() {
    let failure = answered(|payloads| payloads.push(Payload::Nonce(vec![1, 2, 3])));
    assert_eq!(failure, Misbehaviour::InvalidSyntax.into());
    let mut pair = psk_pair();
    lie_critically(&mut pair, ANSWER, Pair::initiate);
    let failure = Incompatibility::CriticalPayload(200).into();
    assert_eq!(pair.a.events.first(), Some(&Seen::Done(1, Err(failure))));
    assert_nothing_left(&pair);
}

/// The child of B's answer is not what A asked for: A does without it, and has B do without it.
fn childless(edit: impl FnOnce(&mut Vec<Payload>)) -> Failure {
    let mut pair = psk_pair();
    lie(&mut pair, ANSWER, Pair::initiate, edit);
    for side in [Side::A, Side::B] {
        assert_eq!(pair.snapshot(side).state, IkeSaState::Established);
        assert!(pair.snapshot(side).children.is_empty());
        assert!(pair.host(side).kernel.is_empty());
    }
    let done = pair.a.events.iter().find_map(|event| match event {
        Seen::Done(1, Err(failure)) => Some(failure.clone()),
        _ => None,
    });
    done.expect("A is told")
}

#[test]
fn a_child_that_was_not_asked_for_is_not_taken() {
    for kind in [PayloadType::SA, PayloadType::TS_I, PayloadType::TS_R] {
        assert_eq!(childless(without(kind)), Misbehaviour::MissingPayload(kind.0).into());
    }
    let wider = childless(|payloads| {
        for payload in payloads {
            if let Payload::TsR(selectors) = payload {
                selectors[0].end = "10.255.255.255".parse().unwrap();
            }
        }
    });
    assert_eq!(wider, Misbehaviour::WiderSelectors.into());
    let chosen = childless(|payloads| {
        for payload in payloads {
            if let Payload::Sa(offers) = payload {
                offers[0].number = 77;
            }
        }
    });
    assert_eq!(chosen, Misbehaviour::UnofferedProposal.into());
    let reserved = childless(|payloads| {
        for payload in payloads {
            if let Payload::Sa(offers) = payload {
                offers[0].spi = vec![0, 0, 0, 255];
            }
        }
    });
    assert_eq!(reserved, Misbehaviour::InvalidSyntax.into());
}
