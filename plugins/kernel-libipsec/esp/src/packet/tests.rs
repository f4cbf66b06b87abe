use std::num::NonZeroU32;

use charon_types::Secret;
use charon_types::algorithm::IntegrityId;
use charon_types::id::{IfId, Mark, Reqid};
use charon_types::kernel_op::{Direction, Encap, Mode, SaLimits, SaOptions};
use charon_types::proposal::Protocol;
use proptest::prelude::*;

use super::*;

/// A suite: encryption and its key, integrity and its key.
type Suite = ((EncryptionId, Secret), Option<(IntegrityId, Secret)>);

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.chars().filter(|digit| !digit.is_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap()).collect()
}

fn sa(spi: u32, (encryption, integrity): Suite, esn: Esn) -> AddSa {
    AddSa {
        source: "192.0.2.1:4500".parse().unwrap(),
        destination: "192.0.2.2:4500".parse().unwrap(),
        protocol: Protocol::Esp,
        spi: EspSpi(NonZeroU32::new(spi).unwrap()),
        direction: Direction::Inbound,
        mode: Mode::Tunnel,
        reqid: Reqid(NonZeroU32::MIN),
        encryption: Some(encryption),
        integrity,
        encap: Encap::Udp,
        esn,
        replay_window: 32,
        limits: SaLimits::default(),
        source_ts: vec![],
        destination_ts: vec![],
        mark: Mark::default(),
        if_id: IfId(0),
        options: SaOptions::default(),
    }
}

fn combined(encryption: EncryptionId, key: Vec<u8>) -> Suite {
    ((encryption, Secret::from(key)), None)
}

fn composed(encryption: EncryptionId, key_len: u8, integrity: IntegrityId, mac_len: u8) -> Suite {
    let octets = |len: u8| Secret::from((0..len).collect::<Vec<_>>());
    ((encryption, octets(key_len)), Some((integrity, octets(mac_len))))
}

fn codec(spi: u32, suite: Suite, esn: Esn) -> Codec {
    Codec::new(&sa(spi, suite, esn), &crate::engine::tests::provider()).unwrap()
}

fn seal(codec: &Codec, sequence: u64, next: NextHeader, inner: &[u8]) -> Vec<u8> {
    let mut packet = vec![0xa5; codec.sealed_len(inner.len())];
    packet[codec.plain_offset()..][..inner.len()].copy_from_slice(inner);
    codec.seal(sequence, next, inner.len(), &mut packet).unwrap();
    packet
}

fn every_suite() -> Vec<Suite> {
    let gcm = |id, len: u8| combined(id, (0..len).collect());
    vec![
        gcm(EncryptionId::AES_GCM_16, 20),
        gcm(EncryptionId::AES_GCM_16, 36),
        gcm(EncryptionId::AES_GCM_12, 20),
        gcm(EncryptionId::AES_GCM_8, 28),
        gcm(EncryptionId::CHACHA20_POLY1305, 36),
        composed(EncryptionId::AES_CBC, 16, IntegrityId::HMAC_SHA2_256_128, 32),
        composed(EncryptionId::AES_CBC, 32, IntegrityId::HMAC_SHA2_512_256, 64),
        composed(EncryptionId::AES_CTR, 20, IntegrityId::HMAC_SHA2_384_192, 48),
        composed(EncryptionId::NULL, 0, IntegrityId::HMAC_SHA2_256_128, 32),
    ]
}

