//! Packets of other programs, recorded on a wire (`tests/golden/*.json` say how): what we send for the same input is the
//! same, and what they sent is accepted.

use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use charon_types::Secret;
use serde_json::Value;
use vrrp_proto::config::{
    AntiReplay, Authentication, ChecksumMode, Compatibility, HmacConfig, HmacKey, HmacMode, OnLowerPriority,
    Peer, Transport,
};
use vrrp_proto::neighbour::{Forwarding, announcement};
use vrrp_proto::{
    Advert, InterfaceState, Interval, Now, Output, Received, Rejection, RouterConfig, State, Version,
    VirtualRouter, Vrid,
};

use crate::bench::{Dut, config, crypto, hex, ip, priority};

fn recorded(file: &str) -> Vec<(String, Vec<u8>, Value)> {
    let entries: Vec<Value> = serde_json::from_str(file).unwrap();
    let entry = |entry: Value| {
        let packet = hex(entry["packet_hex"].as_str().unwrap());
        (entry["description"].as_str().unwrap().to_owned(), packet, entry["config"].clone())
    };
    entries.into_iter().map(entry).collect()
}

fn adverts(outputs: impl IntoIterator<Item = Output>) -> Vec<Advert> {
    let advert = |output| match output {
        Output::SendAdvert(advert) => Some(Arc::unwrap_or_clone(advert)),
        _ => None,
    };
    outputs.into_iter().filter_map(advert).collect()
}

/// What a router sends when it becomes Active and when it leaves.
fn sent(config: RouterConfig, primary: &str) -> (Advert, Advert) {
    let mut dut = Dut::down(config);
    dut.interface(InterfaceState::Up { primary: Some(ip(primary)) });
    dut.advance(Duration::from_secs(400));
    dut.router.stop(dut.now);
    dut.drain();
    let mut sent = adverts(dut.log.into_iter().map(|(_, output)| output));
    (sent.remove(0), sent.pop().unwrap())
}

/// Whether a router with that definition, but another address, takes the frame as that of the Active router.
fn accepted(config: RouterConfig, frame: &[u8]) -> Result<(), Rejection> {
    let received = Received::from_ethernet(frame).unwrap();
    let mut dut = Dut::down(RouterConfig { priority: priority(100), ..config });
    let own = match (received.source, received.destination) {
        (_, destination) if !destination.is_multicast() => destination,
        (std::net::IpAddr::V4(_), _) => ip("192.0.2.14"),
        (std::net::IpAddr::V6(_), _) => ip("fe80::14"),
    };
    dut.interface(InterfaceState::Up { primary: Some(own) });
    dut.router.handle_advert(&received, dut.now)?;
    assert_eq!(dut.router.state(), State::Backup);
    let left = received.payload[2] == 0;
    let active = dut.router.snapshot().active.map(|active| active.address);
    assert_eq!(active, (!left).then_some(received.source));
    Ok(())
}

/// Definition of the instance with that number in the recorded keepalived.
fn keepalived(vrid: u8) -> RouterConfig {
    let base = RouterConfig {
        vrid: Vrid::new(vrid).unwrap(),
        priority: priority(if vrid == 68 { 100 } else { 150 }),
        checksum: ChecksumMode::Pseudo,
        addresses: vec![ip(&format!("192.0.2.{vrid}"))],
        ..config(Version::V3)
    };
    let v6 = |last: &str| vec![ip(&format!("fe80::{last}")), ip(&format!("2001:db8::{last}"))];
    match vrid {
        61 => RouterConfig { version: Version::V2, ..base },
        62 => RouterConfig {
            version: Version::V2,
            authentication: Authentication::Simple(Secret::copy_from(b"secret12")),
            addresses: vec![ip("192.0.2.62"), ip("192.0.2.162")],
            ..base
        },
        63 => RouterConfig { advert_interval: Interval::from_centiseconds(50).unwrap(), ..base },
        64 => RouterConfig { addresses: v6("64"), ..base },
        67 => RouterConfig { addresses: v6("67"), ..base },
        68 => {
            let peers = vec![Peer { address: ip("192.0.2.12"), ttl: 0..=255 }];
            RouterConfig { transport: Transport::Unicast { peers }, ..base }
        }
        _ => base,
    }
}

