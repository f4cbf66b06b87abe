//! Cases 12 to 39: what is received.

use std::time::Duration;

use charon_types::Secret;
use vrrp_proto::config::{AddressListCheck, Authentication, Compatibility, Peer, Transport};
use vrrp_proto::frame::FrameError;
use vrrp_proto::receive::Unclaimed;
use vrrp_proto::{
    GlobalStatistics, Interval, Notice, Output, Received, Rejection, RouterConfig, State, Version,
};

use crate::bench::{Dut, OWN, OWN_V6, Packet, VRID, config, config_v6, hex, internet_checksum, ip, priority};

const BOTH: [Version; 2] = [Version::V2, Version::V3];

fn global(rejection: Rejection) -> GlobalStatistics {
    let mut statistics = GlobalStatistics::default();
    statistics.count(&rejection);
    statistics
}

#[test]
fn ttl_of_254_is_dropped() {
    for version in BOTH {
        let rejection = Dut::up(config(version)).ignores(&Packet { ttl: 254, ..Packet::of(version, 150) });
        assert_eq!(global(rejection).ip_ttl_errors, 1);
    }
}

#[test]
fn hop_limit_of_64_is_dropped() {
    let rejection = Dut::up(config_v6()).ignores(&Packet { ttl: 64, ..Packet::v6(150) });
    assert_eq!(global(rejection).ip_ttl_errors, 1);
}

#[test]
fn unknown_versions_are_dropped() {
    for version in [1, 4, 15] {
        let packet = Packet { version_type: version << 4 | 1, ..Packet::v3(150) };
        assert_eq!(global(Dut::up(config(Version::V3)).ignores(&packet)).version_errors, 1);
    }
}

#[test]
fn v2_packet_is_dropped_by_a_v3_router() {
    assert_eq!(global(Dut::up(config(Version::V3)).ignores(&Packet::v2(150))).version_errors, 1);
    assert_eq!(global(Dut::up(config(Version::V2)).ignores(&Packet::v3(150))).version_errors, 1);
}

#[test]
fn other_packet_types_are_dropped() {
    for version in BOTH {
        let mut dut = Dut::up(config(version));
        let packet = Packet::of(version, 150);
        dut.ignores(&Packet { version_type: packet.version_type + 1, ..packet });
        assert_eq!(dut.router.statistics().invalid_type_pkts_rcvd, 1);
    }
}

#[test]
fn seven_octets_are_dropped() {
    let mut dut = Dut::up(config(Version::V3));
    for len in 0..=7 {
        dut.ignores_raw(&Packet::v3(150), &Packet::v3(150).octets()[..len]);
    }
    assert_eq!(dut.router.statistics().packet_length_errors, 8);
}

fn length_error(config: RouterConfig, packet: &Packet) {
    let mut dut = Dut::up(config);
    assert!(matches!(dut.ignores(packet), Rejection::Length { .. }));
    assert_eq!(dut.router.statistics().packet_length_errors, 1);
}

#[test]
fn count_of_two_with_one_address_is_dropped() {
    for version in BOTH {
        length_error(config(version), &Packet { count: 2, ..Packet::of(version, 150) });
    }
}

#[test]
fn count_of_one_with_two_addresses_is_dropped() {
    for version in BOTH {
        let addresses = vec![ip("192.0.2.1"), ip("192.0.2.2")];
        length_error(config(version), &Packet { addresses, ..Packet::of(version, 150) });
    }
}

#[test]
fn v2_packet_without_authentication_data_is_dropped() {
    length_error(config(Version::V2), &Packet { auth_data: Vec::new(), ..Packet::v2(150) });
}

#[test]
fn v3_count_of_zero_is_dropped() {
    length_error(config(Version::V3), &Packet { count: 0, addresses: Vec::new(), ..Packet::v3(150) });
}

#[test]
fn count_of_255_is_read_to_the_end() {
    let addresses =
        (0..255_u16).map(|n| std::net::Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, n + 1).into()).collect();
    let packet = Packet { count: 255, addresses, ..Packet::v6(150) };
    assert_eq!(packet.octets().len(), 4088);
    let mut dut = Dut::up(config_v6());
    assert_eq!(dut.hear(&packet), Ok(()));
    assert_eq!(dut.router.statistics().address_list_errors, 1);
}

#[test]
fn checksum_that_is_off_by_one_is_dropped() {
    for (config, packet) in [
        (config(Version::V2), Packet::v2(150)),
        (config(Version::V3), Packet::v3(150)),
        (config_v6(), Packet::v6(150)),
    ] {
        let rejection = Dut::up(config).ignores(&Packet { checksum_off_by: 1, ..packet });
        assert_eq!(global(rejection).checksum_errors, 1);
    }
}

