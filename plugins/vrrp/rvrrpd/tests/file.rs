//! rVRRPd's files: what is read, what is refused and where.
#![expect(clippy::unwrap_used, reason = "a test that fails should")]

use std::time::Duration;

use charon_types::connection::Toggle;
use charon_types::vrouter::{VrouterAuth, VrrpVersion};
use rvrrpd_conf::{Document, Format};

const FULL: &str = include_str!("full.toml");

fn with(directive: &str, value: &str) -> String {
    let changed: Vec<String> = FULL
        .lines()
        .map(|line| {
            let key = line.split('=').next().unwrap_or_default().trim();
            if key == directive { format!("{directive} = {value}") } else { line.to_owned() }
        })
        .collect();
    changed.join("\n")
}

fn line_of(directive: &str) -> usize {
    FULL.lines().position(|line| line.split('=').next().unwrap_or_default().trim() == directive).unwrap() + 1
}

#[test]
fn every_directive_is_read() {
    let document = Document::parse(FULL, Format::Toml).unwrap();
    assert_eq!(Document::unknown_directives(FULL, Format::Toml), Vec::<String>::new());
    let shown = serde_json::to_value(&document).unwrap();
    let tables = [
        &shown,
        &shown["vrouter"][0],
        &shown["vrouter"][0]["timers"],
        &shown["api"],
        &shown["protocols"]["static"][0],
    ];
    for table in tables {
        for (key, value) in table.as_object().unwrap() {
            assert!(!value.is_null(), "{key}");
        }
    }
    let vrouters = document.vrouters(|interface| (interface == "eth0").then_some(24));
    let first = &vrouters[0];
    assert_eq!((&*first.name, &*first.interface, first.vrid.get()), ("rvrrpd-eth0-51", "eth0", 51));
    assert_eq!((first.version, first.priority, first.preempt), (VrrpVersion::V2, 254, Toggle::Enabled));
    assert_eq!((first.vmac, first.vmac_name.as_deref()), (Toggle::Enabled, Some("vrrp0")));
    assert_eq!((first.auth, first.advert_interval), (VrouterAuth::P1, Duration::from_secs(2)));
    assert_eq!(
        (first.addresses[0].address.to_string(), first.addresses[0].prefix),
        ("192.0.2.1".to_owned(), 24)
    );
    let route = &first.routes[0];
    assert_eq!(
        (route.destination.address.to_string(), route.destination.prefix),
        ("198.51.100.0".to_owned(), 24)
    );
    assert_eq!(
        (route.gateway.unwrap().to_string(), route.metric, route.mtu),
        ("192.0.2.254".to_owned(), 100, 1400)
    );
    // What the second leaves out.
    let second = &vrouters[1];
    assert_eq!((second.priority, second.preempt, second.auth), (100, Toggle::Disabled, VrouterAuth::None));
    assert_eq!((second.vmac, second.advert_interval), (Toggle::Disabled, Duration::from_secs(1)));
    assert!(vrouters.iter().all(|vrouter| vrouter.check().is_ok()));
}

#[test]
fn authentication_without_a_secret_has_an_empty_key() {
    let document = Document::parse(&FULL.replace("auth_secret", "# auth_secret"), Format::Toml).unwrap();
    let first = &document.vrouters(|_| None)[0];
    assert_eq!(first.secret.as_ref().map(charon_types::Secret::len), Some(0));
    assert_eq!((first.check(), first.rvrrpd_compat), (Ok(()), Toggle::Enabled));
}

#[test]
fn both_spellings_of_p1_are_taken() {
    for (name, auth) in [
        ("rfc2338-simple", VrouterAuth::Simple),
        ("p0-t8-sha256", VrouterAuth::P0),
        ("p1-b8-shake256", VrouterAuth::P1),
        ("p1-t8-shake256", VrouterAuth::P1),
    ] {
        let text = with("auth_type", &format!("\"{name}\""));
        assert_eq!(Document::parse(&text, Format::Toml).unwrap().vrouters(|_| None)[0].auth, auth);
    }
}

#[test]
fn interfaces_with_capitals_are_taken() {
    let vrouters = Document::parse(&with("interface", "\"LAN0\""), Format::Toml).unwrap().vrouters(|_| None);
    assert_eq!(vrouters[0].interface, "LAN0");
}

#[test]
fn advert_of_timers_is_the_interval() {
    let vrouters =
        Document::parse(&with("timers", "{ advert = 7 }"), Format::Toml).unwrap().vrouters(|_| None);
    assert_eq!(vrouters[0].advert_interval, Duration::from_secs(7));
}

#[test]
fn routes_are_there_while_active_and_no_longer() {
    // As those of any virtual router, which go with its role.
    let vrouters = Document::parse(FULL, Format::Toml).unwrap().vrouters(|_| None);
    assert!(vrouters.iter().all(|vrouter| !vrouter.routes.is_empty()));
}

