//! Properties of the wire formats: what is emitted is read back, and no octets do harm.

#![expect(clippy::unwrap_used, reason = "a test may end by it")]

mod crypto;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU64;

use charon_crypto::packet_key::PacketKey;
use charon_types::algorithm::{EncryptionId, IntegrityId, KeMethod};
use charon_types::id::{EspSpi, IkeSpi, MessageId, Role};
use charon_types::proposal::{Offer, Proposal, Protocol, Transform, TransformType};
use charon_types::secret::Secret;
use charon_types::selector::TrafficSelector;
use ikev2_proto::wire::fragment::{FRAGMENTS_MAX, Reassembly};
use ikev2_proto::wire::header::HEADER_LEN;
use ikev2_proto::wire::message::{PAYLOADS_MAX, first_type, parse_chain};
use ikev2_proto::wire::protect::{self, Opened, Plaintext, Sealer};
use ikev2_proto::wire::{
    AttributeKind, Auth, AuthMethodId, Cert, CertEncoding, CertReq, Config, ConfigAttribute, ConfigKind,
    Delete, ExchangeType, Header, Id, Ke, Message, MessageKind, Notify, NotifyType, ParseError, Payload,
    PayloadType,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

proptest! {
    #[test]
    fn a_message_survives_the_round_trip(message in message()) {
        prop_assert_eq!(Message::parse(&message.emit()), Ok(message));
    }

    #[test]
    fn a_sealed_message_opens_again(message in message(), suite in suite()) {
        let crypto = crypto::provider();
        let mut sealer = Sealer::new(suite.key(), crypto.random());
        let sealed = sealer.seal(&message.header, &message.payloads, crypto.random());
        let (header, opened) = protect::open(&sealed, &suite.key()).unwrap();
        prop_assert_eq!(header.next_payload, PayloadType::SK);
        let Opened::Whole(Plaintext { first, octets }) = opened else { panic!("not a fragment") };
        prop_assert_eq!(parse_chain(first, &octets), Ok(message.payloads));
    }

    #[test]
    fn fragments_keep_to_their_size_and_make_the_whole_in_any_order(
        message in message(),
        suite in suite(),
        datagram_len_max in 128_usize..2000,
        seed in any::<u64>(),
    ) {
        let crypto = crypto::provider();
        let mut sealer = Sealer::new(suite.key(), crypto.random());
        let mut sealed =
            sealer.seal_fragmented(&message.header, &message.payloads, datagram_len_max, crypto.random());
        if sealed.len() > 1 {
            prop_assert!(sealed.iter().all(|datagram| datagram.len() <= datagram_len_max));
        }
        shuffle(&mut sealed, seed);
        let mut reassembly = Reassembly::default();
        let mut whole = None;
        for datagram in &sealed {
            prop_assert_eq!(&whole, &None);
            whole = match protect::open(datagram, &suite.key()).unwrap().1 {
                Opened::Whole(plaintext) => Some(plaintext),
                Opened::Fragment { number, total, piece } => reassembly.add(number, total, piece),
            };
        }
        let whole = whole.expect("complete");
        prop_assert_eq!(parse_chain(whole.first, &whole.octets), Ok(message.payloads));
    }

    #[test]
    fn any_octets_are_read_or_refused(octets in vec(any::<u8>(), 0..600)) {
        let _ = Message::parse(&octets);
        let _ = protect::open(&octets, &Suite::Gcm.key());
    }

    #[test]
    fn any_payload_octets_are_read_or_refused(kind in any::<u8>(), octets in vec(any::<u8>(), 0..600)) {
        let _ = parse_chain(PayloadType(kind), &octets);
        for kind in 33..=54 {
            let _ = Payload::parse(PayloadType(kind), &octets);
        }
    }

    #[test]
    fn a_damaged_message_is_read_or_refused(
        message in message(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut octets = message.emit();
        for (at, value) in damage {
            let at = at.index(octets.len());
            octets[at] = value;
        }
        // Proposals and selectors of kinds that we do not know are left out; a payload without any is never sent.
        let sayable = |payload: &Payload| match payload {
            Payload::Sa(offers) => !offers.is_empty(),
            Payload::TsI(selectors) | Payload::TsR(selectors) => !selectors.is_empty(),
            _ => true,
        };
        if let Ok(read) = Message::parse(&octets)
            && read.payloads.iter().all(sayable)
        {
            prop_assert_eq!(Message::parse(&read.emit()), Ok(read));
        }
    }
}

#[test]
fn an_unknown_payload_is_kept_unless_critical() {
    let unknown = Payload::Unknown { kind: PayloadType(200), body: vec![1, 2, 3] };
    let message = Message { header: header(PayloadType(200)), payloads: vec![unknown] };
    let mut octets = message.emit();
    assert_eq!(Message::parse(&octets), Ok(message));
    octets[HEADER_LEN + 1] |= 0x80;
    assert_eq!(Message::parse(&octets), Err(ParseError::UnsupportedCritical(200)));
}

#[test]
fn a_known_payload_may_be_critical() {
    let message = Message { header: header(PayloadType::NONCE), payloads: vec![Payload::Nonce(vec![7; 32])] };
    let mut octets = message.emit();
    octets[HEADER_LEN + 1] |= 0x80;
    assert_eq!(Message::parse(&octets), Ok(message));
}

#[test]
fn too_many_payloads_are_refused() {
    let payloads = |count| vec![Payload::Vendor(Vec::new()); count];
    let parse = |count| {
        let message = Message { header: header(PayloadType::VENDOR), payloads: payloads(count) };
        Message::parse(&message.emit())
    };
    assert!(parse(PAYLOADS_MAX).is_ok());
    assert_eq!(parse(PAYLOADS_MAX + 1), Err(ParseError::TooManyPayloads));
}

#[test]
fn a_nonce_of_a_length_that_is_not_allowed_is_refused() {
    for (len, fits) in [(15, false), (16, true), (256, true), (257, false)] {
        assert_eq!(Payload::parse(PayloadType::NONCE, &vec![0; len]).is_ok(), fits, "{len}");
    }
}

#[test]
fn a_selector_payload_without_selectors_is_refused() {
    assert_eq!(
        Payload::parse(PayloadType::TS_I, &[0, 0, 0, 0]),
        Err(ParseError::Syntax(PayloadType::TS_I.0))
    );
}

#[test]
fn octets_behind_the_last_payload_are_refused() {
    let message = Message { header: header(PayloadType::NONCE), payloads: vec![Payload::Nonce(vec![7; 32])] };
    let mut octets = message.emit();
    octets.push(0);
    let len = octets.len();
    octets[27] = u8::try_from(len).unwrap();
    assert_eq!(Message::parse(&octets), Err(ParseError::Syntax(0)));
}

#[test]
fn a_message_of_more_fragments_than_allowed_goes_out_whole() {
    let crypto = crypto::provider();
    let mut sealer = Sealer::new(Suite::Gcm.key(), crypto.random());
    let payloads = vec![Payload::Vendor(vec![1; FRAGMENTS_MAX * 100])];
    let mut header = header(PayloadType::SK);
    header.exchange = ExchangeType::IKE_AUTH;
    let seal = |sealer: &mut Sealer, len| sealer.seal_fragmented(&header, &payloads, len, crypto.random());
    // 60 octets go around each piece and its padding length; there are 25,504 to send.
    assert_eq!(seal(&mut sealer, 160).len(), 1);
    assert_eq!(seal(&mut sealer, 162).len(), 253);
    assert_eq!(seal(&mut sealer, 0).len(), 1);
}

#[test]
fn no_iv_is_used_twice() {
    let crypto = crypto::provider();
    for suite in [Suite::Gcm, Suite::ChaCha] {
        let mut sealer = Sealer::new(suite.key(), crypto.random());
        let mut ivs = std::collections::BTreeSet::new();
        for _ in 0..100 {
            let sealed = sealer.seal(&header(PayloadType::SK), &[], crypto.random());
            assert!(ivs.insert(sealed[HEADER_LEN + 4..HEADER_LEN + 12].to_vec()));
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Suite {
    Gcm,
    ChaCha,
    NullSha,
}

impl Suite {
    /// ring has no CBC; NULL with a MAC takes the same way through [`PacketKey`].
    fn key(self) -> PacketKey {
        let crypto = crypto::provider();
        let (encryption, bits, len, integrity) = match self {
            Self::Gcm => (EncryptionId::AES_GCM_16, Some(256), 36, None),
            Self::ChaCha => (EncryptionId::CHACHA20_POLY1305, None, 36, None),
            Self::NullSha => (EncryptionId::NULL, None, 0, Some(IntegrityId::HMAC_SHA2_256_128)),
        };
        let mac_key = Secret::from(vec![9; 32]);
        crypto
            .packet_key(
                (encryption, bits, &Secret::from(vec![5; len])),
                integrity.map(|integrity| (integrity, &mac_key)),
            )
            .unwrap()
    }
}

fn suite() -> impl Strategy<Value = Suite> {
    prop_oneof![Just(Suite::Gcm), Just(Suite::ChaCha), Just(Suite::NullSha)]
}

fn header(next_payload: PayloadType) -> Header {
    Header {
        spi_initiator: IkeSpi(NonZeroU64::MIN),
        spi_responder: None,
        next_payload,
        exchange: ExchangeType::IKE_SA_INIT,
        sender: Role::Initiator,
        kind: MessageKind::Request,
        message_id: MessageId(0),
    }
}

/// Its `next_payload` is as the payloads ask.
fn message() -> impl Strategy<Value = Message> {
    let spi = || any::<NonZeroU64>().prop_map(IkeSpi);
    let sender = prop_oneof![Just(Role::Initiator), Just(Role::Responder)];
    let kind = prop_oneof![Just(MessageKind::Request), Just(MessageKind::Response)];
    let fields = (spi(), option::of(spi()), any::<u8>(), sender, kind, any::<u32>());
    (fields, vec(payload(), 0..12)).prop_map(|((spi_i, spi_r, exchange, sender, kind, id), payloads)| {
        Message {
            header: Header {
                spi_initiator: spi_i,
                spi_responder: spi_r,
                next_payload: first_type(&payloads),
                exchange: ExchangeType(exchange),
                sender,
                kind,
                message_id: MessageId(id),
            },
            payloads,
        }
    })
}

fn payload() -> impl Strategy<Value = Payload> {
    let octets = || vec(any::<u8>(), 0..80);
    let id = || {
        (any::<u8>(), any::<[u8; 3]>(), octets()).prop_map(|(kind, reserved, data)| Id {
            kind,
            reserved,
            data,
        })
    };
    prop_oneof![
        vec(offer(), 1..4).prop_map(Payload::Sa),
        (any::<u16>(), octets())
            .prop_map(|(method, data)| Payload::Ke(Ke { method: KeMethod(method), data })),
        id().prop_map(Payload::IdI),
        id().prop_map(Payload::IdR),
        (any::<u8>(), octets())
            .prop_map(|(encoding, data)| Payload::Cert(Cert { encoding: CertEncoding(encoding), data })),
        (any::<u8>(), vec(any::<[u8; 20]>(), 0..4)).prop_map(|(encoding, authorities)| {
            Payload::CertReq(CertReq { encoding: CertEncoding(encoding), authorities })
        }),
        (any::<u8>(), octets())
            .prop_map(|(method, data)| Payload::Auth(Auth { method: AuthMethodId(method), data })),
        vec(any::<u8>(), 16..=256).prop_map(Payload::Nonce),
        (any::<u8>(), vec(any::<u8>(), 0..9), any::<u16>(), octets()).prop_map(
            |(protocol, spi, kind, data)| {
                Payload::Notify(Notify { protocol, spi, kind: NotifyType(kind), data })
            }
        ),
        vec(any::<std::num::NonZeroU32>().prop_map(EspSpi), 0..5)
            .prop_map(|spis| Payload::Delete(Delete { protocol: Protocol::Esp, spis })),
        Just(Payload::Delete(Delete { protocol: Protocol::Ike, spis: Vec::new() })),
        octets().prop_map(Payload::Vendor),
        vec(selector(), 1..4).prop_map(Payload::TsI),
        vec(selector(), 1..4).prop_map(Payload::TsR),
        (any::<u8>(), vec((0..0x8000_u16, octets()), 0..4)).prop_map(|(kind, attributes)| {
            let attributes = attributes
                .into_iter()
                .map(|(kind, value)| ConfigAttribute { kind: AttributeKind(kind), value })
                .collect();
            Payload::Config(Config { kind: ConfigKind(kind), attributes })
        }),
        octets().prop_map(Payload::Eap),
        (128_u8..=255, octets()).prop_map(|(kind, body)| Payload::Unknown { kind: PayloadType(kind), body }),
        // Long enough for several fragments.
        vec(any::<u8>(), 1000..3000).prop_map(Payload::Vendor),
    ]
}

fn offer() -> impl Strategy<Value = Offer> {
    let protocol = prop_oneof![Just(Protocol::Ike), Just(Protocol::Ah), Just(Protocol::Esp)];
    let transform = (any::<u8>(), any::<u16>(), option::of(any::<u16>()))
        .prop_map(|(kind, id, key_bits)| Transform { kind: TransformType(kind), id, key_bits });
    (any::<u8>(), vec(any::<u8>(), 0..9), protocol, vec(transform, 1..6)).prop_map(
        |(number, spi, protocol, transforms)| Offer {
            number,
            spi,
            proposal: Proposal { protocol, transforms },
        },
    )
}

fn selector() -> impl Strategy<Value = TrafficSelector> {
    let v4 = (any::<u32>(), any::<u32>()).prop_map(|(one, other)| {
        let address = |bits| IpAddr::V4(Ipv4Addr::from_bits(bits));
        (address(one.min(other)), address(one.max(other)))
    });
    let v6 = (any::<u128>(), any::<u128>()).prop_map(|(one, other)| {
        let address = |bits| IpAddr::V6(Ipv6Addr::from_bits(bits));
        (address(one.min(other)), address(one.max(other)))
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

/// Deterministic, good enough to reorder datagrams.
fn shuffle<T>(items: &mut [T], mut seed: u64) {
    for at in (1..items.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let other = usize::try_from((seed >> 33) % (u64::try_from(at).unwrap() + 1)).unwrap();
        items.swap(at, other);
    }
}
