use std::time::Duration;

use charon_types::connection::Toggle;
use charon_types::vrouter::{Tracked, VrouterAuth, VrrpVersion};
use vici::Message;

use super::*;

fn minimal() -> Message {
    Message::new().with("interface", "eth0").with("vrid", "51").with_list("addresses", ["192.0.2.1/24"])
}

fn parsed(message: &Message) -> Result<Vrouter, String> {
    parse("gw", message.root()).map_err(|refusal| refusal.to_string())
}

#[test]
fn what_is_not_said_has_the_defaults() {
    let router = parsed(&minimal()).unwrap();
    assert_eq!((router.vrid.get(), router.priority, router.version), (51, 100, VrrpVersion::V3));
    assert_eq!(router.advert_interval, Duration::from_secs(1));
    assert_eq!(
        (router.preempt, router.accept, router.vmac),
        (Toggle::Enabled, Toggle::Enabled, Toggle::Enabled)
    );
}

#[test]
fn every_refusal_names_the_key() {
    for (key, value, said) in [
        ("vrid", "0", "invalid value for: vrid, must be 1 to 255, config discarded"),
        ("version", "4", "invalid value for: version, must be 2 or 3, config discarded"),
        ("priority", "256", "invalid value for: priority, must be 1 to 255, config discarded"),
        ("priority", "0", "invalid value for: priority, must be 1 to 255, config discarded"),
        (
            "advert_interval",
            "5ms",
            "invalid value for: advert_interval, version 3 has steps of 10ms, config discarded",
        ),
        ("preempt", "maybe", "invalid value for: preempt, must be yes or no, config discarded"),
        ("auth", "ah", "invalid value for: auth, must be none, simple, p0, p1 or hmac, config discarded"),
        ("auth", "hmac", "invalid value for: secret, hmac needs 32 to 64 octets, config discarded"),
        ("colour", "red", "unknown option: colour, config discarded"),
        ("addresses", "192.0.2.1", "missing value for: addresses, config discarded"),
    ] {
        let mut message = Message::new();
        for (known, default) in [("interface", "eth0"), ("vrid", "51")] {
            if known != key {
                message.push(known, default);
            }
        }
        if key != "addresses" {
            message.push_list("addresses", ["192.0.2.1"]);
        }
        message.push(key, value);
        assert_eq!(parsed(&message).unwrap_err(), said, "{key} = {value}");
    }
    let no_interface = Message::new().with("vrid", "51").with_list("addresses", ["192.0.2.1"]);
    assert_eq!(parsed(&no_interface).unwrap_err(), "missing value for: interface, config discarded");
    assert_eq!(
        parsed(&minimal().with_section("tracks", &Message::new())).unwrap_err(),
        "invalid section: tracks"
    );
}

#[test]
fn what_is_tracked_is_one_thing_with_its_own_settings() {
    let script = Message::new()
        .with("script", "/bin/true")
        .with("interval", "500ms")
        .with("fall", "3")
        .with("weight", "-20");
    let message = minimal().with_section("track", &Message::new().with_section("check", &script));
    let track = parsed(&message).unwrap().track;
    assert_eq!((track[0].name.as_str(), track[0].weight), ("check", -20));
    assert_eq!(
        track[0].what,
        Tracked::Script {
            command: "/bin/true".into(),
            interval: Duration::from_millis(500),
            timeout: Duration::from_millis(500),
            rise: 1,
            fall: 3,
        }
    );
    let two = Message::new().with("file", "/x").with("process", "y");
    let message = minimal().with_section("track", &Message::new().with_section("both", &two));
    assert_eq!(
        parsed(&message).unwrap_err(),
        "invalid value for: track.both.process, only one thing can be tracked in a section, config discarded"
    );
}

#[test]
fn routes_and_rules_are_read() {
    let route = Message::new().with("to", "default").with("via", "192.0.2.254").with("metric", "5");
    let rule = Message::new().with("from", "10.0.0.0/8").with("table", "100");
    let message = minimal()
        .with_section("routes", &Message::new().with_section("r", &route))
        .with_section("rules", &Message::new().with_section("r", &rule));
    let router = parsed(&message).unwrap();
    assert_eq!(
        (router.routes[0].destination.prefix, router.routes[0].metric, router.routes[0].table),
        (0, 5, 254)
    );
    assert_eq!(router.rules[0].table, 100);
    let crossed = Message::new().with("to", "10.0.0.0/8").with("via", "fe80::1");
    let message = minimal().with_section("routes", &Message::new().with_section("r", &crossed));
    assert_eq!(
        parsed(&message).unwrap_err(),
        "invalid value for: routes.r.via, must be of the family of the destination, config discarded"
    );
}

#[test]
fn secrets_are_any_octets() {
    let message = minimal().with("version", "2").with("auth", "simple").with("secret", [0xff, 0x00]);
    let router = parsed(&message).unwrap();
    assert_eq!(router.auth, VrouterAuth::Simple);
    assert_eq!(router.secret.unwrap().expose(), [0xff, 0x00]);
}
