use esp_proto::Family;
use proptest::prelude::*;

use super::*;
use crate::offload::header;
use crate::offload::join::{Joinable, join};

/// A large TCP packet as the kernel hands it over, its checksum unfinished.
fn large_tcp(family: Family, payload: &[u8], segment: u16) -> (Header, Vec<u8>) {
    let mut packet = if family == Family::Ipv4 {
        let mut ip = vec![0x45, 0, 0, 0, 0x12, 0x34, 0x40, 0, 64, 6, 0, 0, 10, 1, 0, 1, 10, 2, 0, 1];
        ip[2..4].copy_from_slice(&wire_u16(20 + 32 + payload.len()));
        ip
    } else {
        let mut ip = vec![0x60, 0, 0, 0, 0, 0, 6, 64];
        ip[4..6].copy_from_slice(&wire_u16(32 + payload.len()));
        ip.extend((0..32).map(|octet| octet | 0x20));
        ip
    };
    let ip_len = u16::try_from(packet.len()).unwrap();
    let mut tcp = vec![0; 32];
    tcp[..8].copy_from_slice(&[0x1f, 0x90, 0, 80, 0xff, 0xff, 0xff, 0]);
    tcp[12] = 0x80;
    tcp[13] = 0x10 | FIN | PSH | CWR;
    packet.extend(tcp);
    packet.extend(payload);
    (Header::parse(&header::large(family, Upper::Tcp, ip_len, 32, segment)), packet)
}

fn cut(header: Header, mut packet: Vec<u8>) -> Vec<Vec<u8>> {
    let segments = Segments::new(header, &mut packet).unwrap();
    (0..segments.count())
        .map(|number| {
            let mut out = vec![0xa5; segments.len(number)];
            segments.write(number, &mut out);
            out
        })
        .collect()
}

fn upper_holds(packet: &[u8], ip_len: usize, protocol: u8) -> bool {
    let (ip, upper) = packet.split_at(ip_len);
    Sum::default().add_pseudo_header(addresses(ip), protocol, upper.len()).add(upper).holds()
}

#[test]
fn tcp_segments_carry_on_where_the_one_before_ended() {
    for (family, ip_len) in [(Family::Ipv4, 20), (Family::Ipv6, 40)] {
        let payload: Vec<u8> = (0..=255).cycle().take(2500).collect();
        let (header, packet) = large_tcp(family, &payload, 1000);
        let packets = cut(header, packet);
        assert_eq!(
            packets.iter().map(Vec::len).collect::<Vec<_>>(),
            [1000, 1000, 500].map(|len| len + ip_len + 32)
        );
        let mut expected = 0xffff_ff00_u32;
        for (number, packet) in packets.iter().enumerate() {
            let tcp = &packet[ip_len..];
            assert_eq!(u32::from_be_bytes(tcp[4..8].try_into().unwrap()), expected);
            expected = expected.wrapping_add(1000);
            let flags = [0x10 | CWR, 0x10, 0x10 | FIN | PSH][number];
            assert_eq!(tcp[13], flags);
            assert!(upper_holds(packet, ip_len, PROTOCOL_TCP));
            if family == Family::Ipv4 {
                assert!(Sum::default().add(&packet[..20]).holds());
                assert_eq!(packet[4..6], (0x1234 + u16::try_from(number).unwrap()).to_be_bytes());
            }
        }
        let joined: Vec<u8> = packets.iter().flat_map(|packet| packet[ip_len + 32..].to_vec()).collect();
        assert_eq!(joined, payload);
    }
}

