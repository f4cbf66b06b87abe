use std::num::NonZeroU32;

use charon_types::Secret;
use charon_types::algorithm::{EncryptionId, IntegrityId};
use charon_types::id::{EspSpi, IfId, Reqid};
use charon_types::kernel_op::{SaLimits, SaOptions};

use super::*;
use crate::xfrm::wire::{Messages, NEWSA};

fn sa() -> AddSa {
    AddSa {
        source: "192.0.2.1:4500".parse().unwrap(),
        destination: "192.0.2.2:4500".parse().unwrap(),
        protocol: Protocol::Esp,
        spi: EspSpi(NonZeroU32::new(0xc001_0203).unwrap()),
        direction: Direction::Inbound,
        mode: Mode::Tunnel,
        reqid: Reqid(NonZeroU32::new(7).unwrap()),
        encryption: Some((EncryptionId::AES_GCM_16, Secret::copy_from(&[5; 20]))),
        integrity: None,
        encap: Encap::Udp,
        esn: Esn::Disabled,
        replay_window: 32,
        limits: SaLimits::default(),
        source_ts: Vec::new(),
        destination_ts: Vec::new(),
        mark: Mark::default(),
        if_id: IfId::default(),
        options: SaOptions::default(),
    }
}

/// Info and attributes of the one message.
fn payload(message: Writer) -> Vec<u8> {
    let bytes = message.finish(1);
    let mut messages = Messages::new(&bytes);
    let payload = messages.next().unwrap().payload.to_vec();
    assert!(messages.next().is_none());
    payload
}

fn attribute(payload: &[u8], kind: u16) -> Option<Vec<u8>> {
    Attributes::new(&payload[wire::SA_INFO_LEN..]).find(kind).map(<[u8]>::to_vec)
}

#[test]
fn an_sa_is_laid_out_as_the_kernel_wants_it() {
    let payload = payload(add(&sa(), NEWSA, 0xc400_0001, None).unwrap());
    assert_eq!(payload[56..60], [192, 0, 2, 2]);
    assert_eq!(payload[72..77], [0xc0, 1, 2, 3, IPPROTO_ESP]);
    assert_eq!(payload[80..84], [192, 0, 2, 1]);
    assert_eq!(payload[96..104], [0xff; 8], "no limit of octets");
    assert_eq!(payload[208..212], 7_u32.to_ne_bytes());
    assert_eq!(payload[214..217], [1, 32, FLAG_AF_UNSPEC]);
    let aead = attribute(&payload, wire::A_ALG_AEAD).unwrap();
    assert!(aead.starts_with(b"rfc4106(gcm(aes))\0"));
    assert_eq!(aead[64..72], [160_u32.to_ne_bytes(), 128_u32.to_ne_bytes()].concat());
    assert_eq!(aead[72..], [5; 20]);
    let encap = attribute(&payload, wire::A_ENCAP).unwrap();
    assert_eq!((encap.len(), &encap[2..6]), (24, [0x11, 0x94, 0x11, 0x94].as_slice()));
    assert_eq!(spi(&payload), Some(0xc001_0203));
}

#[test]
fn large_windows_and_64_bit_numbers_have_an_attribute() {
    let wide = payload(add(&AddSa { replay_window: 100, ..sa() }, NEWSA, 0, None).unwrap());
    let esn = attribute(&wide, wire::A_REPLAY_ESN_VAL).unwrap();
    assert_eq!(esn.len(), 24 + 4 * 4);
    assert_eq!(esn[20..24], 100_u32.to_ne_bytes());
    assert_eq!(wide[215], 0);
    let numbers = AddSa { esn: Esn::Enabled, direction: Direction::Outbound, ..sa() };
    let numbers = payload(add(&numbers, NEWSA, 0, None).unwrap());
    assert_eq!(attribute(&numbers, wire::A_REPLAY_ESN_VAL).unwrap()[20..24], 1_u32.to_ne_bytes());
    assert_eq!(numbers[216] & FLAG_ESN, FLAG_ESN);
}

