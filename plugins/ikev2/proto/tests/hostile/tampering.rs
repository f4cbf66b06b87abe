//! Encrypted messages: every kind of suite, every octet tampered with, fragments in any order.

use std::num::NonZeroU64;
use std::sync::Arc;

use charon_crypto::CryptoProvider;
use charon_crypto::packet_key::PacketKey;
use charon_types::Secret;
use charon_types::algorithm::{EncryptionId, IntegrityId};
use charon_types::id::{IkeSpi, MessageId, Role};
use ikev2_proto::wire::fragment::{FRAGMENTS_MAX, Reassembly};
use ikev2_proto::wire::header::HEADER_LEN;
use ikev2_proto::wire::message::{emit_chain, parse_chain};
use ikev2_proto::wire::payload::{Payload, PayloadType};
use ikev2_proto::wire::protect::{OpenError, Opened, Sealer, open};
use ikev2_proto::wire::{ExchangeType, Header, MessageKind, NotifyType};
use proptest::prelude::*;

use crate::crypto;

type SuiteKind = (EncryptionId, Option<u16>, Option<IntegrityId>);

const SUITES: [SuiteKind; 7] = [
    (EncryptionId::AES_GCM_16, Some(128), None),
    (EncryptionId::AES_GCM_16, Some(256), None),
    (EncryptionId::CHACHA20_POLY1305, None, None),
    (EncryptionId::AES_CBC, Some(128), Some(IntegrityId::HMAC_SHA2_256_128)),
    (EncryptionId::AES_CBC, Some(256), Some(IntegrityId::HMAC_SHA2_384_192)),
    (EncryptionId::AES_CBC, Some(256), Some(IntegrityId::HMAC_SHA2_512_256)),
    (EncryptionId::AES_CBC, Some(192), Some(IntegrityId::HMAC_SHA1_96)),
];
const HEADER: Header = Header {
    spi_initiator: IkeSpi(NonZeroU64::MIN),
    spi_responder: Some(IkeSpi(NonZeroU64::MAX)),
    next_payload: PayloadType::NONE,
    exchange: ExchangeType::INFORMATIONAL,
    sender: Role::Initiator,
    kind: MessageKind::Request,
    message_id: MessageId(1),
};

fn key(crypto: &CryptoProvider, (encryption, bits, integrity): SuiteKind, fill: u8) -> PacketKey {
    let (encryption_len, integrity_len) = crypto.key_lens(encryption, bits, integrity).unwrap();
    let material = |len| Secret::from(vec![fill; len]);
    let mac = material(integrity_len);
    crypto.packet_key((encryption, bits, &material(encryption_len)), integrity.map(|id| (id, &mac))).unwrap()
}

fn sealer(crypto: &CryptoProvider, suite: SuiteKind) -> Sealer {
    Sealer::new(key(crypto, suite, 7), crypto.random())
}

fn vendor(len: usize) -> Vec<Payload> {
    vec![
        Payload::Vendor((0..=u8::MAX).cycle().take(len).collect()),
        Payload::status(NotifyType::MOBIKE_SUPPORTED),
    ]
}

fn read(opened: Opened) -> Vec<Payload> {
    let Opened::Whole(plaintext) = opened else { panic!("a whole message") };
    parse_chain(plaintext.first, &plaintext.octets).unwrap()
}

#[test]
fn what_is_sealed_opens_to_the_same_payloads_under_every_suite() {
    let crypto = crypto();
    for suite in SUITES {
        let (mut sealer, key) = (sealer(&crypto, suite), key(&crypto, suite, 7));
        for len in 0..70 {
            let payloads = vendor(len);
            let datagram = sealer.seal(&HEADER, &payloads, crypto.random());
            let (header, opened) = open(&datagram, &key).unwrap();
            assert_eq!(header, Header { next_payload: PayloadType::SK, ..HEADER });
            assert_eq!(read(opened), payloads);
        }
        let empty = sealer.seal(&HEADER, &[], crypto.random());
        assert_eq!(read(open(&empty, &key).unwrap().1), []);
    }
}

#[test]
fn a_change_of_any_bit_is_detected_under_every_suite() {
    let crypto = crypto();
    for suite in SUITES {
        let datagram = sealer(&crypto, suite).seal(&HEADER, &vendor(20), crypto.random());
        let key = key(&crypto, suite, 7);
        for at in 0..datagram.len() {
            for bit in 0..8 {
                let mut changed = datagram.clone();
                changed[at] ^= 1 << bit;
                assert!(open(&changed, &key).is_err(), "{suite:?} octet {at} bit {bit}");
            }
            assert!(open(&datagram[..at], &key).is_err(), "{suite:?} cut at {at}");
        }
    }
}

#[test]
fn a_change_of_any_octet_of_a_fragment_is_detected() {
    let crypto = crypto();
    for suite in SUITES {
        let fragments = sealer(&crypto, suite).seal_fragmented(&HEADER, &vendor(300), 200, crypto.random());
        let key = key(&crypto, suite, 7);
        for fragment in fragments {
            for at in 0..fragment.len() {
                let mut changed = fragment.clone();
                changed[at] ^= 0x40;
                assert!(open(&changed, &key).is_err(), "{suite:?} octet {at}");
            }
        }
    }
}

#[test]
fn another_key_opens_nothing() {
    let crypto = crypto();
    for suite in SUITES {
        let datagram = sealer(&crypto, suite).seal(&HEADER, &vendor(20), crypto.random());
        assert_eq!(open(&datagram, &key(&crypto, suite, 8)), Err(OpenError::Forged));
    }
}