#[test]
fn both_zeros_of_ones_complement_are_right() {
    // The last address is chosen so that the sum of all else is 0xffff and the checksum a zero.
    let mut packet = Packet { count: 2, addresses: vec![ip("192.0.2.1"), ip("0.0.0.0")], ..Packet::v3(150) };
    let octets = packet.octets();
    let [high, low] = u16::from_be_bytes([octets[6], octets[7]]).to_be_bytes();
    packet.addresses[1] = std::net::Ipv4Addr::new(0, 0, high, low).into();
    let mut octets = packet.octets();
    assert_eq!(octets[6..8], [0, 0]);
    let mut dut = Dut::up(config(Version::V3));
    assert_eq!(dut.hear_raw(&packet, &octets), Ok(()));
    octets[6..8].fill(0xff);
    assert_eq!(dut.hear_raw(&packet, &octets), Ok(()));
}

#[test]
fn unknown_vrid_is_counted() {
    let payload = Packet { vrid: 52, ..Packet::v3(150) }.octets();
    let packet = Packet::v3(150);
    let received =
        Received { source: packet.source, destination: packet.destination, ttl: 255, payload: &payload };
    let mut statistics = GlobalStatistics::default();
    let rejection = Unclaimed { versions: &BOTH }.count(&received, &mut statistics);
    assert_eq!((rejection, statistics.vrid_errors), (Rejection::Vrid { vrid: 52 }, 1));
    // Nor does a router take it that it was handed to by mistake.
    assert_eq!(
        Dut::up(config(Version::V3)).ignores(&Packet { vrid: 52, ..packet }),
        Rejection::Vrid { vrid: 52 }
    );
}

#[test]
fn vrid_zero_is_counted() {
    let packet = Packet { vrid: 0, ..Packet::v2(150) };
    let payload = packet.octets();
    let received =
        Received { source: packet.source, destination: packet.destination, ttl: 255, payload: &payload };
    assert_eq!(Unclaimed { versions: &BOTH }.reject(&received), Rejection::Vrid { vrid: 0 });
    let spoken = Unclaimed { versions: &[Version::V3] }.reject(&received);
    assert_eq!(spoken, Rejection::Version { version: 2 });
}

#[test]
fn v2_drops_another_interval() {
    let mut dut = Dut::up(config(Version::V2));
    dut.ignores(&Packet { middle: [0, 2], ..Packet::v2(150) });
    assert_eq!(dut.router.statistics().interval_errors, 1);
}

#[test]
fn v3_learns_another_interval_and_counts_it() {
    let mut dut = Dut::up(config(Version::V3));
    assert_eq!(dut.hear(&Packet::v3(150).interval_cs(50)), Ok(()));
    assert_eq!(dut.router.statistics().interval_errors, 1);
    assert_eq!(dut.router.snapshot().active_interval, Interval::from_centiseconds(50).unwrap());
    let told =
        dut.log.iter().any(|(_, output)| matches!(output, Output::Notice(Notice::IntervalDiffers { .. })));
    assert!(told);
}

#[test]
fn v3_interval_of_zero_is_not_learnt() {
    let mut dut = Dut::up(config(Version::V3));
    assert_eq!(dut.hear(&Packet::v3(150).interval_cs(0)), Ok(()));
    assert_eq!(dut.router.snapshot().active_interval, Interval::DEFAULT);
    assert_eq!(dut.router.statistics().interval_errors, 1);
    assert_eq!(dut.takeover_after(), Duration::from_micros(3_609_375));
}

#[test]
fn v3_reserved_bits_are_ignored() {
    let mut dut = Dut::up(config(Version::V3));
    assert_eq!(dut.hear(&Packet::v3(150).interval_cs(0xf000 | 50)), Ok(()));
    assert_eq!(dut.router.snapshot().active_interval, Interval::from_centiseconds(50).unwrap());
}

fn simple() -> RouterConfig {
    let authentication = Authentication::Simple(Secret::copy_from(b"secret12"));
    RouterConfig { authentication, ..config(Version::V2) }
}

#[test]
fn authentication_type_must_be_the_configured_one() {
    let with = Packet { middle: [1, 1], auth_data: b"secret12".to_vec(), ..Packet::v2(150) };
    let mut open = Dut::up(config(Version::V2));
    assert_eq!(open.ignores(&with), Rejection::AuthType { auth_type: 1 });
    assert_eq!(open.router.statistics().auth_type_errors, 1);
    let mut closed = Dut::up(simple());
    assert_eq!(closed.ignores(&Packet::v2(150)), Rejection::AuthType { auth_type: 0 });
    assert_eq!(closed.hear(&with), Ok(()));
}

#[test]
fn unknown_authentication_type_is_dropped() {
    let packet = Packet { middle: [3, 1], ..Packet::v2(150) };
    assert_eq!(Dut::up(simple()).ignores(&packet), Rejection::AuthType { auth_type: 3 });
}

