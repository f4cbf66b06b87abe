//! Payloads that lie about their lengths and counts are refused, and nothing panics.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::{NonZeroU32, NonZeroU64};

use charon_types::algorithm::KeMethod;
use charon_types::id::{EspSpi, IkeSpi, MessageId, Role};
use charon_types::proposal::{Offer, Proposal, Protocol, Transform, TransformType};
use charon_types::selector::TrafficSelector;
use ikev2_proto::wire::header::HEADER_LEN;
use ikev2_proto::wire::message::{PAYLOADS_MAX, emit_chain, first_type, parse_chain};
use ikev2_proto::wire::payload::{
    AttributeKind, Auth, AuthMethodId, Cert, CertEncoding, CertReq, Config, ConfigAttribute, ConfigKind,
    Delete, Id, Ke, Notify, NotifyType, Payload, PayloadType,
};
use ikev2_proto::wire::{ExchangeType, Header, Message, MessageKind, ParseError};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::octets;

fn data() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..64)
}

fn esp_spi() -> impl Strategy<Value = EspSpi> {
    (1..=u32::MAX).prop_map(|spi| EspSpi(NonZeroU32::new(spi).unwrap()))
}

fn ike_spi() -> impl Strategy<Value = IkeSpi> {
    (1..=u64::MAX).prop_map(|spi| IkeSpi(NonZeroU64::new(spi).unwrap()))
}

fn protocol() -> impl Strategy<Value = Protocol> {
    prop::sample::select(&[Protocol::Ike, Protocol::Ah, Protocol::Esp][..])
}

fn offer() -> impl Strategy<Value = Offer> {
    let transform = (any::<u8>(), any::<u16>(), any::<Option<u16>>())
        .prop_map(|(kind, id, key_bits)| Transform { kind: TransformType(kind), id, key_bits });
    let spi = prop::sample::select(&[0_usize, 4, 8][..]).prop_flat_map(|len| vec(any::<u8>(), len));
    (any::<u8>(), spi, protocol(), vec(transform, 1..20)).prop_map(|(number, spi, protocol, transforms)| {
        Offer { number, spi, proposal: Proposal { protocol, transforms } }
    })
}

fn selector() -> impl Strategy<Value = TrafficSelector> {
    let v4 = any::<[u32; 2]>().prop_map(|[a, b]| {
        (IpAddr::V4(Ipv4Addr::from_bits(a.min(b))), IpAddr::V4(Ipv4Addr::from_bits(a.max(b))))
    });
    let v6 = any::<[u128; 2]>().prop_map(|[a, b]| {
        (IpAddr::V6(Ipv6Addr::from_bits(a.min(b))), IpAddr::V6(Ipv6Addr::from_bits(a.max(b))))
    });
    (prop_oneof![v4, v6], any::<u8>(), any::<u16>(), any::<u16>()).prop_map(
        |((start, end), protocol, port_start, port_end)| TrafficSelector {
            start,
            end,
            protocol,
            port_start,
            port_end,
        },
    )
}

fn notify() -> impl Strategy<Value = Payload> {
    (any::<u8>(), vec(any::<u8>(), 0..20), any::<u16>(), data()).prop_map(|(protocol, spi, kind, data)| {
        Payload::Notify(Notify { protocol, spi, kind: NotifyType(kind), data })
    })
}

fn delete() -> impl Strategy<Value = Payload> {
    let children = (any::<bool>(), vec(esp_spi(), 0..9)).prop_map(|(ah, spis)| {
        let protocol = if ah { Protocol::Ah } else { Protocol::Esp };
        Delete { protocol, spis }
    });
    prop_oneof![Just(Delete { protocol: Protocol::Ike, spis: Vec::new() }), children]
        .prop_map(Payload::Delete)
}

fn config() -> impl Strategy<Value = Payload> {
    let attribute = (0..0x8000_u16, data())
        .prop_map(|(kind, value)| ConfigAttribute { kind: AttributeKind(kind), value });
    (any::<u8>(), vec(attribute, 0..8))
        .prop_map(|(kind, attributes)| Payload::Config(Config { kind: ConfigKind(kind), attributes }))
}

fn id() -> impl Strategy<Value = Id> {
    (any::<u8>(), any::<[u8; 3]>(), data()).prop_map(|(kind, reserved, data)| Id { kind, reserved, data })
}

/// Types that nothing here reads.
fn unknown() -> impl Strategy<Value = Payload> {
    (prop_oneof![1_u8..33, 49..53_u8, 54..=u8::MAX], data())
        .prop_map(|(kind, body)| Payload::Unknown { kind: PayloadType(kind), body })
}

