use charon_types::id::{Reqid, Role, UniqueId};
use charon_types::identity::Identity;
use charon_types::kernel_op::Mode;
use charon_types::snapshot::{ChildSaState, IkeSaState, NatConditions};
use std::num::NonZeroU32;

use super::*;

fn net(text: &str, prefix: u8) -> TrafficSelector {
    TrafficSelector::subnet(text.parse().unwrap(), prefix)
}

fn child(local_ts: Vec<TrafficSelector>, remote_ts: Vec<TrafficSelector>) -> ChildSaSnapshot {
    ChildSaSnapshot {
        name: "net".into(),
        unique_id: UniqueId(3),
        reqid: NonZeroU32::new(7).map(Reqid),
        state: ChildSaState::Installed,
        mode: Mode::Tunnel,
        installed: None,
        local_ts,
        remote_ts,
    }
}

fn lookup<'a>(environment: &'a Environment, name: &str) -> Option<&'a str> {
    environment.0.iter().find(|(held, _)| held == name).map(|(_, value)| value.as_str())
}

fn told(sa: &IkeSaSnapshot, child: &ChildSaSnapshot, change: Change) -> Vec<Environment> {
    invocations(&Told { change, sa, child, interface: "eth0", hostaccess: Toggle::Enabled })
}

fn ike_sa(local: &str, remote: &str) -> IkeSaSnapshot {
    IkeSaSnapshot {
        path: charon_types::endpoint::Path { local: local.parse().unwrap(), remote: remote.parse().unwrap() },
        local_vips: vec!["10.3.0.1".parse().unwrap(), "fd03::1".parse().unwrap()],
        ..established()
    }
}

#[test]
fn a_network_behind_us_is_a_client_with_its_selectors_and_addresses() {
    let sa = ike_sa("192.0.2.1:4500", "192.0.2.2:4500");
    let web = net("10.2.0.0", 16).with_ports(6, 80, 80);
    let runs = told(&sa, &child(vec![net("10.1.0.0", 16)], vec![web]), Change::Up);
    let [run] = &runs[..] else { panic!("one run") };
    let expected = [
        ("PLUTO_VERSION", "1.1"),
        ("PLUTO_VERB", "up-client"),
        ("PLUTO_CONNECTION", "net"),
        ("PLUTO_INTERFACE", "eth0"),
        ("PLUTO_REQID", "7"),
        ("PLUTO_PROTO", "esp"),
        ("PLUTO_UNIQUEID", "1"),
        ("PLUTO_ME", "192.0.2.1"),
        ("PLUTO_MY_ID", "moon.lab"),
        ("PLUTO_MY_CLIENT", "10.1.0.0/16"),
        ("PLUTO_MY_PORT", "0"),
        ("PLUTO_MY_PROTOCOL", "0"),
        ("PLUTO_PEER", "192.0.2.2"),
        ("PLUTO_PEER_ID", "sun.lab"),
        ("PLUTO_PEER_CLIENT", "10.2.0.0/16"),
        ("PLUTO_PEER_PORT", "80"),
        ("PLUTO_PEER_PROTOCOL", "6"),
        ("PLUTO_MY_SOURCEIP", "10.3.0.1"),
        ("PLUTO_MY_SOURCEIP4_1", "10.3.0.1"),
        ("PLUTO_MY_SOURCEIP6_1", "fd03::1"),
        ("PLUTO_HOST_ACCESS", "1"),
    ];
    for (name, value) in expected {
        assert_eq!(lookup(run, name), Some(value), "{name}");
    }
    assert_eq!(lookup(run, "PLUTO_MARK_IN"), None);
}

#[test]
fn this_host_alone_is_a_host_and_ipv6_says_so() {
    let sa = ike_sa("[2001:db8::1]:500", "[2001:db8::2]:500");
    let host = TrafficSelector::host("2001:db8::1".parse().unwrap());
    let runs = told(&sa, &child(vec![host], vec![net("fd02::", 64)]), Change::Down);
    assert_eq!(lookup(&runs[0], "PLUTO_VERB"), Some("down-host-v6"));
}

#[test]
fn each_pair_of_selectors_that_goes_together_is_told() {
    let sa = ike_sa("192.0.2.1:4500", "192.0.2.2:4500");
    let local = vec![net("10.1.0.0", 16), net("fd01::", 64)];
    let peer = vec![net("10.2.0.0", 16), net("10.4.0.0", 16), net("fd02::", 64)];
    let runs = told(&sa, &child(local, peer), Change::Up);
    let clients: Vec<_> = runs.iter().filter_map(|run| lookup(run, "PLUTO_PEER_CLIENT")).collect();
    assert_eq!(clients, ["10.2.0.0/16", "10.4.0.0/16", "fd02::/64"]);
}

fn established() -> IkeSaSnapshot {
    let nowhere = "192.0.2.1:500".parse().unwrap();
    IkeSaSnapshot {
        name: "gw".into(),
        unique_id: UniqueId(1),
        state: IkeSaState::Established,
        path: charon_types::endpoint::Path { local: nowhere, remote: nowhere },
        local_id: Identity::parse("moon.lab").unwrap(),
        remote_id: Identity::parse("sun.lab").unwrap(),
        role: Role::Initiator,
        spi_initiator: None,
        spi_responder: None,
        nat: NatConditions::default(),
        suite: None,
        established: None,
        rekey_in: None,
        reauth_in: None,
        local_vips: Vec::new(),
        remote_vips: Vec::new(),
        if_ids: Default::default(),
        tasks_queued: Vec::new(),
        tasks_active: Vec::new(),
        tasks_passive: Vec::new(),
        children: Vec::new(),
    }
}