/// From "Test Cases for the Use of Galois/Counter Mode (GCM) and GMAC in IPsec ESP" (draft-mcgrew-gcm-test-01), with an
/// extended sequence number.
#[test]
fn opens_the_esp_packet_of_the_gcm_test_cases() {
    let key = hex("4c80cdefbb5d10da906ac73c3613a634 2e443b68");
    let codec = codec(0x4321, combined(EncryptionId::AES_GCM_16, key), Esn::Enabled);
    let mut packet = hex("00004321 00000000 4956ed7e3b244cfe
         fecf537e729d5b07dc30df528dd22b768d1b98736696a6fd348509fa13ceac34
         cfa2436f14a3f3cf65925bf1f4a13c5d15b21e1884f5ff6247aeabb786b93bce
         61bc17d768fd9732459018148f6cbe72 2fd04796562dfdb4");
    let expected = hex("45000048699a000080114db7c0a80102c0a801010a9bf15638d3010000010000
         00000000045f736970045f756470037369700963796265726369747902646b00
         0021000101020201");
    let (next, inner) = codec.open(0x8765_4321 << 32, &mut packet).unwrap();
    assert_eq!((next, &packet[inner]), (NextHeader(1), &expected[..expected.len() - 4]));
}

/// RFC 7634 appendix A: an ICMP echo request under ChaCha20-Poly1305.
#[test]
fn opens_and_makes_the_esp_packet_of_rfc_7634() {
    let key: Vec<u8> = (0x80..0xa0).chain(0xa0..0xa4).collect();
    let codec = codec(0x0102_0304, combined(EncryptionId::CHACHA20_POLY1305, key), Esn::Disabled);
    let wire = hex("01020304 00000005 1011121314151617
         24039428b97f417e3c13753a4f05087b67c352e6a7fab1b982d466ef407ae5c6
         14ee8099d52844eb61aa95dfab4c02f72aa71e7c4c4f64c9befe2facc638e8f3
         cbec163fac469b502773f6fb94e664da9165b82829f641e0
         76aaa8266b7fb0f7b11b369907e1ad43");
    let mut packet = wire.clone();
    let (next, inner) = codec.open(5, &mut packet).unwrap();
    let plain = packet[inner.clone()].to_vec();
    let echo = hex("45000054a6f200004001e778c6336405c000020508005b7a3a080000553bec10
         0007362708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20212223
         2425262728292a2b2c2d2e2f3031323334353637");
    assert_eq!((next, plain), (NextHeader::IPV4, echo));
    // The same again, under the vector's IV: padding and trailer come out as in the RFC.
    packet[inner.end..].fill(0);
    let header = codec.spi.to_be_bytes().into_iter().chain([0, 0, 0, 5]).collect::<Vec<u8>>();
    packet[inner.end..inner.end + 4].copy_from_slice(&[1, 2, 2, 4]);
    let (iv, payload) = packet[8..].split_at_mut(8);
    codec.key.seal(&header, iv, payload, &[]).unwrap();
    assert_eq!(packet, wire);
}

/// Recorded between two strongSwan 6.0.1: first packet of the initiator and of the responder.
#[test]
fn opens_what_strongswan_sealed() {
    let cases = [
        (
            "21aa24c9cc20080a9169f5538c092fd8e8d6c7edd6ba8172359512a94ecf2a86d76e48d5",
            "5a104d1f000000014a67fd59eb12e300b7930856a74c18236eb46a7dd8f1b214d4d0ec291f9d961de8dc81abb19752c4\
             5ec791f6d1ddba1bdf98acfdbc62bd0a6b08a6a8792fded5d72edee858cb2dd1385fd34a3d211fa502c784920a16652f\
             316f182ebfbe29da18ff7593b46396f5c1ba85cc5d3b6628",
            "45000054012f4000400125760a0100010a020001080037f348bb0001cf4a016b00000000e0c7070000000000",
        ),
        (
            "38911b4b3e131dc44f76d0c1b25d14091921b904af811817b75b17e38e11c9d15ff7dc02",
            "a2d4a70800000001b33250303e8435d91466d46b1e16b7c74d5d6dd6c06c972a14c5e8ec05d4e206fd5904d905e5b09a\
             1d7b58db9c47a200f72828225cd70ed15e0cd03ba01bb24d95a61c890f5c2d84d6b76beb8c286ff5ebfedbb0ed644a40\
             ac1b2e7a271556ebe372b1fb91647c0ee4f70f1c8f1077a4",
            "45000054088e000040015e170a0200010a01000100003ff348bb0001cf4a016b00000000e0c7070000000000",
        ),
    ];
    for (key, wire, start) in cases {
        let mut packet = hex(wire);
        let spi = u32::from_be_bytes(*packet.first_chunk().unwrap());
        let codec = codec(spi, combined(EncryptionId::AES_GCM_16, hex(key)), Esn::Disabled);
        let (next, inner) = codec.open(1, &mut packet).unwrap();
        assert_eq!((next, inner.len()), (NextHeader::IPV4, 84));
        assert!(packet[inner].starts_with(&hex(start)));
    }
}

#[test]
fn every_suite_opens_what_it_sealed_and_nothing_that_was_touched() {
    for (suite, esn) in every_suite().into_iter().zip([Esn::Disabled, Esn::Enabled].into_iter().cycle()) {
        let codec = codec(0xc0de, suite, esn);
        for len in [20, 21, 84, 1400] {
            let inner: Vec<u8> = (0..=255).cycle().take(len).collect();
            let wire = seal(&codec, (7 << 32) | 9, NextHeader::IPV6, &inner);
            let mut packet = wire.clone();
            let (next, at) = codec.open((7 << 32) | 9, &mut packet).unwrap();
            assert_eq!((next, &packet[at]), (NextHeader::IPV6, &inner[..]));
            for touched in [0, 4, 8, wire.len() / 2, wire.len() - 1] {
                let mut packet = wire.clone();
                packet[touched] ^= 1;
                assert_eq!(codec.open((7 << 32) | 9, &mut packet).map(drop), Err(PacketError::Forged));
            }
            if esn == Esn::Enabled {
                let mut packet = wire.clone();
                assert_eq!(codec.open((8 << 32) | 9, &mut packet).map(drop), Err(PacketError::Forged));
            }
        }
    }
}

#[test]
fn packets_are_padded_to_four_octets_or_whole_blocks() {
    for suite in every_suite() {
        let codec = codec(1, suite, Esn::Disabled);
        for len in 20..60 {
            let cipher = codec.sealed_len(len) - codec.plain_offset() - codec.key.icv_len();
            assert!(
                cipher >= len + 2 && cipher.is_multiple_of(codec.align) && cipher < len + 2 + codec.align
            );
        }
    }
}

#[test]
fn keys_of_a_wrong_length_and_unknown_algorithms_are_refused() {
    let refused =
        |suite| Codec::new(&sa(1, suite, Esn::Disabled), &crate::engine::tests::provider()).unwrap_err();
    assert_eq!(refused(combined(EncryptionId::AES_GCM_16, vec![0; 21])), KernelError::KeyLength);
    let short = composed(EncryptionId::AES_CBC, 16, IntegrityId::HMAC_SHA2_256_128, 16);
    assert_eq!(refused(short), KernelError::KeyLength);
    let serpent = composed(EncryptionId::SERPENT_CBC, 16, IntegrityId::HMAC_SHA2_256_128, 32);
    assert_eq!(refused(serpent), KernelError::UnsupportedEncryption(EncryptionId::SERPENT_CBC));
    let bare = combined(EncryptionId::AES_CBC, vec![0; 16]);
    assert_eq!(refused(bare), KernelError::Unsupported("encryption without integrity"));
}

proptest! {
    #[test]
    fn any_octets_are_refused_without_a_panic(
        which in 0_usize..9,
        mut packet in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let suite = every_suite().swap_remove(which);
        prop_assert!(codec(1, suite, Esn::Disabled).open(1, &mut packet).is_err());
    }
}