#[test]
fn wrong_password_is_counted() {
    for password in [b"secret13", b"Secret12"] {
        let mut dut = Dut::up(simple());
        let packet = Packet { middle: [1, 1], auth_data: password.to_vec(), ..Packet::v2(150) };
        assert_eq!(dut.ignores(&packet), Rejection::AuthFailed);
        assert_eq!(dut.router.statistics().auth_failures, 1);
    }
}

#[test]
fn other_addresses_are_counted_and_v2_drops_them_unless_the_owner_sent_them() {
    let other = |packet: Packet| Packet { addresses: vec![ip("192.0.2.2")], ..packet };
    let mut v3 = Dut::up(config(Version::V3));
    assert_eq!(v3.hear(&other(Packet::v3(150))), Ok(()));
    assert_eq!(v3.router.statistics().address_list_errors, 1);
    let mut v2 = Dut::up(config(Version::V2));
    assert_eq!(v2.ignores(&other(Packet::v2(150))), Rejection::AddressList);
    assert_eq!(v2.hear(&other(Packet::v2(255))), Ok(()));
    assert_eq!(v2.router.statistics().address_list_errors, 2);
    let unchecked = RouterConfig { address_list: AddressListCheck::Off, ..config(Version::V2) };
    assert_eq!(Dut::up(unchecked).hear(&other(Packet::v2(150))), Ok(()));
}

/// An advertisement of priority 150 in an Ethernet frame.
fn frame() -> Vec<u8> {
    hex("01005e00001200005e000133080045c0002000000000ff701890c000020be0000012")
        .into_iter()
        .chain(Packet::v3(150).octets())
        .collect()
}

fn with_header_checksum(mut frame: Vec<u8>, header_len: usize) -> Vec<u8> {
    frame[24..26].fill(0);
    let sum = internet_checksum(&frame[14..14 + header_len]);
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
    frame
}

#[test]
fn padding_behind_the_ip_packet_is_left_out() {
    for padding in [0x00, 0xa5] {
        let mut padded = with_header_checksum(frame(), 20);
        padded.resize(60, padding);
        assert_eq!(Received::from_ethernet(&padded).unwrap().payload, Packet::v3(150).octets());
    }
}

#[test]
fn ip_options_are_skipped() {
    let mut frame = frame();
    frame.splice(34..34, [1, 1, 1, 0]);
    frame[14] = 0x46;
    frame[17] += 4;
    let frame = with_header_checksum(frame, 24);
    assert_eq!(Received::from_ethernet(&frame).unwrap().payload, Packet::v3(150).octets());
}

#[test]
fn ip_fragment_is_dropped() {
    for flags in [[0x20, 0x00], [0x00, 0x05]] {
        let mut frame = frame();
        frame[20..22].copy_from_slice(&flags);
        let frame = with_header_checksum(frame, 20);
        assert_eq!(Received::from_ethernet(&frame).unwrap_err(), FrameError::Fragment);
    }
}

#[test]
fn own_advertisement_that_comes_back_is_told_once() {
    for mut dut in [Dut::up(config(Version::V3)), Dut::active(config(Version::V3))] {
        let own = Packet::v3(100).from(OWN);
        for _ in 0..3 {
            assert_eq!(dut.hear(&own), Err(Rejection::Looped));
        }
        let lines = dut.log.iter().filter(|(_, output)| matches!(output, Output::Rejected { .. })).count();
        assert_eq!((lines, dut.transitions().len()), (1, usize::from(dut.router.state() == State::Backup)));
    }
    assert_eq!(Dut::active(config_v6()).hear(&Packet::v6(100).from(OWN_V6)), Err(Rejection::Looped));
}

#[test]
fn other_family_is_another_router() {
    let mut v6 = Dut::up(config_v6());
    assert!(matches!(
        v6.ignores(&Packet::v3(150)),
        Rejection::Length { .. } | Rejection::Vrid { vrid: VRID }
    ));
    let one_address = RouterConfig { addresses: vec![ip("fe80::1")], ..config_v6() };
    // Even if the octets happen to fit.
    let packet =
        Packet { source: ip("192.0.2.12"), count: 1, addresses: vec![ip("fe80::1")], ..Packet::v3(150) };
    assert_eq!(Dut::up(one_address).ignores(&packet), Rejection::Vrid { vrid: VRID });
}

#[test]
fn owner_does_not_yield_to_an_owner() {
    let mut dut = Dut::up(RouterConfig { priority: priority(255), ..config(Version::V3) });
    assert_eq!(dut.router.state(), State::Active);
    dut.advance(Duration::from_millis(10));
    let rejection = dut.hear(&Packet::v3(255).from("192.0.2.200")).unwrap_err();
    assert_eq!(rejection, Rejection::OwnerConflict { priority: priority(255) });
    assert_eq!(dut.router.state(), State::Active);
    let alarm = Output::Notice(Notice::SecondOwner { source: ip("192.0.2.200") });
    assert!(dut.log.iter().any(|(_, output)| *output == alarm));
    assert_eq!(dut.router.statistics().owner_conflicts, 1);
}

