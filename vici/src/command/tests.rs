use super::*;
use std::time::Duration;

fn recorded(name: &str, kind: u8) -> Vec<Message> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let text = std::fs::read(path.with_extension("json")).unwrap();
    let recording: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let frames = recording["frames"].as_array().unwrap().iter();
    let unhex = |hex: &str| -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    };
    frames
        .filter_map(|frame| {
            let frame = unhex(frame["hex"].as_str()?);
            match crate::Packet::parse(&frame[4..]).ok()? {
                packet if packet.kind() != kind => None,
                crate::Packet::Response { message } | crate::Packet::Event { message, .. } => {
                    Message::decode(message).ok()
                }
                _ => None,
            }
        })
        .collect()
}

#[test]
fn sas_are_read_as_recorded() {
    let mut sas = Vec::new();
    for event in recorded("list-sas", 7) {
        ListSas::items(&event, &mut sas).unwrap();
    }
    let sa = &sas[0];
    assert_eq!((sa.name.as_str(), sa.version, sa.state.as_str()), ("gw-gw", 2, "ESTABLISHED"));
    assert!(sa.established.is_some_and(|age| age < Duration::from_secs(3600)));
    let child = &sa.children[0];
    assert_eq!((child.name.as_str(), child.mode.as_str()), ("net-net", "TUNNEL"));
    assert!(child.inbound.is_some_and(|traffic| traffic.spi != 0));
    assert_eq!(child.local_ts, ["10.1.0.0/16"]);
}

#[test]
fn figures_and_versions_are_read_as_recorded() {
    let stats = Stats::reply(recorded("stats", 1).last().unwrap()).unwrap();
    assert_eq!(stats.plugins[0], "charon");
    let version = Version::reply(recorded("version", 1).last().unwrap()).unwrap();
    assert_eq!((version.daemon.as_str(), version.version.as_str()), ("charon", "5.9.8"));
}

#[test]
fn requests_say_only_what_was_asked() {
    assert!(Initiate::default().message().is_empty());
    let wait = |wait| Initiate { wait, ..Initiate::default() }.message().text("timeout").map(str::to_owned);
    assert_eq!(wait(Wait::No).as_deref(), Some("-1"));
    assert_eq!(wait(Wait::AtMost(Duration::from_secs(2))).as_deref(), Some("2000"));
    assert_eq!(wait(Wait::AtMost(Duration::ZERO)).as_deref(), Some("1"));
    let terminate = Terminate { ike: Some("gw".into()), child_id: Some(7), ..Terminate::default() }.message();
    assert_eq!(terminate, Message::new().with("ike", "gw").with("child-id", "7"));
    let secret = LoadShared {
        id: None,
        kind: SharedKind::Ike,
        secret: b"swordfish".to_vec(),
        owners: vec!["moon".into()],
    };
    let expected = Message::new().with("type", "ike").with("data", "swordfish").with_list("owners", ["moon"]);
    assert_eq!(secret.message(), expected);
    assert!(!format!("{secret:?}").contains("swordfish"));
}

#[test]
fn an_answer_without_what_it_must_have_makes_no_sense() {
    assert_eq!(Terminate::reply(&Message::new().with("success", "yes")), None);
    assert_eq!(ListSas::items(&Message::new().with_section("gw", &Message::new()), &mut Vec::new()), None);
    assert_eq!(
        GetConns::reply(&Message::new().with_list("conns", ["a", "b"])),
        Some(vec!["a".into(), "b".into()])
    );
}