#[test]
fn keys_and_algorithms_that_do_not_fit_are_refused_before_the_kernel_sees_them() {
    let with = |encryption, integrity| add(&AddSa { encryption, integrity, ..sa() }, NEWSA, 0, None).err();
    let key = |octets| Secret::copy_from(&vec![1; octets]);
    assert_eq!(with(None, None), Some(KernelError::KeyLength));
    let rc5 = EncryptionId::RC5_CBC;
    assert_eq!(with(Some((rc5, key(16))), None), Some(KernelError::UnsupportedEncryption(rc5)));
    assert_eq!(with(Some((EncryptionId::AES_CBC, key(17))), None), Some(KernelError::KeyLength));
    let mac = IntegrityId::DES_MAC;
    assert_eq!(with(None, Some((mac, key(8)))), Some(KernelError::UnsupportedIntegrity(mac)));
    assert_eq!(with(None, Some((IntegrityId::HMAC_SHA1_96, key(19)))), Some(KernelError::KeyLength));
}

#[test]
fn an_sa_that_moves_takes_its_counters_and_numbers_along() {
    let mut known = payload(add(&sa(), NEWSA, 0xc400_0001, None).unwrap());
    known[160..168].copy_from_slice(&1234_u64.to_ne_bytes());
    known[168..176].copy_from_slice(&5_u64.to_ne_bytes());
    let mut more = Writer::new();
    more.attribute(wire::A_REPLAY_VAL, &[9; 12]).attribute(wire::A_LASTUSED, &50_u64.to_ne_bytes());
    known.extend_from_slice(more.as_bytes());
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(60);
    let seen = SaUsage { bytes: 1234, packets: 5, idle: Some(Duration::from_secs(10)) };
    assert_eq!(usage(&known, now), Some(seen));

    let (source, destination) = ("192.0.2.9:4501".parse().unwrap(), "192.0.2.2:4500".parse().unwrap());
    let moved_to = payload(moved(&known, source, destination, Encap::Udp).unwrap());
    assert_eq!(moved_to[80..84], [192, 0, 2, 9]);
    let numbers = 0x0909_0909_u32 + NUMBERS_LEFT_OUT;
    let received = 0x0909_0909_u32.to_ne_bytes();
    let replay = [numbers.to_ne_bytes(), received, received].concat();
    assert_eq!(
        attribute(&moved_to, wire::A_REPLAY_VAL),
        Some(replay),
        "numbers of what left meanwhile are left out"
    );
    assert_eq!(attribute(&moved_to, wire::A_LTIME_VAL).unwrap()[..8], 1234_u64.to_ne_bytes());
    assert_eq!(attribute(&moved_to, wire::A_ENCAP).unwrap()[2..4], 4501_u16.to_be_bytes());
    assert_eq!(attribute(&moved_to, wire::A_ALG_AEAD), attribute(&known, wire::A_ALG_AEAD));
    assert_eq!(attribute(&moved_to, wire::A_LASTUSED), None);
    let plain = payload(moved(&known, source, destination, Encap::None).unwrap());
    assert_eq!(attribute(&plain, wire::A_ENCAP), None);
}

#[test]
fn what_is_cut_off_is_not_read() {
    let known = payload(add(&sa(), NEWSA, 0, None).unwrap());
    let at = "192.0.2.9:4500".parse().unwrap();
    for cut in 0..wire::SA_INFO_LEN {
        assert!(moved(&known[..cut], at, at, Encap::None).is_none());
        assert!(usage(&known[..cut], SystemTime::UNIX_EPOCH).is_none());
    }
}

#[test]
fn the_number_of_an_sa_that_moves_goes_on_in_its_upper_half() {
    let esn = |low: u32, high: u32| -> Vec<u8> {
        [1, low, 5, high, 6, 32, 7].iter().flat_map(|word: &u32| word.to_ne_bytes()).collect()
    };
    assert_eq!(ahead(&esn(u32::MAX, 2), 4, Some(12)), esn(NUMBERS_LEFT_OUT - 1, 3));
    assert_eq!(ahead(&esn(9, 2), 4, Some(12)), esn(9 + NUMBERS_LEFT_OUT, 2));
    assert_eq!(ahead(&esn(0, 0), 4, Some(12)), esn(0, 0), "it has sent nothing");
    assert_eq!(ahead(&[1, 2], 0, None), [1, 2]);
}
