use std::path::Path;

use charon_conf::Settings;

fn findings(text: &str) -> Vec<String> {
    let settings = Settings::parse("s.conf", text.as_bytes()).expect("the test writes valid settings");
    super::check(&settings, Path::new("/nonexistent")).iter().map(ToString::to_string).collect()
}

#[test]
fn a_file_as_people_write_it_is_valid() {
    let text = r#"
        connections {
            gw : defaults {
                version = 2
                local_addrs = 192.0.2.1, 2001:db8::1, 10.0.0.0/8, 10.0.0.1-10.0.0.9, gw.example.org, %any
                proposals = aes256-sha256-x25519, default
                vips = 0.0.0.0, ::
                dscp = 101110
                dpd_delay = 30 s
                unique = replace
                pools = p
                if_id_in = %unique
                local { auth = ike:rsa/pss-sha512-ecdsa-256-sha256
                    id = "C=CH, O=strongSwan, CN=moon"
                    certs = 0x3082
                    cert1 { file = /etc/cert.pem } }
                remote-2 { auth = eap-tls:ecdsa-384-sha384
                    revocation = ifuri
                    groups = admins
                    cert_policy = 1.2.3 }
                children {
                    net {
                        local_ts = 10.1.0.0/16[tcp/ssh], dynamic
                        esp_proposals = aes128gcm16-x25519, aes256-sha256
                        start_action = trap | start
                        mark_in = %unique-dir/0xff
                        set_mark_out = %same
                        rekey_bytes = 1 g
                        hw_offload = auto
                        tfc_padding = mtu
                    }
                }
            }
        }
        defaults { mobike = no }
        secrets { ike-1 { secret = 0sAP8=
            id-a = moon }
            private-x { file = moon.pem
            secret = geheim } }
        pools { p { addrs = 10.3.0.0/24
            dns = 192.0.2.53
            28676 = 10.0.0.0/8 } }
        authorities { ca { file = /etc/ca.pem
            crl_uris = http://crl.example.org/a.crl } }
    "#;
    assert_eq!(findings(text), [""; 0]);
}

#[test]
fn what_is_wrong_is_told_with_file_line_and_key_in_the_order_of_the_file() {
    let text = "connections {
 gw {
  version = 3
  mobik = yes
  proposals = aes256-sha256-x25519, bogus
  dpd_delay = 30w
  local { auth = password
   id = moon\u{e9} }
  remot { }
  local_addrs = -x
  children {
   net { remote_ts = 10.0.0.0/8[tcp
    mark_in = %same
    start_action = trap, start } }
 }
}
pools { p { addrs = 10.0.0.9-10.0.0.1 }
 q { dns = 192.0.2.1 } }
secrets { foo { }
 ike { id = x }
 eap { secret = 0xzz } }
conections { gw { } }
a : nothing.there { }
x = y
authorities { ca { cacert = ca.pem } }";
    let expected = [
        "s.conf:3: connections.gw.version: '3' is none of 0, 1, 2",
        "s.conf:4: connections.gw.mobik: unknown option",
        "s.conf:5: connections.gw.proposals: 'bogus' is no proposal: ",
        "s.conf:6: connections.gw.dpd_delay: '30w' is not a time (an integer and optionally s, m, h or d)",
        "s.conf:7: connections.gw.local.auth: 'password' is no way of authentication",
        "s.conf:8: connections.gw.local.id: 'moon\\u{e9}' is not ASCII, as identities must be",
        "s.conf:9: connections.gw.remot: unknown section",
        "s.conf:10: connections.gw.local_addrs: '-x' is no address, subnet, range or name",
        "s.conf:12: connections.gw.children.net.remote_ts: '10.0.0.0/8[tcp' is no selector: ",
        "s.conf:13: connections.gw.children.net.mark_in: '%same' is not mark[/mask]",
        "s.conf:14: connections.gw.children.net.start_action: 'trap, start' is no action",
        "s.conf:17: pools.p.addrs: '10.0.0.9-10.0.0.1' is neither a subnet nor a range of addresses",
        "s.conf:18: pools.q: addrs is missing",
        "s.conf:19: secrets.foo: unknown section",
        "s.conf:20: secrets.ike: secret is missing",
        "s.conf:21: secrets.eap.secret: the secret is not hexadecimal",
        "s.conf:22: conections: unknown section, not loaded",
        "s.conf:23: a: unknown section, not loaded",
        "s.conf:23: nothing.there: no such section to inherit from",
        "s.conf:24: x: belongs in no section",
        "s.conf:25: authorities.ca.cacert: 'ca.pem' cannot be sent: reading '/nonexistent/x509ca/ca.pem' failed: \
         No such file or directory",
    ];
    let found = findings(text);
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}\n{expected}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

#[test]
fn what_many_inherit_is_told_once_and_references_in_a_circle_come_to_an_end() {
    let text = "connections { a : t { }\n b : t { }\n c : connections.c { } }\nt { version = 9 }";
    assert_eq!(findings(text), ["s.conf:4: connections.a.version: '9' is none of 0, 1, 2"]);
}

#[test]
fn secrets_do_not_show() {
    let text = "secrets { ike { secret = 0xgeheim } }";
    assert!(findings(text).iter().all(|finding| !finding.contains("geheim")));
}