#[test]
fn every_advertisement_of_keepalived_is_what_we_send_and_is_accepted() {
    let mut compared = 0;
    for (description, frame, _) in recorded(include_str!("../golden/keepalived-adverts.json")) {
        if description.contains("IPsec AH") {
            assert!(Received::from_ethernet(&frame).is_err(), "protocol 51 is not ours");
            continue;
        }
        let received = Received::from_ethernet(&frame).unwrap();
        let config = keepalived(received.payload[1]);
        let (active, left) = sent(config.clone(), &received.source.to_string());
        let ours = if received.payload[2] == 0 { left } else { active };
        assert_eq!(ours.payload, received.payload, "{description}");
        assert_eq!((ours.source, ours.destination), (received.source, received.destination));
        let mac = |octets: &[u8]| <[u8; 6]>::try_from(octets).unwrap();
        let id = u16::from_be_bytes([frame[18], frame[19]]);
        let next_hop = (!ours.destination.is_multicast()).then(|| mac(&frame[..6]));
        let mut our_frame = ours.ethernet_frame(mac(&frame[6..12]), next_hop, id);
        if received.source.is_ipv6() {
            // A flow label by chance.
            our_frame[14..18].copy_from_slice(&frame[14..18]);
        }
        assert_eq!(our_frame[..frame.len()], frame, "{description}");
        let theirs = match config.transport {
            Transport::Multicast => config,
            Transport::Unicast { .. } => {
                let peers = vec![Peer { address: received.source, ttl: 255..=255 }];
                RouterConfig { transport: Transport::Unicast { peers }, ..config }
            }
        };
        for checksum in [ChecksumMode::Auto, ChecksumMode::Pseudo] {
            let theirs = RouterConfig { checksum, ..theirs.clone() };
            assert_eq!(accepted(theirs, &frame), Ok(()), "{description}");
        }
        compared += 1;
    }
    assert_eq!(compared, 16);
}

fn rvrrpd(entry: &Value) -> RouterConfig {
    let text = |key: &str| entry[key].as_str();
    let number = |value: &Value| u8::try_from(value.as_u64().unwrap()).unwrap();
    let vrid = number(&entry["group"]);
    let vip = text("vip").map_or_else(|| format!("192.0.2.{vrid}"), str::to_owned);
    let secret = Secret::copy_from(text("auth_secret").unwrap_or("").as_bytes());
    let mut addresses = vec![ip(&vip)];
    if entry["rfc3768"] == Value::Bool(false) {
        addresses.push(ip("192.0.2.11"));
    }
    let interval = entry["timers"]["advert"].as_u64().unwrap_or(1);
    RouterConfig {
        vrid: Vrid::new(vrid).unwrap(),
        priority: priority(if vip == "192.0.2.11" { 255 } else { entry.get("priority").map_or(100, number) }),
        advert_interval: Interval::from_seconds(u8::try_from(interval).unwrap()).unwrap(),
        authentication: match text("auth_type") {
            Some("rfc2338-simple") => Authentication::Simple(secret),
            Some("p0-t8-sha256") => Authentication::P0(secret),
            Some("p1-b8-shake256") => Authentication::P1(secret),
            other => other.map_or(Authentication::None, |other| panic!("{other}")),
        },
        addresses,
        ..config(Version::V2)
    }
}

