//! What was inside an encrypted message: a payload type, then payloads. An authenticated peer may be hostile, too.
#![no_main]

use ikev2_proto::auth::signature;
use ikev2_proto::wire::fragment::Reassembly;
use ikev2_proto::wire::message::{emit_chain, first_type, parse_chain};
use ikev2_proto::wire::protect::Plaintext;
use ikev2_proto::wire::{Payload, PayloadType};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((first, octets)) = input.split_first() else { return };
    reassemble(*first, octets);
    let Ok(payloads) = parse_chain(PayloadType(*first), octets) else { return };
    if payloads.iter().all(sayable) {
        let mut emitted = Vec::new();
        emit_chain(&payloads, &mut emitted);
        assert_eq!(parse_chain(first_type(&payloads), &emitted).as_ref(), Ok(&payloads));
    }
    for payload in &payloads {
        read_on(payload);
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

/// What the machine does with payloads before it decides anything.
fn read_on(payload: &Payload) {
    assert!(!payload.to_string().is_empty());
    match payload {
        Payload::IdI(id) | Payload::IdR(id) => assert!(id.identity().to_string().len() < 0x80000),
        Payload::Auth(auth) => {
            if let Some((scheme, _)) = signature::parse(auth.method, &auth.data) {
                let _ = signature::hash_id(scheme);
            }
        }
        Payload::Sa(offers) => offers.iter().for_each(|offer| {
            assert!(!offer.proposal.to_string().is_empty());
        }),
        _ => {}
    }
}

/// The same octets as fragments: number, total, then a piece each.
fn reassemble(first: u8, octets: &[u8]) {
    let mut reassembly = Reassembly::default();
    for chunk in octets.chunks(8) {
        let [number, total, piece @ ..] = chunk else { continue };
        let first = if *number == 1 { PayloadType(first) } else { PayloadType::NONE };
        let piece = Plaintext { first, octets: piece.to_vec() };
        let whole = reassembly.add((*number).into(), (*total).into(), piece);
        assert!(whole.is_none_or(|whole| whole.octets.len() <= octets.len()));
    }
}