#[test]
fn udp_datagrams_get_their_own_lengths() {
    let mut packet = vec![0x45, 0, 0, 128, 0, 0, 0x40, 0, 64, 17, 0, 0, 10, 1, 0, 1, 10, 2, 0, 1];
    packet.extend([0, 1, 0, 2, 0, 108, 0, 0]);
    packet.extend([7; 100]);
    let header = Header::parse(&header::large(Family::Ipv4, Upper::Udp, 20, 8, 60));
    let packets = cut(header, packet);
    assert_eq!(packets.iter().map(|packet| packet[24..26].to_vec()).collect::<Vec<_>>(), [[0, 68], [0, 48]]);
    assert!(packets.iter().all(|packet| upper_holds(packet, 20, PROTOCOL_UDP)));

    // Joined and cut again, they are the same, ids included.
    let places = [0..packets[0].len(), packets[0].len()..packets[0].len() + packets[1].len()];
    let mut buffer = packets.concat();
    let joined = join(&mut buffer, &places, Joinable::TcpAndUdp);
    assert_eq!((joined.count, joined.headers_len), (2, 28));
    let whole = [&buffer[places[0].clone()], &buffer[places[1].start + 28..]].concat();
    assert_eq!(cut(Header::parse(&joined.header), whole), packets);
    assert_eq!(join(&mut packets.concat(), &places, Joinable::Tcp).count, 1);
}

#[test]
fn an_unfinished_checksum_of_a_single_packet_is_finished() {
    let (_, mut packet) = large_tcp(Family::Ipv4, b"hello", 1000);
    let sum = Sum::default().add_pseudo_header(addresses(&packet), PROTOCOL_TCP, 37).partial();
    packet[36..38].copy_from_slice(&sum);
    let mut header = header::large(Family::Ipv4, Upper::Tcp, 20, 32, 0);
    header[1] = 0;
    let packets = cut(Header::parse(&header), packet);
    assert!(packets.len() == 1 && upper_holds(&packets[0], 20, PROTOCOL_TCP));
}

#[test]
fn what_contradicts_its_header_is_refused() {
    let refused = |header: [u8; 10], packet: &[u8]| {
        Segments::new(Header::parse(&header), &mut packet.to_vec()).map(drop)
    };
    let (_, packet) = large_tcp(Family::Ipv4, &[0; 100], 10);
    assert_eq!(refused(header::large(Family::Ipv4, Upper::Tcp, 20, 32, 0), &packet), Err(Malformed));
    assert_eq!(refused(header::large(Family::Ipv4, Upper::Tcp, 60000, 32, 10), &packet), Err(Malformed));
    assert_eq!(refused(header::large(Family::Ipv4, Upper::Tcp, 4, 32, 10), &packet), Err(Malformed));
    assert_eq!(refused(header::large(Family::Ipv4, Upper::Tcp, 20, 32, 10), &[]), Err(Malformed));
}

proptest! {
    #[test]
    fn what_was_cut_is_joined_again(len in 1_usize..9000, segment in 500_u16..1400, ipv4 in any::<bool>()) {
        let payload: Vec<u8> = (0..=250).cycle().take(len).collect();
        let (family, ip_len) = if ipv4 { (Family::Ipv4, 20) } else { (Family::Ipv6, 40) };
        let (header, mut packet) = large_tcp(family, &payload, segment);
        packet[ip_len + 13] = 0x10;
        let packets = cut(header, packet.clone());
        let mut buffer = Vec::new();
        let mut places = Vec::new();
        for packet in &packets {
            buffer.extend([0xee; 3]);
            places.push(buffer.len()..buffer.len() + packet.len());
            buffer.extend(packet);
        }
        let joined = join(&mut buffer, &places, Joinable::Tcp);
        prop_assert_eq!(joined.count, packets.len());
        if joined.count > 1 {
            let read = Header::parse(&joined.header);
            prop_assert_eq!(read.segmentation, Segmentation::Each(Upper::Tcp, segment));
            let mut whole = buffer[places[0].clone()].to_vec();
            for place in &places[1..] {
                whole.extend(&buffer[place.start + joined.headers_len..place.end]);
            }
            prop_assert_eq!(&whole[ip_len + 32..], &payload[..]);
            prop_assert_eq!(&whole[2..4], &packet[2..4]);
            // Cutting again, as the receiver's kernel would, gives the same packets.
            prop_assert_eq!(cut(read, whole), packets);
        }
    }

    #[test]
    fn any_packet_behind_any_header_is_cut_or_refused(
        header in any::<[u8; 10]>(),
        mut packet in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        if let Ok(segments) = Segments::new(Header::parse(&header), &mut packet) {
            for number in 0..segments.count() {
                let mut out = vec![0; segments.len(number)];
                segments.write(number, &mut out);
            }
        }
    }
}