#[test]
fn json_has_the_same_keys() {
    let tree: serde_json::Value = toml::from_str(FULL).unwrap();
    let json = serde_json::to_string_pretty(&tree).unwrap();
    assert_eq!(Document::parse(&json, Format::Json), Document::parse(FULL, Format::Toml));
    let with_null = r#"{"debug": null, "vrouter": [{"group": 1, "interface": "eth0", "vip": "192.0.2.1", "priority": null}]}"#;
    assert_eq!(Document::parse(with_null, Format::Json).unwrap().vrouters(|_| None)[0].priority, 100);
}

#[test]
fn wrong_values_name_directive_and_line() {
    for (directive, value) in [
        ("group", "0"),
        ("group", "256"),
        ("group", "\"one\""),
        ("interface", "\"a/b\""),
        ("interface", "\"sixteen-letters-\""),
        ("vip", "\"192.0.2.1/24\""),
        ("vip", "\"2001:db8::1\""),
        ("priority", "0"),
        ("priority", "255"),
        ("preemption", "\"yes\""),
        ("auth_type", "\"md5\""),
        ("auth_secret", "12345"),
        ("rfc3768", "1"),
        ("vifname", "\"\""),
        ("socket_filter", "\"true\""),
        ("mask", "\"255.0.255.0\""),
        ("nh", "\"gateway\""),
        ("metric", "70000"),
        ("mtu", "-1"),
        ("debug", "\"high\""),
        ("debug", "300"),
        ("tls", "\"no\""),
    ] {
        let error = Document::parse(&with(directive, value), Format::Toml).unwrap_err();
        assert_eq!(
            (error.directive.as_deref(), error.line),
            (Some(directive), Some(line_of(directive))),
            "{value}: {error}"
        );
        assert!(!error.to_string().contains("12345"), "{error}");
    }
    let error = Document::parse(&with("timers", "{ advert = 0 }"), Format::Toml).unwrap_err();
    assert_eq!((error.directive.as_deref(), error.line), (Some("advert"), Some(line_of("timers"))));
}

#[test]
fn wrong_values_in_json_name_directive_and_line() {
    let text = "{\n  \"vrouter\": [\n    {\n      \"interface\": \"eth0\",\n      \"vip\": \"192.0.2.1\",\n      \"group\": 0\n    }\n  ]\n}";
    let error = Document::parse(text, Format::Json).unwrap_err();
    assert_eq!((error.directive.as_deref(), error.line), (Some("group"), Some(6)), "{error}");
    // The sample that rVRRPd ships.
    let error = Document::parse("{\n \"debug\": 1,\n}", Format::Json).unwrap_err();
    assert_eq!(error.line, Some(3), "{error}");
}

#[test]
fn what_is_missing_or_there_twice_is_an_error() {
    for (text, says) in [
        ("debug = 1", "vrouter: no virtual router configured"),
        ("[[vrouter]]\ngroup = 1\ninterface = \"eth0\"", "missing field `vip`"),
        (
            "[[vrouter]]\ngroup = 1\ninterface = \"eth0\"\nvip = \"192.0.2.1\"\n[[vrouter]]\ngroup = 1\ninterface = \"eth0\"\nvip = \"192.0.2.2\"",
            "vrouter.group: 1 is on interface eth0 already",
        ),
        ("[[vrouter]\n", "line 1"),
        (
            "[api]\nhost = \"127.0.0.1:7080\"\n[[vrouter]]\ngroup = 1\ninterface = \"eth0\"\nvip = \"192.0.2.1\"",
            "missing field `users`",
        ),
    ] {
        let error = Document::parse(text, Format::Toml).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn unknown_directives_are_named() {
    let text =
        format!("colour = 1\n{}\n[other]\nx = 1\n", FULL.replacen("group = 51", "group = 51\nvips = 1", 1));
    assert!(Document::parse(&text, Format::Toml).is_ok());
    let mut unknown = Document::unknown_directives(&text, Format::Toml);
    unknown.sort();
    assert_eq!(unknown, ["colour", "other", "vrouter.vips"]);
}

#[test]
fn secrets_are_never_shown() {
    let document = Document::parse(FULL, Format::Toml).unwrap();
    let shown = format!("{}{document:?}", serde_json::to_string(&document).unwrap());
    for secret in
        ["P1-shared-secret", "0123456789abcdef", "0c218740083eaf59", "6NJayRgRB1P7yA", "a1ad6d9ac906994c"]
    {
        assert!(!shown.contains(secret), "{secret}");
    }
    assert!(shown.contains("********"));
}

#[test]
fn half_a_definition_is_warned_of() {
    let text = FULL.replace("auth_secret", "# auth_secret").replace("rfc3768 = true", "rfc3768 = false");
    let warnings = Document::parse(&text, Format::Toml).unwrap().warnings();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
}
