//! Peers that lie: a message is withheld, opened, changed, sealed again with the sender's own keys, and delivered.

use std::time::Duration;

use charon_types::endpoint::Path;
use charon_types::id::{MessageId, Role};

use super::handshake::psk_pair;
use super::pair::{Pair, Sent, Side};
use super::world::crypto;
use crate::wire::message::{emit_chain, first_type, parse_chain};
use crate::wire::protect::{Opened, Plaintext, open};
use crate::wire::{ExchangeType, Header, Message, MessageKind, Payload, PayloadType};

/// Less than it takes until somebody repeats himself.
pub(super) const MOMENT: Duration = Duration::from_secs(1);

/// A tunnel, and nothing told of it.
pub(super) fn established() -> Pair {
    let mut pair = psk_pair();
    pair.initiate();
    pair.run(MOMENT);
    pair.a.events.clear();
    pair.b.events.clear();
    pair
}

/// Which message of whom.
#[derive(Clone, Copy)]
pub(super) struct Which(pub(super) Side, pub(super) ExchangeType, pub(super) MessageKind);

impl Which {
    fn is(self, sent: &Sent) -> bool {
        sent.is(self.0, self.1, self.2)
    }
}

/// `begin` leads to a message that does not arrive: it is returned.
pub(super) fn withhold(pair: &mut Pair, which: Which, begin: impl FnOnce(&mut Pair)) -> Sent {
    pair.filter = Box::new(move |sent| !which.is(sent));
    begin(pair);
    pair.run(MOMENT);
    pair.filter = Box::new(|_| true);
    pair.sent.iter().rev().find(|sent| which.is(sent)).expect("it was sent").clone()
}

/// `begin` leads to a message in whose place another one arrives.
pub(super) fn lie(
    pair: &mut Pair,
    which: Which,
    begin: impl FnOnce(&mut Pair),
    edit: impl FnOnce(&mut Vec<Payload>),
) {
    let sent = withhold(pair, which, begin);
    retell(pair, &sent, |plaintext| {
        let mut payloads = parse_chain(plaintext.first, &plaintext.octets).unwrap();
        edit(&mut payloads);
        *plaintext = chain(&payloads);
    });
    pair.run(MOMENT);
}

/// As [`lie`], with a payload at the front that nobody knows, and that is critical.
pub(super) fn lie_critically(pair: &mut Pair, which: Which, begin: impl FnOnce(&mut Pair)) {
    let sent = withhold(pair, which, begin);
    retell(pair, &sent, |plaintext| {
        let mut payloads = parse_chain(plaintext.first, &plaintext.octets).unwrap();
        payloads.insert(0, Payload::Unknown { kind: PayloadType(200), body: vec![1] });
        *plaintext = chain(&payloads);
        plaintext.octets[1] |= 0x80;
    });
    pair.run(MOMENT);
}

fn chain(payloads: &[Payload]) -> Plaintext {
    let mut octets = Vec::new();
    emit_chain(payloads, &mut octets);
    Plaintext { first: first_type(payloads), octets }
}

fn retell(pair: &mut Pair, sent: &Sent, edit: impl FnOnce(&mut Plaintext)) {
    let (from, to) = (sent.from, sent.from.other());
    // The sender may have replaced it already.
    let keys = pair.host(to).sas[0].sa.keys.as_ref().unwrap();
    let (header, opened) = open(&sent.octets, &keys.inbound).unwrap();
    let Opened::Whole(mut plaintext) = opened else { panic!("not fragmented") };
    edit(&mut plaintext);
    let sealer = &mut pair.host(from).sas[0].sa.keys.as_mut().unwrap().sealer;
    let octets = sealer.seal_piece(&header, None, plaintext.first, &plaintext.octets, crypto().random());
    pair.deliver(to, seen_path(sent), &octets);
}

/// As the receiver sees it.
pub(super) fn seen_path(sent: &Sent) -> Path {
    Path { local: sent.path.remote, remote: sent.path.local }
}

/// A request that `from` would never send, sealed with its keys; what the other side answered, if it did.
pub(super) fn inject(
    pair: &mut Pair,
    from: Side,
    exchange: ExchangeType,
    payloads: &[Payload],
) -> Option<Message> {
    let sa = &mut pair.sa(from).sa;
    let id = sa.next_request;
    sa.next_request = id.next();
    let to = from.other();
    let (count, path) = (pair.sent.len(), pair.sa(to).sa.path);
    let octets = seal(pair, from, exchange, MessageKind::Request, id, payloads);
    pair.deliver(to, path, &octets);
    let answered =
        pair.sent[count..].iter().find(|sent| sent.is(to, exchange, MessageKind::Response)).cloned();
    answered.map(|sent| read(pair, &sent))
}

/// Any message, sealed with the keys of `from`.
pub(super) fn seal(
    pair: &mut Pair,
    from: Side,
    exchange: ExchangeType,
    kind: MessageKind,
    id: MessageId,
    payloads: &[Payload],
) -> Vec<u8> {
    let sa = &mut pair.sa(from).sa;
    let header = Header {
        spi_initiator: sa.spi_initiator().unwrap(),
        spi_responder: sa.spi_responder(),
        next_payload: PayloadType::NONE,
        exchange,
        sender: sa.role,
        kind,
        message_id: id,
    };
    sa.keys.as_mut().unwrap().sealer.seal(&header, payloads, crypto().random())
}

/// What was sent, as its receiver reads it.
pub(super) fn read(pair: &mut Pair, sent: &Sent) -> Message {
    let keys = pair.sa(sent.from.other()).sa.keys.as_ref().unwrap();
    let (header, opened) = open(&sent.octets, &keys.inbound).unwrap();
    let Opened::Whole(plaintext) = opened else { panic!("not fragmented") };
    Message { header, payloads: parse_chain(plaintext.first, &plaintext.octets).unwrap() }
}

/// An answer to A's IKE_SA_INIT request that B never gave.
pub(super) fn answer_init(pair: &mut Pair, edit: impl FnOnce(&mut Message)) {
    let request = pair.sent.iter().rev().find(|sent| sent.from == Side::A).expect("A has begun").clone();
    let mut message = Message::parse(&request.octets).unwrap();
    message.header.kind = MessageKind::Response;
    message.header.sender = Role::Responder;
    message.payloads.clear();
    edit(&mut message);
    let path = Path { local: request.path.local, remote: request.path.remote };
    pair.deliver(Side::A, path, &message.emit());
}
