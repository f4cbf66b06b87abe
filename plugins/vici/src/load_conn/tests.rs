use std::mem::take;
use std::sync::Arc;
use std::time::Duration;

use charon_conf::options::swanctl_conf;
use charon_types::algorithm::{EncryptionId, IntegrityId, KeMethod, PrfId};
use charon_types::connection::{AuthConfig, AuthMethod, AuthRule, Revocation, Toggle};
use charon_types::endpoint::EndpointPattern;
use charon_types::id::{IfId, Mark};
use charon_types::identity::Identity;
use charon_types::kernel_op::TfcPadding;
use charon_types::lifetime::Limit;
use charon_types::tag::{IfIdRule, MarkRule, SetMark};
use vici::Message;

use super::*;

fn available() -> AvailableAlgorithms {
    AvailableAlgorithms {
        encryption: vec![
            (EncryptionId::AES_CBC, 128),
            (EncryptionId::AES_CBC, 256),
            (EncryptionId::AES_GCM_16, 128),
            (EncryptionId::AES_GCM_16, 256),
        ],
        integrity: vec![IntegrityId::HMAC_SHA2_256_128],
        prf: vec![PrfId::HMAC_SHA2_256],
        ke: vec![KeMethod::CURVE_25519, KeMethod::ECP_256],
    }
}

fn read(message: &Message) -> Result<Parsed, Refusal> {
    let environment = Environment {
        available: &available(),
        names: &ServiceNames::builtin(),
        certificate: &|bytes| bytes.strip_prefix(b"cert:").map(Arc::from),
        file: &|path| (path == Path::new("/etc/gw.pem")).then(|| b"cert:from file".to_vec()),
    };
    parse("gw", message.root(), &environment)
}

fn connection(message: &Message) -> Connection {
    match read(message) {
        Ok(parsed) => parsed.connection,
        Err(refusal) => panic!("{refusal}"),
    }
}

fn errmsg(message: &Message) -> String {
    match read(message) {
        Ok(_) => panic!("accepted"),
        Err(refusal) => refusal.to_string(),
    }
}

fn child(child: &Message) -> Message {
    Message::new().with_section("children", &Message::new().with_section("c", child))
}

#[test]
fn what_is_not_given_is_as_the_option_table_says() {
    let bare = connection(&child(&Message::new()));
    for (section, wrap) in [
        ("connections.<conn>", (|keys| keys) as fn(Message) -> Message),
        ("connections.<conn>.children.<child>", |keys| child(&keys)),
    ] {
        let (_, keys) = swanctl_conf::KEYS.iter().find(|(name, _)| *name == section).unwrap();
        // Those that follow from others have tests of their own.
        for key in keys.iter().filter(|key| !key.default.is_empty() && !FOLLOWING.contains(&key.default)) {
            for name in key.name.split(", ") {
                let given = if key.kind.is_list() {
                    Message::new().with_list(name, [key.default])
                } else {
                    Message::new().with(name, key.default)
                };
                let mut given = connection(&wrap(given));
                if section == "connections.<conn>" {
                    given.children.clone_from(&bare.children);
                }
                match name {
                    "local_addrs" => assert_eq!(take(&mut given.ike.local_addrs), [EndpointPattern::Any]),
                    "remote_addrs" => assert_eq!(take(&mut given.ike.remote_addrs), [EndpointPattern::Any]),
                    "reauth_time" => {
                        assert!(given.ike.lifetime.rekey_time.is_zero(), "given, if only as zero");
                        given.ike.lifetime = bare.ike.lifetime;
                    }
                    "replay_window" => {
                        let child = Arc::make_mut(&mut given.children[0]);
                        assert_eq!(child.replay_window.take(), Some(32), "that of the daemon");
                    }
                    _ => {}
                }
                assert_eq!(given, bare, "{section}.{name} = {}", key.default);
            }
        }
    }
    assert_eq!(
        (&bare.local[..], &bare.remote[..]),
        (&[AuthConfig::default()][..], &[AuthConfig::default()][..])
    );
}