#[test]
fn every_advertisement_of_rvrrpd_is_what_we_send_and_is_accepted() {
    let mut compared = 0;
    for (description, frame, entry) in recorded(include_str!("../golden/rvrrpd-adverts.json")) {
        let config = rvrrpd(&entry);
        if description.contains("header checksum") {
            // Their kernel's peers drop it before VRRP sees it; the message in it is still ours.
            assert!(Received::from_ethernet(&frame).is_err());
            let (active, left) = sent(config, "192.0.2.11");
            assert!([active.payload, left.payload].iter().any(|ours| *ours == frame[34..]), "{description}");
            continue;
        }
        if Received::from_ethernet(&frame).unwrap().payload.len() == 20 && frame[37] == 2 {
            // It counts the addresses of its interface and sends one.
            assert!(matches!(accepted(config.clone(), &frame), Err(Rejection::Length { .. })));
            let compatible = RouterConfig { compatibility: Compatibility::Rvrrpd, ..config };
            assert_eq!(accepted(compatible, &frame), Ok(()));
            continue;
        }
        let received = Received::from_ethernet(&frame).unwrap();
        let (active, left) = sent(config.clone(), "192.0.2.11");
        let ours = if received.payload[2] == 0 { left } else { active };
        assert_eq!(ours.payload, received.payload, "{description}");
        // Theirs is cut off on virtual links, and then they do not take it from each other; ours is padded.
        let our_frame = ours.ethernet_frame(config.mac(), None, 0);
        assert_eq!(our_frame[..frame.len()], frame, "{description}");
        assert_eq!(our_frame.len(), 60);
        assert_eq!(accepted(config, &frame), Ok(()), "{description}");
        compared += 1;
    }
    assert_eq!(compared, 14);
}

#[test]
fn frames_that_rvrrpd_was_seen_to_accept_are_those_that_we_send() {
    let secrets = [
        (52, "rfc2338-simple", "thissecretisnolongeris"),
        (54, "p0-t8-sha256", "P0-shared-secret"),
        (55, "p1-b8-shake256", "P1-shared-secret"),
    ];
    let mut compared = 0;
    let file: Vec<Value> =
        serde_json::from_str(include_str!("../golden/rvrrpd-receive-behaviour.json")).unwrap();
    for entry in file {
        let frame = hex(entry["packet_hex"].as_str().unwrap());
        let group = entry["config"]["group"].as_u64().unwrap();
        let mut definition = entry["config"].clone();
        if let Some((_, auth_type, secret)) = secrets.iter().find(|(vrid, ..)| *vrid == group) {
            definition["auth_type"] = (*auth_type).into();
            definition["auth_secret"] = (*secret).into();
        }
        let received = Received::from_ethernet(&frame).unwrap();
        let mut config = RouterConfig { priority: priority(received.payload[2]), ..rvrrpd(&definition) };
        if group == 62 {
            config.addresses = vec![ip("192.0.2.62"), ip("192.0.2.162")];
        }
        let ours = sent(config.clone(), "192.0.2.11").0.ethernet_frame(config.mac(), None, 0);
        assert_eq!(ours[..frame.len()], frame);
        let seen = entry["observed"].as_str().unwrap();
        assert_eq!(
            seen.starts_with("accepted"),
            frame.len() == ours.len() || group == 51 || group == 62,
            "{seen}"
        );
        compared += 1;
    }
    assert_eq!(compared, 10);
}

#[test]
fn announcements_are_keepalived_s() {
    for (description, frame, _) in recorded(include_str!("../golden/keepalived-garp-na.json")) {
        let mac = <[u8; 6]>::try_from(&frame[6..12]).unwrap();
        let address = match frame[12..14] {
            [0x08, 0x06] => std::net::Ipv4Addr::from(<[u8; 4]>::try_from(&frame[28..32]).unwrap()).into(),
            _ => std::net::Ipv6Addr::from(<[u8; 16]>::try_from(&frame[22..38]).unwrap()).into(),
        };
        assert_eq!(announcement(mac, address, Forwarding::Host), frame, "{description}");
    }
}

