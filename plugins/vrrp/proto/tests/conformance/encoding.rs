//! Cases 1 to 11, 61 and 62: what is sent.

use std::sync::Arc;
use std::time::Duration;

use charon_types::Secret;
use vrrp_proto::config::{Authentication, ChecksumMode};
use vrrp_proto::neighbour::{Forwarding, gratuitous_arp, neighbour_advertisement};
use vrrp_proto::{Advert, ConfigError, Family, Interval, Output, RouterConfig, Version, VirtualRouter};

use crate::bench::{Dut, Packet, address_octets, config, config_v6, crypto, hex, internet_checksum, ip};

/// The first advertisement of a router that became Active.
fn first_advert(config: RouterConfig) -> Advert {
    let mut dut = Dut::up(config);
    dut.advance(Duration::from_secs(400));
    dut.log
        .into_iter()
        .find_map(|(_, output)| match output {
            Output::SendAdvert(advert) => Some(Arc::unwrap_or_clone(advert)),
            _ => None,
        })
        .unwrap()
}

#[test]
fn v2_advertisement_has_the_octets_of_the_rfc() {
    let advert = first_advert(config(Version::V2));
    let mut expected = hex("2133640100010000c00002010000000000000000");
    let sum = internet_checksum(&expected);
    expected[6..8].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(advert.payload, expected);
    let frame = advert.ethernet_frame(config(Version::V2).mac(), None, 0);
    assert_eq!(frame[..14], hex("01005e00001200005e0001330800"));
    assert_eq!((frame[22], frame[23]), (255, 112));
    assert_eq!((advert.source, advert.destination), (ip("192.0.2.11"), ip("224.0.0.18")));
}

#[test]
fn v3_ipv4_advertisement_has_12_octets_and_no_authentication() {
    let advert = first_advert(config(Version::V3));
    assert_eq!(advert.payload.len(), 12);
    assert_eq!(advert.payload[0], 0x31);
    assert_eq!(advert.payload[4..6], [0x00, 0x64]);
}

#[test]
fn v3_ipv6_advertisement_has_the_link_local_address_first() {
    let advert = first_advert(config_v6());
    assert_eq!(advert.payload.len(), 40);
    assert_eq!(advert.payload[8..24], address_octets(ip("fe80::1")));
    assert_eq!((advert.source, advert.destination), (ip("fe80::11"), ip("ff02::12")));
    let frame = advert.ethernet_frame(config_v6().mac(), None, 0);
    assert_eq!(frame[..14], hex("33330000001200005e00023386dd"));
    assert_eq!((frame[20], frame[21]), (112, 255));
    let global_first = RouterConfig { addresses: vec![ip("2001:db8::1"), ip("fe80::1")], ..config_v6() };
    assert_eq!(global_first.check(), Err(ConfigError::FirstAddressNotLinkLocal));
}

#[test]
fn v3_interval_of_4095_centiseconds_fills_twelve_bits() {
    let longest = Interval::from_centiseconds(4095).unwrap();
    let advert = first_advert(RouterConfig { advert_interval: longest, ..config(Version::V3) });
    assert_eq!(advert.payload[4..6], [0x0f, 0xff]);
    let longer = Interval::from_centiseconds(4096).unwrap();
    let longer = RouterConfig { advert_interval: longer, ..config(Version::V3) };
    assert!(matches!(longer.check(), Err(ConfigError::Interval { .. })));
}

#[test]
fn v2_checksum_covers_the_authentication_data() {
    let authentication = Authentication::Simple(Secret::copy_from(b"secret12"));
    let config = RouterConfig { authentication, ..config(Version::V2) };
    let mut payload = first_advert(config.clone()).payload;
    payload[2] = 150;
    let mut dut = Dut::up(config);
    payload[6..8].fill(0);
    let sum = internet_checksum(&payload);
    payload[6..8].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(dut.hear_raw(&Packet::v2(0), &payload), Ok(()));
    payload[15] ^= 1;
    assert_eq!(dut.hear_raw(&Packet::v2(0), &payload), Err(vrrp_proto::Rejection::Checksum));
}

#[test]
fn v3_ipv4_checksum_is_without_pseudo_header_by_default() {
    let config = RouterConfig {
        vrid: vrrp_proto::Vrid::new(65).unwrap(),
        priority: crate::bench::priority(150),
        addresses: vec![ip("192.0.2.65")],
        ..config(Version::V3)
    };
    assert_eq!(first_advert(config.clone()).payload, hex("3141960100647617c0000241"));
    let strict = RouterConfig { checksum: ChecksumMode::Rfc9568, ..config };
    assert_eq!(first_advert(strict).payload, hex("3141960100647617c0000241"));
}