#[test]
fn invalid_packets_never_restart_the_timer_of_an_active_router() {
    let mut dut = Dut::active(config(Version::V3));
    for n in 0..100 {
        dut.advance(Duration::from_millis(90));
        let bad = Packet { checksum_off_by: 1, ..Packet::v3(0) };
        assert_eq!(dut.hear(&bad), Err(Rejection::Checksum), "{n}");
    }
    assert_eq!(dut.adverts().len(), 9);
}

#[test]
fn unicast_is_taken_from_peers_only_and_with_the_ttl_that_they_have() {
    let peers = vec![Peer { address: ip("192.0.2.12"), ttl: 64..=255 }];
    let config = RouterConfig { transport: Transport::Unicast { peers }, ..config(Version::V3) };
    let mut dut = Dut::up(config);
    let packet = Packet { destination: ip(OWN), ttl: 64, ..Packet::v3(150) };
    assert_eq!(dut.hear(&packet), Ok(()));
    assert_eq!(dut.ignores(&Packet { ttl: 63, ..packet.clone() }), Rejection::Ttl { ttl: 63 });
    assert_eq!(dut.ignores(&packet.clone().from("192.0.2.13")), Rejection::Peer);
    let to_group = Packet { destination: ip("224.0.0.18"), ..packet };
    assert_eq!(dut.ignores(&to_group), Rejection::Destination { destination: ip("224.0.0.18") });
    assert_eq!(dut.router.statistics().peer_errors, 2);
}

#[test]
fn rvrrpd_s_count_mismatch_is_taken_by_a_switch_only() {
    let packet = Packet { count: 2, ..Packet::v2(150) };
    assert!(matches!(Dut::up(config(Version::V2)).ignores(&packet), Rejection::Length { .. }));
    let compatible = RouterConfig { compatibility: Compatibility::Rvrrpd, ..config(Version::V2) };
    assert_eq!(Dut::up(compatible).hear(&packet), Ok(()));
}

#[test]
fn of_all_that_is_wrong_with_a_packet_the_first_check_decides() {
    let mut packet = Packet {
        destination: ip("192.0.2.11"),
        ttl: 254,
        version_type: 0x12,
        vrid: VRID + 1,
        count: 2,
        middle: [3, 2],
        addresses: vec![ip("192.0.2.2")],
        checksum_off_by: 1,
        ..Packet::v2(150)
    };
    let mut dut = Dut::up(simple());
    assert_eq!(dut.ignores_raw(&packet, &[0x12; 7]), Rejection::Length { need: 8, have: 7 });
    type Repair = fn(&mut Packet);
    let repairs: [(Rejection, Repair); 11] = [
        (Rejection::Ttl { ttl: 254 }, |packet| packet.ttl = 255),
        (Rejection::Version { version: 1 }, |packet| packet.version_type = 0x22),
        (Rejection::Type { packet_type: 2 }, |packet| packet.version_type = 0x21),
        (Rejection::Length { need: 24, have: 20 }, |packet| packet.count = 1),
        (Rejection::Checksum, |packet| packet.checksum_off_by = 0),
        (Rejection::Vrid { vrid: VRID + 1 }, |packet| packet.vrid = VRID),
        (Rejection::AuthType { auth_type: 3 }, |packet| packet.middle[0] = 1),
        (Rejection::AuthFailed, |packet| packet.auth_data = b"secret12".to_vec()),
        (Rejection::Interval { interval: Interval::from_seconds(2) }, |packet| packet.middle[1] = 1),
        (Rejection::AddressList, |packet| packet.addresses = vec![ip("192.0.2.1")]),
        (Rejection::Destination { destination: ip("192.0.2.11") }, |packet| {
            packet.destination = ip("224.0.0.18")
        }),
    ];
    for (rejection, repair) in repairs {
        assert_eq!(dut.ignores(&packet), rejection);
        repair(&mut packet);
    }
    assert_eq!(dut.hear(&packet), Ok(()));
    // The owner's ears are shut before anything is authenticated.
    let mut owner = Dut::up(RouterConfig { priority: priority(255), ..simple() });
    let conflict = Rejection::OwnerConflict { priority: priority(150) };
    assert_eq!(owner.hear(&Packet { middle: [3, 2], ..packet.clone() }), Err(conflict));
    let strange = Rejection::Vrid { vrid: VRID + 1 };
    assert_eq!(owner.hear(&Packet { vrid: VRID + 1, ..packet }), Err(strange));
}