/// Defaults that are no values.
const FOLLOWING: [&str; 8] = [
    "10 %",
    "over_time",
    "rekey_time + 10 %",
    "life_time - rekey_time",
    "rekey_bytes + 10 %",
    "rekey_packets + 10 %",
    "life_bytes - rekey_bytes",
    "life_packets - rekey_packets",
];

#[test]
fn a_tunnel_with_pre_shared_keys_is_read_as_configured() {
    let child = Message::new()
        .with_list("local_ts", ["10.1.0.0/16"])
        .with_list("remote_ts", ["10.2.0.0/16[tcp/ssh]"])
        .with_list("esp_proposals", ["aes256gcm16-x25519", "aes128-sha256"])
        .with("start_action", "start");
    let side = |id| Message::new().with("auth", "psk").with("id", id);
    let connection = connection(
        &Message::new()
            .with("version", "2")
            .with_list("local_addrs", ["192.0.2.1"])
            .with_list("remote_addrs", ["192.0.2.2"])
            .with_list("proposals", ["aes256-sha256-prfsha256-x25519", "aes128gcm16-prfsha256-ecp256"])
            .with("mobike", "FALSE")
            .with("dpd_delay", "30 s")
            .with_section("local", &side("moon.example.org"))
            .with_section("remote", &side("sun.example.org"))
            .with_section("children", &Message::new().with_section("net", &child)),
    );
    assert_eq!(&*connection.name, "gw");
    assert_eq!(connection.ike.proposals.len(), 2);
    assert_eq!(connection.ike.mobike, Toggle::Disabled);
    assert_eq!(connection.ike.dpd_delay, Duration::from_secs(30));
    assert_eq!(connection.local[0].id, Some(Identity::Fqdn("moon.example.org".to_owned())));
    assert_eq!(connection.remote[0].method, AuthMethod::Psk);
    assert!(connection.remote[0].order.rules().eq([AuthRule::Class, AuthRule::Id]));
    let child = connection.child("net").unwrap();
    assert!(child.start_action.start);
    assert_eq!(child.proposals.len(), 2);
    assert_eq!(child.remote_ts[0].display(&ServiceNames::builtin()).to_string(), "10.2.0.0/16[tcp/ssh]");
    assert_eq!(child.lifetime.time, Limit { rekey: 3600, life: 3960, jitter: 360 });
}

#[test]
fn certificates_come_as_blobs_or_from_files() {
    let side = Message::new()
        .with_list("certs", ["cert:blob"])
        .with_section("cert1", &Message::new().with("file", "/etc/gw.pem"))
        .with_section("cacert-x", &Message::new().with("file", "/etc/gw.pem"));
    let auth = connection(&Message::new().with_section("local", &side)).local.remove(0);
    let certificates: Vec<&[u8]> = auth.certs.iter().map(|cert| &**cert).collect();
    assert_eq!(certificates, [b"blob".as_slice(), b"from file"]);
    assert_eq!(auth.cacerts.len(), 1);

    let refused = |side| errmsg(&Message::new().with_section("local", &side));
    let section = |content| Message::new().with_section("cert1", &content);
    assert_eq!(refused(section(Message::new())), "handle or file path missing: cert1");
    let both = Message::new().with("file", "x").with("handle", "y");
    assert_eq!(refused(section(both)), "handle and file path given: cert1");
    assert_eq!(refused(section(Message::new().with("file", "/none"))), "unable to load certificate: cert1");
    let blob = Message::new().with_list("certs", ["none"]);
    assert_eq!(refused(blob), "invalid value for: certs, config discarded");
}