#[test]
fn v3_ipv4_checksum_in_pseudo_mode_is_keepalived_s() {
    let config = RouterConfig {
        vrid: vrrp_proto::Vrid::new(65).unwrap(),
        priority: crate::bench::priority(150),
        addresses: vec![ip("192.0.2.65")],
        checksum: ChecksumMode::Pseudo,
        ..config(Version::V3)
    };
    assert_eq!(first_advert(config).payload, hex("314196010064d37cc0000241"));
}

#[test]
fn v3_ipv6_checksum_covers_the_pseudo_header() {
    let advert = first_advert(config_v6());
    let mut summed = advert.payload;
    summed.extend(address_octets(ip("fe80::11")));
    summed.extend(address_octets(ip("ff02::12")));
    summed.extend([0, 0, 0, 40, 0, 0, 0, 112]);
    assert_eq!(internet_checksum(&summed), 0);
    let mut dut = Dut::up(config_v6());
    let without = Packet { pseudo_header: false, ..Packet::v6(150) };
    assert_eq!(dut.ignores(&without), vrrp_proto::Rejection::Checksum);
}

#[test]
fn v2_advertisement_of_two_addresses_has_24_octets() {
    let two = RouterConfig { addresses: vec![ip("192.0.2.1"), ip("192.0.2.2")], ..config(Version::V2) };
    let advert = first_advert(two);
    assert_eq!((advert.payload[3], advert.payload.len()), (2, 24));
    assert_eq!(advert.ip_packet(0)[2..4], [0, 44]);
}

#[test]
fn simple_password_is_padded_or_cut_to_eight_octets() {
    let of = |password: &[u8]| {
        let authentication = Authentication::Simple(Secret::copy_from(password));
        first_advert(RouterConfig { authentication, ..config(Version::V2) }).payload[12..].to_vec()
    };
    assert_eq!(of(b"abc"), hex("6162630000000000"));
    assert_eq!(of(b"abcdefghijkl"), b"abcdefgh");
}

#[test]
fn p0_and_p1_reproduce_the_recorded_vectors() {
    let of = |vrid: u8, address: &str, authentication: Authentication| {
        let config = RouterConfig {
            vrid: vrrp_proto::Vrid::new(vrid).unwrap(),
            addresses: vec![ip(address)],
            priority: crate::bench::priority(254),
            authentication,
            ..config(Version::V2)
        };
        first_advert(config).payload
    };
    let p0 = of(0x36, "192.0.2.54", Authentication::P0(Secret::copy_from(b"P0-shared-secret")));
    assert_eq!(p0[12..], hex("c7ea66481e4e4650"));
    let p1 = of(0x37, "192.0.2.55", Authentication::P1(Secret::copy_from(b"P1-shared-secret")));
    assert_eq!(p1[12..], hex("ff39f12353020d40"));
    let in_v3 =
        RouterConfig { authentication: Authentication::P0(Secret::copy_from(b"s")), ..config(Version::V3) };
    let refused = VirtualRouter::new(in_v3, &crypto(), Dut::down(config(Version::V3)).now).map(|_| ());
    assert_eq!(refused, Err(ConfigError::NoAuthenticationInVersion3));
}

#[test]
fn addresses_are_announced_after_the_first_advertisement() {
    let mut dut = Dut::up(config(Version::V2));
    dut.advance(Duration::from_millis(3_700));
    let kinds: Vec<&str> = dut
        .log
        .iter()
        .skip(1)
        .map(|(_, output)| match output {
            Output::SendAdvert(_) => "advert",
            Output::AddAddresses(_) => "add",
            Output::Announce { .. } => "announce",
            Output::Transition(_) => "transition",
            _ => "other",
        })
        .collect();
    assert_eq!(kinds, ["advert", "add", "announce", "transition"]);
    let arp = gratuitous_arp(config(Version::V2).mac(), "192.0.2.1".parse().unwrap());
    assert_eq!(
        arp,
        hex("ffffffffffff00005e0001330806000108000604000100005e000133c0000201ffffffffffffc0000201")
    );
}

#[test]
fn neighbour_advertisement_has_router_and_override_set_and_the_virtual_mac() {
    let mac = config_v6().vrid.mac(Family::Ipv6);
    let frame = neighbour_advertisement(mac, "2001:db8::1".parse().unwrap(), Forwarding::Router);
    assert_eq!(frame[22..38], address_octets(ip("2001:db8::1")));
    assert_eq!(frame[54], 136);
    assert_eq!(frame[58], 0xa0);
    assert_eq!(frame[78..], [2, 1, 0, 0, 0x5e, 0, 2, 0x33]);
    assert_eq!(frame[21], 255);
}

