//! A datagram from anybody: read or refused, never a panic; what was read is said again with the same meaning.
#![no_main]

use std::sync::LazyLock;

use charon_crypto::packet_key::PacketKey;
use charon_crypto::{CryptoProvider, Order, ProviderBuilder};
use charon_types::algorithm::EncryptionId;
use charon_types::secret::Secret;
use ikev2_proto::wire::{Message, Payload, protect};
use libfuzzer_sys::fuzz_target;

static KEY: LazyLock<PacketKey> = LazyLock::new(|| {
    let mut builder = ProviderBuilder::new(Order::AsAdded);
    for algorithm in charon_crypto_ring::algorithms() {
        builder.add_untested("ring", algorithm);
    }
    let crypto: CryptoProvider = builder.freeze();
    let key = Secret::from(vec![1; 36]);
    crypto.packet_key((EncryptionId::AES_GCM_16, Some(256), &key), None).expect("36 octets are a key")
});

fuzz_target!(|datagram: &[u8]| {
    let opened = protect::open(datagram, &KEY);
    assert!(opened.is_err(), "nobody knows the key");
    if let Ok(message) = Message::parse(datagram)
        && message.payloads.iter().all(sayable)
    {
        let emitted = message.emit();
        assert_eq!(Message::parse(&emitted).as_ref(), Ok(&message));
        assert_eq!(Message::parse(&emitted).map(|again| again.emit()), Ok(emitted));
    }
});

/// Proposals and selectors of kinds that we do not know are left out, and a payload without any is never sent.
fn sayable(payload: &Payload) -> bool {
    match payload {
        Payload::Sa(offers) => !offers.is_empty(),
        Payload::TsI(selectors) | Payload::TsR(selectors) => !selectors.is_empty(),
        _ => true,
    }
}
