//! The message of RFC 7634 appendix B.

use charon_types::Secret;
use charon_types::algorithm::EncryptionId;
use charon_types::id::{MessageId, Role};
use ikev2_proto::wire::message::parse_chain;
use ikev2_proto::wire::payload::{Notify, Payload, PayloadType};
use ikev2_proto::wire::protect::{Opened, Plaintext, Sealer, open};
use ikev2_proto::wire::{ExchangeType, MessageKind, NotifyType};

use crate::{crypto, octets};

/// RFC 7634 appendix B: an INFORMATIONAL request of the responder under ChaCha20-Poly1305.
#[test]
fn the_message_of_rfc_7634_opens_and_is_sealed_again() {
    const MESSAGE: &str = "c0c1c2c3c4c5c6c7 d0d1d2d3d4d5d6d7 2e202500 00000009 00000045 29000029
        1011121314151617 61039470 1f8d017f 7c129248 89 6b71bfe2 5236efd7 cdc67066 906315b2";
    let crypto = crypto();
    let material =
        Secret::from(octets("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f a0a1a2a3"));
    let key = || crypto.packet_key((EncryptionId::CHACHA20_POLY1305, None, &material), None).unwrap();

    let (header, opened) = open(&octets(MESSAGE), &key()).unwrap();
    assert_eq!(header.exchange, ExchangeType::INFORMATIONAL);
    assert_eq!((header.kind, header.sender), (MessageKind::Request, Role::Responder));
    assert_eq!(header.message_id, MessageId(9));
    let plaintext = octets("0000000c 00004001 0000000a");
    assert_eq!(opened, Opened::Whole(Plaintext { first: PayloadType::NOTIFY, octets: plaintext.clone() }));
    let payloads = parse_chain(PayloadType::NOTIFY, &plaintext).unwrap();
    let expected =
        Notify { protocol: 0, spi: Vec::new(), kind: NotifyType::SET_WINDOW_SIZE, data: vec![0, 0, 0, 10] };
    assert_eq!(payloads, [Payload::Notify(expected)]);

    let mut sealer = Sealer::resume(key(), 0x1011_1213_1415_1617);
    assert_eq!(sealer.seal(&header, &payloads, crypto.random()), octets(MESSAGE));
}