#[test]
fn unknown_and_invalid_keys_are_refused_in_the_known_words() {
    let list = Message::new().with_list("nosuch", ["1"]);
    for unknown in [Message::new().with("nosuch", "1"), list] {
        assert_eq!(errmsg(&unknown), "unknown option: nosuch, config discarded");
        assert_eq!(errmsg(&child(&unknown)), "unknown option: nosuch, config discarded");
        let side = Message::new().with_section("remote-2", &unknown);
        assert_eq!(errmsg(&side), "unknown option: nosuch, config discarded");
    }
    let swapped = Message::new().with_list("version", ["2"]);
    assert_eq!(errmsg(&swapped), "unknown option: version, config discarded");
    let swapped = Message::new().with("proposals", "aes128-sha256-x25519");
    assert_eq!(errmsg(&swapped), "unknown option: proposals, config discarded");
    let section = Message::new().with_section("foo", &Message::new().with("a", "b"));
    assert_eq!(errmsg(&section), "invalid section: foo");
    for (key, value) in [
        ("rekey_time", "abc"),
        ("version", "3"),
        ("mobike", "maybe"),
        ("unique", "x"),
        ("local_port", "65536"),
    ] {
        assert_eq!(
            errmsg(&Message::new().with(key, value)),
            format!("invalid value for: {key}, config discarded")
        );
    }
    let bad = Message::new().with_list("proposals", ["aes99-foo"]);
    assert_eq!(errmsg(&bad), "invalid value for: proposals, config discarded");
    let bad = Message::new().with_section("local", &Message::new().with("id", "möön"));
    assert_eq!(errmsg(&bad), "invalid value for: id, config discarded");
    let bad = Message::new().with_section("local", &Message::new().with("auth", "bogus"));
    assert_eq!(errmsg(&bad), "invalid value for: auth, config discarded");
}

#[test]
fn keys_without_effect_here_are_refused_unless_they_have_their_default() {
    let ike = [
        ("version", "1", "2"),
        ("aggressive", "yes", "no"),
        ("pull", "no", "yes"),
        ("dscp", "101000", "000000"),
        ("ocsp", "both", "reply"),
        ("ppk_id", "x", ""),
        ("ppk_required", "yes", "no"),
        ("local_port", "4600", "500"),
    ];
    for (key, value, default) in ike {
        let refused = errmsg(&Message::new().with(key, value));
        assert!(refused.starts_with(&format!("unsupported value for: {key}, ")), "{refused}");
        assert!(read(&Message::new().with(key, default)).is_ok(), "{key}");
    }
    let in_child = [
        ("mode", "iptfs", "Tunnel"),
        ("ipcomp", "yes", "no"),
        ("label", "x", ""),
        ("label_mode", "selinux", "system"),
        ("per_cpu_sas", "encap", "no"),
        ("icmp", "yes", "no"),
    ];
    for (key, value, default) in in_child {
        let refused = errmsg(&child(&Message::new().with(key, value)));
        assert!(refused.starts_with(&format!("unsupported value for: {key}, ")), "{key}: {refused}");
        let accepted = read(&child(&Message::new().with(key, default)));
        assert!(accepted.is_ok(), "{key} = {default}");
    }
    let unavailable = Message::new().with_list("proposals", ["camellia128-sha256-x25519"]);
    assert!(errmsg(&unavailable).starts_with("unsupported value for: proposals, "));
    let rounds =
        Message::new().with_section("local-1", &Message::new()).with_section("local-2", &Message::new());
    assert!(errmsg(&rounds).starts_with("unsupported value for: local, "));
}

#[test]
fn marks_interface_ids_and_what_the_kernel_does_are_kept() {
    let given = Message::new().with("if_id_in", "%unique-dir").with("if_id_out", "7").with_section(
        "children",
        &Message::new().with_section(
            "c",
            &Message::new()
                .with("mark_in", "%unique")
                .with("mark_out", "0x2a/0xff")
                .with("set_mark_out", "%same/0xf")
                .with("if_id_out", "%unique")
                .with("tfc_padding", "mtu")
                .with("sha256_96", "1")
                .with("policies_fwd_out", "yes")
                .with_list("ah_proposals", ["sha256-x25519", "sha256"]),
        ),
    );
    let Ok(parsed) = read(&given) else { panic!("refused") };
    let ike = &parsed.connection.ike;
    assert_eq!((ike.if_id_in, ike.if_id_out), (IfIdRule::UniqueDir, IfIdRule::Fixed(IfId(7))));
    let kept = &parsed.connection.children[0];
    assert_eq!(kept.tags.mark_in, MarkRule::Unique { mask: u32::MAX });
    assert_eq!(kept.tags.mark_out, MarkRule::Fixed(Mark { value: 0x2a, mask: 0xff }));
    assert_eq!((kept.tags.if_id_in, kept.tags.if_id_out), (IfIdRule::default(), IfIdRule::Unique));
    assert_eq!(kept.set_mark_out, SetMark::Same { mask: 0xf });
    assert_eq!(kept.sa_options.tfc_padding, TfcPadding::Mtu);
    assert!(kept.sha256_96.is_enabled() && kept.policies_fwd_out.is_enabled());
    let protocols: Vec<_> = kept.proposals.iter().map(ToString::to_string).collect();
    assert_eq!(protocols, ["AH:HMAC_SHA2_256_128/CURVE_25519/NO_EXT_SEQ", "AH:HMAC_SHA2_256_128/NO_EXT_SEQ"]);
    let wrong = child(&Message::new().with_list("ah_proposals", ["aes256gcm16"]));
    assert_eq!(errmsg(&wrong), "invalid value for: ah_proposals, config discarded");
}