fn computed() -> Value {
    let vectors: Vec<Value> = serde_json::from_str(include_str!("../golden/computed-vectors.json")).unwrap();
    vectors.into_iter().nth(2).unwrap()
}

/// keepalived's development line: its vector is at half a second after `sec`.
fn signed() -> (RouterConfig, SystemTime) {
    let config = &computed()["config"];
    let hmac = HmacConfig {
        keys: vec![HmacKey {
            id: NonZeroU8::MIN,
            key: Secret::from(hex(config["key_hex"].as_str().unwrap())),
        }],
        active_key: NonZeroU8::MIN,
        anti_replay: AntiReplay::Time { window: Duration::from_secs(5) },
        mode: HmacMode::Enforce,
    };
    let wall = SystemTime::UNIX_EPOCH + Duration::from_millis(config["sec"].as_u64().unwrap() * 1000 + 500);
    let config = RouterConfig { authentication: Authentication::Hmac(hmac), ..keepalived(65) };
    (config, wall)
}

#[test]
fn hmac_trailer_is_the_computed_one() {
    let (config, wall) = signed();
    let now = Now { wall, ..Dut::down(config.clone()).now };
    let owner = RouterConfig { on_lower_priority: OnLowerPriority::Ignore, ..config };
    let mut router = VirtualRouter::new(owner, &crypto(), now).unwrap();
    router.handle_interface(InterfaceState::Up { primary: Some(ip("192.0.2.11")) }, now);
    // Time stands still on the wall, so that the trailer's is that of the vector.
    let later = Now { mono: now.mono + Duration::from_secs(400), wall };
    router.handle_timeout(later);
    let sent = adverts(std::iter::from_fn(|| router.poll_output()));
    assert_eq!(sent[0].payload, hex(computed()["vrrp_message_plus_trailer_hex"].as_str().unwrap()));
}

#[test]
fn hmac_trailer_is_taken_once_by_whoever_has_the_key() {
    let (config, wall) = signed();
    let payload = hex(computed()["vrrp_message_plus_trailer_hex"].as_str().unwrap());
    let received =
        Received { source: ip("192.0.2.11"), destination: ip("224.0.0.18"), ttl: 255, payload: &payload };
    let now = Now { wall, ..Dut::down(config.clone()).now };
    let start = |config: &RouterConfig| {
        let config = RouterConfig { priority: priority(100), ..config.clone() };
        let mut router = VirtualRouter::new(config, &crypto(), now).unwrap();
        router.handle_interface(InterfaceState::Up { primary: Some(ip("192.0.2.14")) }, now);
        router
    };
    let mut router = start(&config);
    assert_eq!(router.handle_advert(&received, now), Ok(()));
    assert_eq!(router.handle_advert(&received, now), Err(Rejection::Replay));
    assert_eq!(
        start(&config).handle_advert(&received, now.advance(Duration::from_secs(60))),
        Err(Rejection::Stale)
    );
    let from_another = Received { source: ip("192.0.2.13"), ..received };
    let unsigned = RouterConfig { checksum: ChecksumMode::Auto, ..config.clone() };
    assert!(start(&unsigned).handle_advert(&from_another, now).is_err());
    for at in 12..payload.len() {
        let mut forged = payload.clone();
        forged[at] ^= 1;
        let forged = Received { payload: &forged, ..received };
        assert!(start(&config).handle_advert(&forged, now).is_err(), "{at}");
    }
    let bare = Received { payload: &payload[..12], ..received };
    assert_eq!(start(&config).handle_advert(&bare, now), Err(Rejection::Unsigned));
    let Authentication::Hmac(hmac) = config.authentication.clone() else { unreachable!() };
    let permissive = Authentication::Hmac(HmacConfig { mode: HmacMode::Permissive, ..hmac });
    let permissive = RouterConfig { authentication: permissive, ..config };
    assert_eq!(start(&permissive).handle_advert(&bare, now), Ok(()));
}
