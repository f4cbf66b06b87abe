//! Every recorded exchange again.

use serde_json::Value;

use super::{RECORDED, Setup, ask, recording};
use crate::session::{Sessions, Transport};
use charon_types::Secret;

/// Where an answer differs on purpose, and how it is: a defect of rVRRPd that a test in `defects` names.
fn deviation(description: &str) -> Option<(u16, &'static str)> {
    const GLOBAL: &str = r#"{"debug":1,"time_zone":"utc","time_format":"short","pid":"/run/rvrrpd.pid","working_dir":"/var/tmp","main_log":null,"error_log":null,"vrouter":[{"group":1,"interface":"eth0","vip":"192.0.2.1","priority":254,"preemption":true,"auth_type":"rfc2338-simple","auth_secret":"********","timers":null,"rfc3768":true,"netdrv":"libnl","iftype":"macvlan","vifname":"vrrp0","socket_filter":null},{"group":2,"interface":"eth0","vip":"192.0.2.2","priority":null,"preemption":null,"auth_type":null,"auth_secret":null,"timers":null,"rfc3768":null,"netdrv":null,"iftype":null,"vifname":null,"socket_filter":null}],"protocols":{"static":[{"route":"198.51.100.0","mask":"255.255.255.0","nh":"192.0.2.254","metric":100,"mtu":1400}]},"client_api":"http","api":{"users":["{{SHA256}}admin:0::********","{{SCRYPT}}joe:0::********"],"secret":"********","host":"127.0.0.1:7080","tls":false,"tls_key":null,"tls_cert":null}}"#;
    const VROUTERS: &str = r#"[{"group":1,"interface":"eth0","vip":"192.0.2.1","priority":254,"preemption":true,"auth_type":"rfc2338-simple","auth_secret":"********","timers":null,"rfc3768":true,"netdrv":"libnl","iftype":"macvlan","vifname":"vrrp0","socket_filter":null},{"group":2,"interface":"eth0","vip":"192.0.2.2","priority":null,"preemption":null,"auth_type":null,"auth_secret":null,"timers":null,"rfc3768":null,"netdrv":null,"iftype":null,"vifname":null,"socket_filter":null}]"#;
    const RUN: &str = r#"[{"virtual_ip":"192.0.2.1","group":1,"interface":"eth0","priority":254,"preempt":true,"state":"Master"},{"virtual_ip":"192.0.2.2","group":2,"interface":"eth0","priority":100,"preempt":false,"state":"Master"}]"#;
    const SECOND: &str = r#"[{"virtual_ip":"192.0.2.2","group":2,"interface":"eth0","priority":100,"preempt":false,"state":"Master"}]"#;
    const DETAIL: &str = r#"{"virtual_ip":"192.0.2.2","group":2,"interface":"eth0","vif":"standby2","priority":100,"preempt":false,"state":"Master","auth_type":0,"interface_hwaddress":"02:00:00:00:00:04","advert_interval":1,"masterdown_interval":3.609375,"skew_time":0.609375}"#;
    const STATIC: &str = r#"[{"destination":"198.51.100.0","mask":"255.255.255.0","next_hop":"192.0.2.254","metric":100,"mtu":1400}]"#;
    Some(match description {
        "authenticated /config/global" => (200, GLOBAL),
        "authenticated /config/vrouter" => (200, VROUTERS),
        "authenticated /run/vrrp" | "authenticated /run/vrrp/" => (200, RUN),
        "authenticated /run/vrrp/2" => (200, SECOND),
        "authenticated /run/vrrp/2/eth0" => (200, DETAIL),
        "authenticated /run/protocols/static" => (200, STATIC),
        "non-numeric ts cookie" => (401, ""),
        _ => return None,
    })
}

