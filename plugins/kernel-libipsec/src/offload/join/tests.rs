use proptest::prelude::*;

use super::*;

/// An IPv4 TCP packet with good checksums.
fn tcp(sequence: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 1, 0, 1, 10, 2, 0, 1];
    packet.extend([0x1f, 0x90, 0, 80]);
    packet.extend(sequence.to_be_bytes());
    packet.extend([0, 0, 0, 9, 0x50, flags, 1, 0, 0, 0, 0, 0]);
    packet.extend(payload);
    fix(&mut packet);
    packet
}

fn fix(packet: &mut [u8]) {
    let total = u16::try_from(packet.len()).unwrap();
    packet[2..4].copy_from_slice(&total.to_be_bytes());
    packet[10..12].fill(0);
    packet[36..38].fill(0);
    let ip = Sum::default().add(&packet[..20]).finish();
    packet[10..12].copy_from_slice(&ip);
    let upper = packet.len() - 20;
    let sum = Sum::default().add_pseudo_header(&packet[12..20], 6, upper).add(&packet[20..]).finish();
    packet[36..38].copy_from_slice(&sum);
}

fn count(packets: &[Vec<u8>]) -> usize {
    let mut buffer = Vec::new();
    let mut places = Vec::new();
    for packet in packets {
        places.push(buffer.len()..buffer.len() + packet.len());
        buffer.extend(packet);
    }
    join(&mut buffer, &places, Joinable::TcpAndUdp).count
}

#[test]
fn packets_in_order_are_joined_until_one_is_shorter_or_pushes() {
    let five = |sequence| tcp(sequence, ACK, b"12345");
    assert_eq!(count(&[five(1), five(6), five(11)]), 3);
    assert_eq!(count(&[five(1), tcp(6, ACK, b"123"), five(9)]), 2);
    assert_eq!(count(&[five(1), tcp(6, ACK | PSH, b"12345"), five(11)]), 2);
    assert_eq!(count(&[tcp(1, ACK | PSH, b"12345"), five(6)]), 1);
}

#[test]
fn other_packets_stay_alone() {
    let five = |sequence| tcp(sequence, ACK, b"12345");
    assert_eq!(count(&[five(1), five(7)]), 1, "a gap");
    assert_eq!(count(&[five(1), tcp(6, ACK, b"123456")]), 1, "a longer one");
    assert_eq!(count(&[five(1), tcp(6, ACK | 1, b"12345")]), 1, "FIN");
    assert_eq!(count(&[tcp(1, ACK, b""), tcp(1, ACK, b"")]), 1, "no payload");
    for changed in [1, 8, 12, 16, 20, 28] {
        let mut other = five(6);
        other[changed] ^= 4;
        fix(&mut other);
        assert_eq!(count(&[five(1), other]), 1, "octet {changed} differs");
    }
}

#[test]
fn a_broken_packet_is_not_made_good() {
    let five = |sequence| tcp(sequence, ACK, b"12345");
    let mut broken = five(6);
    broken[43] ^= 1;
    assert_eq!(count(&[five(1), broken.clone()]), 1);
    assert_eq!(count(&[broken, five(11)]), 1);
}

proptest! {
    #[test]
    fn any_packets_are_left_alone_or_joined(
        packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 1..5),
    ) {
        prop_assert!((1..=packets.len()).contains(&count(&packets)));
    }
}