fn payload() -> impl Strategy<Value = Payload> {
    prop_oneof![
        vec(offer(), 1..5).prop_map(Payload::Sa),
        (any::<u16>(), data()).prop_map(|(method, data)| Payload::Ke(Ke { method: KeMethod(method), data })),
        id().prop_map(Payload::IdI),
        id().prop_map(Payload::IdR),
        (any::<u8>(), data())
            .prop_map(|(encoding, data)| Payload::Cert(Cert { encoding: CertEncoding(encoding), data })),
        (any::<u8>(), vec(any::<[u8; 20]>(), 0..4)).prop_map(|(encoding, authorities)| {
            Payload::CertReq(CertReq { encoding: CertEncoding(encoding), authorities })
        }),
        (any::<u8>(), data())
            .prop_map(|(method, data)| Payload::Auth(Auth { method: AuthMethodId(method), data })),
        vec(any::<u8>(), 16..=256).prop_map(Payload::Nonce),
        notify(),
        delete(),
        data().prop_map(Payload::Vendor),
        vec(selector(), 1..6).prop_map(Payload::TsI),
        vec(selector(), 1..6).prop_map(Payload::TsR),
        config(),
        data().prop_map(Payload::Eap),
        unknown(),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    let header = (ike_spi(), prop::option::of(ike_spi()), any::<u8>(), any::<[bool; 2]>(), any::<u32>());
    (header, vec(payload(), 0..10)).prop_map(
        |((spi_initiator, spi_responder, exchange, flags, id), payloads)| {
            let header = Header {
                spi_initiator,
                spi_responder,
                next_payload: first_type(&payloads),
                exchange: ExchangeType(exchange),
                sender: if flags[0] { Role::Initiator } else { Role::Responder },
                kind: if flags[1] { MessageKind::Request } else { MessageKind::Response },
                message_id: MessageId(id),
            };
            Message { header, payloads }
        },
    )
}

proptest! {
    #[test]
    fn a_message_cut_anywhere_is_refused(message in message(), at in any::<prop::sample::Index>()) {
        let datagram = message.emit();
        let cut = &datagram[..at.index(datagram.len())];
        prop_assert!(Message::parse(cut).is_err());
        // As well when the header tells the truth about the cut.
        if cut.len() > HEADER_LEN {
            let mut cut = cut.to_vec();
            let len = u32::try_from(cut.len()).unwrap();
            cut[24..28].copy_from_slice(&len.to_be_bytes());
            prop_assert!(Message::parse(&cut).is_err());
        }
    }

    #[test]
    fn any_bytes_are_read_without_panic_and_stay_the_same_from_then_on(kind in any::<u8>(), bytes in vec(any::<u8>(), 0..400)) {
        if let Ok(payloads) = parse_chain(PayloadType(kind), &bytes) {
            stays(&payloads)?;
        }
    }

    #[test]
    fn one_octet_changed_is_read_without_panic(message in message(), at in any::<prop::sample::Index>(), octet in any::<u8>()) {
        let mut datagram = message.emit();
        let at = at.index(datagram.len());
        datagram[at] = octet;
        if let Ok(read) = Message::parse(&datagram) {
            stays(&read.payloads)?;
        }
    }
}

/// What was read once is emitted and read again to the same.
fn stays(payloads: &[Payload]) -> Result<(), TestCaseError> {
    let mut emitted = Vec::new();
    emit_chain(payloads, &mut emitted);
    // Proposals and selectors of unknown kinds are left out when read: a payload that had nothing else is empty now.
    let emptied = payloads.iter().any(|payload| match payload {
        Payload::Sa(offers) => offers.is_empty(),
        Payload::TsI(selectors) | Payload::TsR(selectors) => selectors.is_empty(),
        _ => false,
    });
    if !emptied {
        let again = parse_chain(first_type(payloads), &emitted);
        prop_assert_eq!(again.as_deref(), Ok(payloads));
    }
    Ok(())
}

/// A body and the two octets in it that hold a length: any other length is refused.
fn every_other_length_is_refused(kind: PayloadType, body: &str, at: usize) {
    let mut body = octets(body);
    Payload::parse(kind, &body).expect("the body is well-formed");
    let truth = u16::from_be_bytes([body[at], body[at + 1]]);
    for lie in (0..=u16::MAX).filter(|lie| *lie != truth) {
        body[at..at + 2].copy_from_slice(&lie.to_be_bytes());
        assert_eq!(Payload::parse(kind, &body), Err(ParseError::Syntax(kind.0)), "{lie} in place of {truth}");
    }
}

const PROPOSAL: &str =
    "0000002c 01010004 0300000c0100000c800e0100 0300000802000005 030000080300000c 0000000804000013";

#[test]
fn a_proposal_that_lies_about_its_length_is_refused() {
    every_other_length_is_refused(PayloadType::SA, PROPOSAL, 2);
}

#[test]
fn a_transform_that_lies_about_its_length_is_refused() {
    for at in [10, 22, 30, 38] {
        every_other_length_is_refused(PayloadType::SA, PROPOSAL, at);
    }
}

#[test]
fn a_selector_that_lies_about_its_length_is_refused() {
    every_other_length_is_refused(PayloadType::TS_I, "01000000 07000010 0000ffff 0a000000 0a0000ff", 6);
    // Of an unknown type, too.
    every_other_length_is_refused(PayloadType::TS_R, "01000000 0a000008 01020304", 6);
}

#[test]
fn an_attribute_that_lies_about_its_length_is_refused() {
    every_other_length_is_refused(PayloadType::CP, "01000000 00010004 0a000001", 6);
}

#[test]
fn a_delete_that_lies_about_its_count_is_refused() {
    every_other_length_is_refused(PayloadType::DELETE, "03040002 c0000001 c0000002", 2);
}

#[test]
fn counts_and_spi_sizes_that_lie_are_refused() {
    let refused = |kind: PayloadType, body: &str| {
        assert_eq!(Payload::parse(kind, &octets(body)), Err(ParseError::Syntax(kind.0)), "{body}");
    };
    for count in [0, 1, 3, 5, 255] {
        refused(PayloadType::SA, &PROPOSAL.replacen("01010004", &format!("010100{count:02x}"), 1));
    }
    refused(PayloadType::SA, &PROPOSAL.replacen("01010004", "01010404", 1));
    refused(PayloadType::SA, &PROPOSAL.replacen("0000002c", "0200002c", 1));
    refused(PayloadType::SA, "");
    refused(PayloadType::TS_I, "00000000");
    refused(PayloadType::TS_I, "02000000 07000010 0000ffff 0a000000 0a0000ff");
    refused(PayloadType::TS_I, "01000000 07000010 0000ffff 0a0000ff 0a000000");
    refused(PayloadType::DELETE, "03080001 c0000001 c0000002");
    refused(PayloadType::DELETE, "01080001 c0000001 c0000002");
    refused(PayloadType::DELETE, "01000000 c0000001");
    refused(PayloadType::NOTIFY, "0309400b c0000001");
    refused(PayloadType::NONCE, &"ab".repeat(15));
    refused(PayloadType::NONCE, &"ab".repeat(257));
    for (kind, short) in [
        (PayloadType::KE, "001f00"),
        (PayloadType::ID_I, "020000"),
        (PayloadType::CERT, ""),
        (PayloadType::CERTREQ, ""),
        (PayloadType::AUTH, "020000"),
        (PayloadType::NOTIFY, "000040"),
        (PayloadType::DELETE, "030400"),
        (PayloadType::CP, "010000"),
        (PayloadType::TS_R, "010000"),
        (PayloadType::SK, "00000000"),
        (PayloadType::SKF, "00000000"),
    ] {
        refused(kind, short);
    }
}

#[test]
fn a_proposal_for_an_unknown_protocol_is_left_out() {
    let fourth = PROPOSAL.replacen("0000002c 0101", "0000002c 0204", 1);
    let first = PROPOSAL.replacen("00", "02", 1);
    let Ok(Payload::Sa(offers)) = Payload::parse(PayloadType::SA, &octets(&[&first, &fourth[..]].concat()))
    else {
        panic!("both proposals are well-formed")
    };
    assert_eq!(offers.len(), 1);
    assert_eq!(offers[0].proposal.protocol, Protocol::Ike);
}

#[test]
fn a_transform_with_an_unknown_attribute_is_never_selected() {
    for attribute in ["800f0100", "000e000201 00", "000f0000"] {
        let attribute = attribute.replace(' ', "");
        let len = 8 + attribute.len() / 2;
        let body = format!("000000{:02x} 01030001 000000{len:02x}0100000c{attribute}", 8 + len);
        let Ok(Payload::Sa(offers)) = Payload::parse(PayloadType::SA, &octets(&body)) else {
            panic!("{body}")
        };
        assert_eq!(offers[0].proposal.transforms[0].id, u16::MAX);
    }
}

#[test]
fn a_chain_has_an_end() {
    let endless: Vec<u8> = std::iter::repeat_n([43, 0, 0, 4], PAYLOADS_MAX + 1).flatten().collect();
    assert_eq!(parse_chain(PayloadType::VENDOR, &endless), Err(ParseError::TooManyPayloads));
    assert_eq!(parse_chain(PayloadType::VENDOR, &[0, 0, 0, 4, 0]), Err(ParseError::Syntax(0)));
    assert_eq!(parse_chain(PayloadType::NONE, &[]), Ok(Vec::new()));
    for len in 0..4 {
        assert_eq!(parse_chain(PayloadType::VENDOR, &[0, 0, 0, len]), Err(ParseError::Syntax(43)));
    }
}