#[tokio::test]
async fn every_recorded_exchange_is_answered_the_same() {
    let service = Setup::recorded().service();
    let recording = recording();
    let (mut same, mut different) = (0, 0);
    for exchange in recording["exchanges"].as_array().unwrap() {
        let (request, recorded) = (&exchange["request"], &exchange["response"]);
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let description = text(&exchange["description"]).unwrap();
        let (method, path) = (text(&request["method"]).unwrap(), text(&request["path"]).unwrap());
        // The recorder noted a HEAD as a GET.
        let method = if description == "index HEAD" { "HEAD".to_owned() } else { method };
        let cookie = text(&request["cookie"]);
        let body = text(&request["body"]).unwrap_or_default();
        let answer = ask(&service, &method, &path, cookie.as_deref(), &body).await;
        if let Some((status, body)) = deviation(&description) {
            assert_eq!((answer.status.as_u16(), answer.body.as_str()), (status, body), "{description}");
            different += 1;
            continue;
        }
        let status = text(&recorded["status_line"]).unwrap();
        assert_eq!(status.split(' ').nth(1).unwrap(), answer.status.as_str(), "{description}");
        assert_eq!(text(&recorded["body"]).unwrap(), answer.body, "{description}");
        for header in recorded["headers"].as_array().unwrap() {
            let (name, value) = (header[0].as_str().unwrap(), header[1].as_str().unwrap());
            match name {
                // The server's own, tested on the wire.
                "date" | "content-length" => {}
                "x-request-id" => {
                    let ours = answer.header(name).unwrap();
                    let dashes = |id: &str| id.match_indices('-').map(|(at, _)| at).collect::<Vec<_>>();
                    assert_eq!((dashes(ours), ours.len()), (dashes(value), value.len()), "{ours}");
                }
                "set-cookie" => {
                    // The same but for what is said to be new each time.
                    let (cookie, attributes) = value.split_once("; ").unwrap();
                    let (key, content) = cookie.split_once('=').unwrap();
                    let ours = answer.cookies();
                    let ours =
                        ours.iter().find_map(|cookie| cookie.strip_prefix(&format!("{key}="))).unwrap();
                    let (ours, our_attributes) = ours.split_once("; ").unwrap();
                    assert_eq!(our_attributes, attributes);
                    match key {
                        "user" => assert_eq!(ours, content),
                        "ts" => assert_eq!(ours.parse::<u64>().unwrap(), RECORDED + 5),
                        "nonce" => assert!(ours.parse::<u64>().is_ok()),
                        _ => assert_eq!(ours.len(), content.len()),
                    }
                }
                _ => assert_eq!(answer.header(name), Some(value), "{description}: {name}"),
            }
        }
        same += 1;
    }
    assert_eq!((same, different), (27, 8));
}

#[test]
fn tokens_are_the_recorded_ones() {
    let file: Value =
        serde_json::from_str(include_str!("../../tests/golden/rvrrpd-tokens-and-passwords.json")).unwrap();
    let recording = recording();
    let mut compared = 0;
    for exchange in recording["exchanges"].as_array().unwrap() {
        let cookies: Vec<&str> = exchange["response"]["headers"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|header| header[0] == "set-cookie")
            .map(|header| header[1].as_str().unwrap().split(';').next().unwrap())
            .collect();
        let value = |name: &str| cookies.iter().find_map(|cookie| cookie.strip_prefix(&format!("{name}=")));
        let (Some(user), Some(nonce), Some(token)) = (value("user"), value("nonce"), value("token")) else {
            continue;
        };
        let sessions = Sessions::new(Secret::copy_from(b"0123456789abcdef"), std::time::Duration::MAX);
        let now = std::time::UNIX_EPOCH + std::time::Duration::from_secs(RECORDED);
        let made = sessions.begin(user, nonce.parse().unwrap(), now);
        assert_eq!(made.token, token);
        assert!(file["session_tokens"].as_array().unwrap().iter().any(|vector| vector["token"] == token));
        compared += 1;
    }
    assert_eq!(compared, 3);
}

#[tokio::test]
async fn cookies_over_tls_are_secure_as_recorded() {
    let setup = Setup { transport: Transport::Tls, ..Setup::recorded() };
    let answer = ask(&setup.service(), "POST", "/auth", None, "user=admin passwd=banana").await;
    let file: Value = serde_json::from_str(include_str!("../../tests/golden/rvrrpd-api-tls.json")).unwrap();
    let recorded = file["response_raw"].as_str().unwrap();
    let attributes: Vec<&str> = recorded
        .lines()
        .filter_map(|line| line.strip_prefix("set-cookie: "))
        .map(|cookie| cookie.split_once("; ").unwrap().1)
        .collect();
    let ours: Vec<&str> = answer.cookies().iter().map(|cookie| cookie.split_once("; ").unwrap().1).collect();
    assert_eq!((ours, attributes.len()), (attributes, 4));
}