#[test]
fn virtual_addresses_and_pools_are_kept_in_their_order() {
    let given =
        Message::new().with_list("vips", ["0.0.0.0", "::", "10.3.0.7"]).with_list("pools", ["a", "b"]);
    let ike = read(&given).unwrap().connection.ike;
    let vips: Vec<_> = ike.vips.iter().map(ToString::to_string).collect();
    assert_eq!(vips, ["0.0.0.0", "::", "10.3.0.7"]);
    assert_eq!(ike.pools, ["a".into(), "b".into()]);
    assert!(
        read(&Message::new().with_list("vips", Vec::<&str>::new())).unwrap().connection.ike.vips.is_empty()
    );
    let wrong = Message::new().with_list("vips", ["soon"]);
    assert_eq!(errmsg(&wrong), "invalid value for: vips, config discarded");
}

#[test]
fn lifetimes_that_are_not_given_follow_from_those_that_are() {
    let given = Message::new().with("reauth_time", "3h").with_section(
        "children",
        &Message::new().with_section(
            "c",
            &Message::new().with("rekey_bytes", "2 G").with("life_time", "1D").with("rekey_packets", "0x10"),
        ),
    );
    let Ok(parsed) = read(&given) else { panic!("refused") };
    assert!(parsed.warnings.is_empty());
    let lifetime = parsed.connection.ike.lifetime;
    assert_eq!((lifetime.reauth_time, lifetime.rekey_time), (Duration::from_secs(10_800), Duration::ZERO));
    assert_eq!(lifetime.rand_time, Duration::from_secs(1080));
    let child = &parsed.connection.children[0].lifetime;
    assert_eq!(child.time, Limit { rekey: 78_545, life: 86_400, jitter: 7855 });
    assert_eq!(child.bytes.rekey, 2_147_483_648);
    assert_eq!(child.packets.rekey, 16);
    let Ok(parsed) = read(&Message::new()) else { panic!("refused") };
    assert!(parsed.warnings.is_empty());
}

#[test]
fn strict_revocation_is_kept_with_a_warning_that_lists_are_not_fetched() {
    let strict = Message::new().with_section("remote", &Message::new().with("revocation", "strict"));
    let Ok(parsed) = read(&strict) else { panic!("refused") };
    assert_eq!(parsed.connection.remote[0].revocation, Revocation::Strict);
    assert_eq!(parsed.warnings, [auth::LISTS_NOT_FETCHED]);
    let wrong = Message::new().with_section("remote", &Message::new().with("revocation", "no"));
    assert_eq!(errmsg(&wrong), "invalid value for: revocation, config discarded");
}

#[test]
fn the_last_of_several_values_counts_and_lists_add_up() {
    let connection = connection(
        &Message::new()
            .with("dpd_delay", "1")
            .with("dpd_delay", "2")
            .with_list("local_addrs", ["192.0.2.1"])
            .with_list("local_addrs", ["192.0.2.2"]),
    );
    assert_eq!(connection.ike.dpd_delay, Duration::from_secs(2));
    assert_eq!(connection.ike.local_addrs.len(), 2);
}
