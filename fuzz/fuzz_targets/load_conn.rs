//! A connection as `load-conn` gets it: loaded or refused in words; what is loaded can be listed.
//!
//! A first byte of 0 stands before the bytes of a message, another before a tree whose names and values are mostly those that
//! people use.
#![no_main]

use charon_types::algorithm::{EncryptionId, IntegrityId, KeMethod, PrfId};
use charon_types::proposal::AvailableAlgorithms;
use libfuzzer_sys::arbitrary::{self, Arbitrary, Unstructured};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;
use vici::Message;

static AVAILABLE: LazyLock<AvailableAlgorithms> = LazyLock::new(|| AvailableAlgorithms {
    encryption: vec![(EncryptionId::AES_CBC, 256), (EncryptionId::AES_GCM_16, 256)],
    integrity: vec![IntegrityId::HMAC_SHA2_256_128],
    prf: vec![PrfId::HMAC_SHA2_256],
    ke: vec![KeMethod::CURVE_25519],
});

#[derive(Debug, Arbitrary)]
enum Node {
    Known(u8),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<(u8, String)>),
    Section(Vec<(Name, Node)>),
}

#[derive(Debug, Arbitrary)]
enum Name {
    Known(u8),
    Other(String),
}

const NAMES: &[&str] = &[
    "version",
    "local_addrs",
    "remote_addrs",
    "local_port",
    "remote_port",
    "proposals",
    "vips",
    "aggressive",
    "pull",
    "dscp",
    "encap",
    "mobike",
    "dpd_delay",
    "dpd_timeout",
    "fragmentation",
    "childless",
    "send_certreq",
    "send_cert",
    "ocsp",
    "ppk_id",
    "ppk_required",
    "keyingtries",
    "unique",
    "reauth_time",
    "rekey_time",
    "over_time",
    "rand_time",
    "pools",
    "if_id_in",
    "if_id_out",
    "local",
    "remote",
    "local-2",
    "remote-2",
    "children",
    "round",
    "auth",
    "id",
    "eap_id",
    "aaa_id",
    "xauth_id",
    "certs",
    "cert1",
    "pubkeys",
    "groups",
    "cert_policy",
    "cacerts",
    "cacert1",
    "ca_id",
    "revocation",
    "file",
    "handle",
    "slot",
    "module",
    "esp_proposals",
    "ah_proposals",
    "sha256_96",
    "local_ts",
    "remote_ts",
    "life_time",
    "rekey_bytes",
    "life_bytes",
    "rand_bytes",
    "rekey_packets",
    "life_packets",
    "rand_packets",
    "updown",
    "hostaccess",
    "mode",
    "policies",
    "policies_fwd_out",
    "dpd_action",
    "start_action",
    "close_action",
    "ipcomp",
    "inactivity",
    "reqid",
    "priority",
    "interface",
    "mark_in",
    "mark_out",
    "mark_in_sa",
    "set_mark_in",
    "set_mark_out",
    "label",
    "label_mode",
    "tfc_padding",
    "replay_window",
    "per_cpu_sas",
    "hw_offload",
    "copy_df",
    "copy_ecn",
    "copy_dscp",
    "icmp",
    "net",
    "x",
];
const VALUES: &[&str] = &[
    "yes",
    "no",
    "0",
    "1",
    "2",
    "0x10",
    "020",
    "4294967296",
    "18446744073709551616",
    "-1",
    "30s",
    "4 h",
    "1d",
    "2 G",
    "psk",
    "pubkey",
    "rsa-2048-sha256",
    "ike:ecdsa-sha384",
    "eap-mschapv2",
    "moon.example.org",
    "C=CH, O=x, CN=y",
    "@#00ff",
    "%any",
    "192.0.2.1",
    "10.0.0.0/8",
    "10.0.0.1-10.0.0.9",
    "2001:db8::/32",
    "fe80::1",
    "dynamic",
    "10.1.0.0/16[tcp/ssh]",
    "0.0.0.0/0[udp/1-65535]",
    "::/0",
    "10.0.0.0/99",
    "aes256-sha256-x25519",
    "aes256gcm16-prfsha256-x25519",
    "default",
    "aes128-sha256",
    "sha256",
    "tunnel",
    "transport",
    "pass",
    "drop",
    "trap",
    "start",
    "trap|start",
    "none",
    "%unique",
    "%unique-dir/0xff",
    "%same",
    "1/0xffff",
    "mtu",
    "strict",
    "ifuri",
    "never",
    "always",
    "replace",
    "force",
    "101110",
    "",
];

fuzz_target!(|input: &[u8]| {
    let message = match input.split_first() {
        Some((0, bytes)) => Message::decode(bytes).ok(),
        Some((_, bytes)) => Vec::arbitrary_take_rest(Unstructured::new(bytes)).ok().map(|tree| {
            let mut message = Message::new();
            build(&mut message, &tree);
            message
        }),
        None => None,
    };
    let Some(message) = message else { return };
    for (name, section) in message.root().sections().chain([(vici::Name::EMPTY, message.root())]) {
        let listed = charon_vici::rehearse(name.as_str(), section, &AVAILABLE);
        match &listed {
            Ok(listed) => {
                let root = listed.root();
                assert_eq!(root.sections().count(), 1);
                assert!(
                    root.section(name.as_str()).is_some_and(|listed| listed.section("children").is_some())
                );
            }
            Err(reason) => assert!(!reason.is_empty()),
        }
        assert_eq!(charon_vici::rehearse(name.as_str(), section, &AVAILABLE), listed);
    }
});

fn pick(words: &'static [&'static str], at: u8) -> &'static str {
    words[usize::from(at) % words.len()]
}

fn build(message: &mut Message, tree: &[(Name, Node)]) {
    for (name, node) in tree {
        let name = match name {
            Name::Known(at) => pick(NAMES, *at),
            Name::Other(name) => name,
        };
        match node {
            Node::Known(at) => message.push(name, pick(VALUES, *at)),
            Node::Text(text) => message.push(name, text),
            Node::Bytes(bytes) => message.push(name, bytes),
            Node::List(items) => {
                let item = |(at, text): &(u8, String)| {
                    if text.is_empty() { pick(VALUES, *at).to_owned() } else { text.clone() }
                };
                message.push_list(name, items.iter().map(item));
            }
            Node::Section(inner) => message.nest(name, |message| build(message, inner)),
        }
    }
}