fn has_pseudo_header(advert: &Advert) -> bool {
    let mut summed = advert.payload.clone();
    summed.extend(address_octets(advert.source));
    summed.extend(address_octets(advert.destination));
    summed.extend([0, 112, 0, 12]);
    internet_checksum(&summed) == 0
}

fn sent(dut: &Dut) -> Vec<bool> {
    let adverts = dut.log.iter().filter_map(|(_, output)| match output {
        Output::SendAdvert(advert) => Some(has_pseudo_header(advert)),
        _ => None,
    });
    adverts.collect()
}

/// Its first advertisement is answered before it can send a second, though ours had been sent just before.
#[test]
fn rival_that_takes_our_checksums_for_wrong_is_answered_at_once_in_its_form() {
    let mut dut = Dut::active(config(Version::V3));
    dut.advance(Duration::from_secs(1));
    dut.log.clear();
    dut.advance(Duration::from_millis(1));
    assert_eq!(dut.hear(&Packet { pseudo_header: true, ..Packet::v3(50) }), Ok(()));
    assert_eq!(sent(&dut), [true]);
    dut.advance(Duration::from_secs(1));
    assert_eq!(sent(&dut), [true, true]);
}

#[test]
fn routers_of_both_kinds_on_a_link_are_both_sent_to() {
    let mut dut = Dut::active(config(Version::V3));
    assert_eq!(dut.hear(&Packet { pseudo_header: true, ..Packet::v3(50).from("192.0.2.20") }), Ok(()));
    assert_eq!(dut.hear(&Packet::v3(60).from("192.0.2.21")), Ok(()));
    dut.advance(Duration::from_millis(100));
    dut.log.clear();
    dut.advance(Duration::from_secs(2));
    assert_eq!(sent(&dut), [false, true, false, true]);
}

#[test]
fn checksum_of_a_rival_is_learnt_so_that_it_can_yield() {
    let mut dut = Dut::active(config(Version::V3));
    let rival = Packet { pseudo_header: true, ..Packet::v3(50) };
    dut.advance(Duration::from_secs(1));
    dut.log.clear();
    assert_eq!(dut.hear(&rival), Ok(()));
    dut.advance(Duration::from_secs(1));
    let sent = dut.log.iter().rev().find_map(|(_, output)| match output {
        Output::SendAdvert(advert) => Some(advert.payload.clone()),
        _ => None,
    });
    let mut summed = sent.expect("an Active router advertises");
    summed.extend(address_octets(ip("192.0.2.11")));
    summed.extend(address_octets(ip("224.0.0.18")));
    summed.extend([0, 112, 0, 12]);
    assert_eq!(internet_checksum(&summed), 0);
}

#[test]
fn a_frame_that_is_sent_again_differs_in_its_identification_only() {
    let config = config(Version::V3);
    let mac = config.mac();
    let advert = first_advert(config);
    let mut frame = advert.ethernet_frame(mac, None, 7);
    for id in [8, 0, u16::MAX] {
        vrrp_proto::frame::renumber(&mut frame, id);
        assert_eq!(frame, advert.ethernet_frame(mac, None, id));
    }
    let advert = first_advert(config_v6());
    let mut frame = advert.ethernet_frame(config_v6().mac(), None, 7);
    vrrp_proto::frame::renumber(&mut frame, 8);
    assert_eq!(frame, advert.ethernet_frame(config_v6().mac(), None, 8));
    vrrp_proto::frame::renumber(&mut [0; 20], 8);
}

#[test]
fn an_advertisement_is_made_anew_when_its_content_changes_only() {
    let mut dut = Dut::active(config(Version::V3));
    let sent = |dut: &mut Dut| {
        dut.log.clear();
        dut.advance(Duration::from_secs(1));
        dut.log.iter().find_map(|(_, output)| match output {
            Output::SendAdvert(advert) => Some(Arc::clone(advert)),
            _ => None,
        })
    };
    let first = sent(&mut dut).unwrap();
    assert!(Arc::ptr_eq(&first, &sent(&mut dut).unwrap()));
    let more = vec![ip("192.0.2.1"), ip("192.0.2.2")];
    let changed = RouterConfig { addresses: more, ..config(Version::V3) };
    dut.router.reconfigure(changed, &crypto(), dut.now).unwrap();
    let second = sent(&mut dut).unwrap();
    assert_eq!((first.payload[3], second.payload[3]), (1, 2));
}