#[test]
fn padding_that_is_longer_than_the_message_is_refused() {
    let crypto = crypto();
    let suite = SUITES[0];
    let key = key(&crypto, suite, 7);
    // One octet inside: a pad length without padding.
    let mut datagram = sealer(&crypto, suite).seal(&HEADER, &[], crypto.random());
    let (aad, rest) = datagram.split_at_mut(HEADER_LEN + 4);
    let (iv, body) = rest.split_at_mut(key.iv_len());
    body[0] = 1;
    key.seal(aad, iv, body, &[]).unwrap();
    assert!(matches!(open(&datagram, &key), Err(OpenError::Malformed(_))));
}

#[test]
fn payloads_behind_the_encrypted_one_are_refused_and_those_before_it_ignored() {
    let crypto = crypto();
    let suite = SUITES[0];
    let key = key(&crypto, suite, 7);
    let sealed = sealer(&crypto, suite).seal(&HEADER, &vendor(3), crypto.random());

    let mut behind = sealed.clone();
    behind.extend_from_slice(&[0, 0, 0, 4]);
    let len = u32::try_from(behind.len()).unwrap();
    behind[24..28].copy_from_slice(&len.to_be_bytes());
    assert!(matches!(open(&behind, &key), Err(OpenError::Malformed(_))));

    // A vendor id in clear in front, under the same seal.
    let (header, body) = sealed.split_at(HEADER_LEN);
    let clear = [PayloadType::SK.0, 0, 0, 5, 9];
    let mut front = [header, &clear, body].concat();
    front[16] = PayloadType::VENDOR.0;
    let len = u32::try_from(front.len()).unwrap();
    front[24..28].copy_from_slice(&len.to_be_bytes());
    let iv_at = HEADER_LEN + clear.len() + 4;
    let mut chain = Vec::new();
    emit_chain(&vendor(3), &mut chain);
    let (aad, rest) = front.split_at_mut(iv_at);
    let (iv, body) = rest.split_at_mut(key.iv_len());
    body[..chain.len()].copy_from_slice(&chain);
    body[chain.len()] = 0;
    key.seal(aad, iv, body, &[]).unwrap();
    assert_eq!(read(open(&front, &key).unwrap().1), vendor(3));
}

#[test]
fn fragment_numbers_that_cannot_be_are_refused() {
    let crypto = crypto();
    let key = key(&crypto, SUITES[0], 7);
    let fragment =
        sealer(&crypto, SUITES[0]).seal_fragmented(&HEADER, &vendor(300), 200, crypto.random()).remove(0);
    for (number, total) in [(0, 2), (3, 2), (1, 0), (1, 256)] {
        let mut lying = fragment.clone();
        lying[HEADER_LEN + 4..][..2].copy_from_slice(&u16::to_be_bytes(number));
        lying[HEADER_LEN + 6..][..2].copy_from_slice(&u16::to_be_bytes(total));
        assert!(matches!(open(&lying, &key), Err(OpenError::Malformed(_))), "{number} of {total}");
    }
}

/// Fragments, duplicates among them, in an order that depends on the seed.
fn shuffled(fragments: &[Vec<u8>], order: &[prop::sample::Index]) -> Vec<Vec<u8>> {
    let mut shuffled: Vec<_> = fragments.to_vec();
    for (at, index) in order.iter().enumerate() {
        let to = index.index(shuffled.len());
        let from = at % shuffled.len();
        shuffled.swap(from, to);
    }
    shuffled
}

fn providers() -> impl Strategy<Value = SuiteKind> {
    prop::sample::select(&SUITES[..])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn fragments_in_any_order_make_the_message(
        suite in providers(),
        len in 0_usize..6000,
        datagram_len_max in 120_usize..1500,
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..80),
    ) {
        let crypto: Arc<CryptoProvider> = crypto();
        let payloads = vendor(len);
        let fragments = sealer(&crypto, suite)
            .seal_fragmented(&HEADER, &payloads, datagram_len_max, crypto.random());
        prop_assert!(fragments.len() <= FRAGMENTS_MAX);
        let key = key(&crypto, suite, 7);
        if let [whole] = &fragments[..] {
            prop_assert_eq!(read(open(whole, &key).unwrap().1), payloads);
            return Ok(());
        }
        prop_assert!(fragments.iter().all(|fragment| fragment.len() <= datagram_len_max));
        let mut reassembly = Reassembly::default();
        let mut result = None;
        for datagram in shuffled(&fragments, &order) {
            prop_assert!(result.is_none(), "complete before the last piece");
            let Opened::Fragment { number, total, piece } = open(&datagram, &key).unwrap().1 else {
                panic!("a fragment")
            };
            result = reassembly.add(number, total, piece.clone());
            if result.is_none() {
                prop_assert_eq!(reassembly.add(number, total, piece), None, "a duplicate completes nothing");
            }
        }
        let whole = result.expect("all pieces are there");
        prop_assert_eq!(parse_chain(whole.first, &whole.octets).unwrap(), payloads);
    }

    #[test]
    fn any_bytes_are_opened_without_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), kind in 46_u8..54) {
        let crypto = crypto();
        for suite in SUITES {
            let key = key(&crypto, suite, 7);
            prop_assert!(open(&bytes, &key).is_err());
            if bytes.len() >= HEADER_LEN {
                // Past the header's checks.
                let len = u32::try_from(bytes.len()).unwrap();
                bytes[16] = kind;
                bytes[17] = 0x20;
                bytes[24..28].copy_from_slice(&len.to_be_bytes());
                prop_assert!(open(&bytes, &key).is_err());
            }
        }
    }
}
