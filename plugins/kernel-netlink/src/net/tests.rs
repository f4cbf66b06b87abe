//! Against the real kernel, each test in a network namespace of its own. They need root.

use std::num::NonZeroU32;
use std::process::Command;
use std::time::Duration;

use charon_core::service::kernel_net::{Family, FwMark, Inverted, RulePackets, TABLE_MAIN};
use nix::sched::{CloneFlags, unshare};

use super::*;

/// Runs `test` in a new namespace with a veth pair e0 (192.0.2.1/24, 2001:db8::1/64, default route by .254) and e1.
fn in_namespace<F: Future<Output = ()>>(test: impl FnOnce(NetlinkNet) -> F + Send + 'static) {
    std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).expect("root may make a network namespace");
        ip("link set lo up");
        ip("link add e0 type veth peer name e1");
        ip("addr add 192.0.2.1/24 dev e0");
        ip("addr add 192.0.2.11/24 dev e0");
        ip("addr add 2001:db8::1/64 dev e0 nodad");
        ip("link set e1 up");
        ip("link set e0 up");
        ip("route add default via 192.0.2.254");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            test(NetlinkNet::connect(Interfaces::default(), 220).unwrap()).await;
        });
    })
    .join()
    .unwrap();
}

fn ip(arguments: &str) -> String {
    let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn route(destination: &str, prefix: u8, interface: InterfaceIndex) -> Route {
    Route {
        destination: (address(destination), prefix),
        interface,
        gateway: None,
        source: Some(address("192.0.2.11")),
        table: 220,
    }
}

#[test]
fn addresses_come_and_go() {
    in_namespace(|net| async move {
        let e0 = net.interface("e0").await.unwrap();
        net.add_address(e0, address("10.99.0.1"), 32).await.unwrap();
        assert_eq!(net.add_address(e0, address("10.99.0.1"), 32).await, Err(KernelError::Exists));
        let held =
            InterfaceAddress { index: e0, name: "e0".into(), address: address("10.99.0.1"), prefix: 32 };
        let listed = net.addresses().await.unwrap();
        assert!(listed.contains(&held) && listed.iter().any(|held| held.address == address("2001:db8::1")));
        net.remove_address(e0, address("10.99.0.1"), 32).await.unwrap();
        assert!(!net.addresses().await.unwrap().contains(&held));
        assert_eq!(net.remove_address(e0, address("10.99.0.1"), 32).await, Err(KernelError::NotFound));
    });
}

#[test]
fn addresses_that_a_killed_predecessor_added_are_removed_and_no_others() {
    in_namespace(|net| async move {
        let e0 = net.interface("e0").await.unwrap();
        net.add_address(e0, address("10.99.0.1"), 32).await.unwrap();
        net.add_address(e0, address("fd99::1"), 128).await.unwrap();
        let successor = NetlinkNet::connect(Interfaces::default(), 220).unwrap();
        assert_eq!(successor.remove_leftovers().await, Ok(2));
        let left = successor.addresses().await.unwrap();
        assert!(left.iter().any(|held| held.address == address("192.0.2.1")));
        assert!(!left.iter().any(|held| held.address == address("10.99.0.1")));
        assert_eq!(successor.remove_leftovers().await, Ok(0));
    });
}

#[test]
fn routes_of_our_table_are_added_replaced_and_flushed() {
    in_namespace(|net| async move {
        let e0 = net.interface("e0").await.unwrap();
        net.add_route(route("10.2.0.0", 16, e0)).await.unwrap();
        net.add_route(route("10.2.0.0", 16, e0)).await.unwrap();
        let six =
            Route { source: None, destination: (address("2001:db8:2::"), 48), ..route("10.2.0.0", 16, e0) };
        net.add_route(six.clone()).await.unwrap();
        assert_eq!(ip("route show table 220").trim_end(), "10.2.0.0/16 dev e0 proto static src 192.0.2.11");
        assert!(ip("-6 route show table 220").starts_with("2001:db8:2::/48 dev e0"));
        net.remove_route(six.clone()).await.unwrap();
        assert_eq!(net.remove_route(six).await, Err(KernelError::NotFound));
        net.flush_table(220).await.unwrap();
        assert_eq!(ip("route show table all").matches("table 220").count(), 0);
        assert!(ip("route show").contains("default via 192.0.2.254"));
    });
}

#[test]
fn rules_lead_into_the_table_unless_marked() {
    in_namespace(|net| async move {
        let fwmark = Some(FwMark { invert: Inverted::Yes, value: 0x42, mask: 0xff });
        for family in [Family::Ipv4, Family::Ipv6] {
            let packets = RulePackets::default();
            let rule = Rule { family, packets, table: Some(220), priority: 220, fwmark };
            net.add_rule(rule).await.unwrap();
            net.add_rule(rule).await.unwrap();
            let shown = ip(if family == Family::Ipv4 { "rule show" } else { "-6 rule show" });
            assert!(shown.contains("220:\tnot from all fwmark 0x42/0xff lookup 220"), "{shown}");
            net.remove_rule(rule).await.unwrap();
            assert_eq!(net.remove_rule(rule).await, Err(KernelError::NotFound));
        }
    });
}

#[test]
fn rules_for_some_packets_lead_around_the_table_or_nowhere() {
    in_namespace(|net| async move {
        let packets = RulePackets {
            source: Some((address("10.1.0.0"), 16)),
            destination: Some((address("10.2.0.0"), 24)),
            protocol: Some(6),
            source_ports: None,
            destination_ports: Some((80, 90)),
        };
        let family = Family::Ipv4;
        let around = Rule { family, packets, table: Some(TABLE_MAIN), priority: 219, fwmark: None };
        let plain = RulePackets { protocol: None, destination_ports: None, ..packets };
        let nowhere = Rule { family, packets: plain, table: None, priority: 221, fwmark: None };
        for rule in [around, nowhere, around] {
            net.add_rule(rule).await.unwrap();
        }
        let shown = ip("rule show");
        let around_text = "219:\tfrom 10.1.0.0/16 to 10.2.0.0/24 ipproto tcp dport 80-90 lookup main";
        assert!(shown.contains(around_text), "{shown}");
        assert!(shown.contains("221:\tfrom 10.1.0.0/16 to 10.2.0.0/24 blackhole"), "{shown}");
        net.remove_rule(around).await.unwrap();
        net.remove_rule(nowhere).await.unwrap();
        assert!(!ip("rule show").contains("10.2.0.0"));
    });
}

#[test]
fn the_next_hop_is_found_beside_our_own_table() {
    in_namespace(|net| async move {
        let e0 = net.interface("e0").await.unwrap();
        let remote = address("198.51.100.7");
        let expected =
            NextHop { source: address("192.0.2.1"), gateway: Some(address("192.0.2.254")), interface: e0 };
        assert_eq!(net.next_hop(remote, None).await, Ok(expected.clone()));
        // Now a tunnel that the peer itself lies in.
        let packets = RulePackets::default();
        let rule = Rule { family: Family::Ipv4, packets, table: Some(220), priority: 220, fwmark: None };
        net.add_rule(rule).await.unwrap();
        net.add_route(route("198.51.100.0", 24, e0)).await.unwrap();
        assert_eq!(net.next_hop(remote, None).await, Ok(expected.clone()));
        let other = NextHop { source: address("192.0.2.11"), ..expected };
        assert_eq!(net.next_hop(remote, Some(address("192.0.2.11"))).await, Ok(other));
        let lost = net.next_hop(remote, Some(address("192.0.2.99"))).await;
        assert_eq!(lost, Err(KernelError::Unreachable(remote)));
        let six = net.next_hop(address("2001:db8::7"), None).await.unwrap();
        assert_eq!((six.source, six.gateway), (address("2001:db8::1"), None));
        assert!(net.next_hop(address("2001:db8:ffff::7"), None).await.is_err());
    });
}

#[test]
fn a_link_is_brought_up_with_its_mtu() {
    in_namespace(|net| async move {
        ip("link set e1 down");
        let e1 = net.interface("e1").await.unwrap();
        net.set_link_up(e1, Some(1400)).await.unwrap();
        let shown = ip("link show e1");
        assert!(shown.contains("mtu 1400") && shown.contains("UP"), "{shown}");
        assert_eq!(net.interface("e9").await, Err(KernelError::NotFound));
    });
}

#[test]
fn watchers_hear_of_addresses() {
    in_namespace(|net| async move {
        let mut events = net.watch();
        ip("addr add 10.99.0.1/32 dev e0");
        ip("addr del 10.99.0.1/32 dev e0");
        let mut seen = Vec::new();
        while seen.len() < 2 {
            let event = tokio::time::timeout(Duration::from_secs(5), events.recv()).await.unwrap().unwrap();
            match event {
                NetEvent::AddressAdded(held) if held.address == address("10.99.0.1") => seen.push("added"),
                NetEvent::AddressRemoved(held) if held.address == address("10.99.0.1") => {
                    seen.push("removed")
                }
                _ => {}
            }
        }
        assert_eq!(seen, ["added", "removed"]);
    });
}

#[test]
fn only_interfaces_that_count_are_listed() {
    let named = |name: &str| vec![name.to_owned()];
    let ignoring = Interfaces::new(vec![], named("e1"));
    assert!(ignoring.count("e0") && !ignoring.count("e1"));
    let using = Interfaces::new(named("e0"), named("e0"));
    assert!(using.count("e0") && !using.count("e1"));
}

#[test]
fn routes_get_the_metrics_that_are_configured() {
    in_namespace(|net| async move {
        let metrics = RouteMetrics { mtu: NonZeroU32::new(1400), mss: NonZeroU32::new(1360) };
        let net = net.with_metrics(metrics);
        let e0 = net.interface("e0").await.unwrap();
        net.add_route(route("10.2.0.0", 16, e0)).await.unwrap();
        let shown = ip("route show table 220");
        assert_eq!(shown.trim(), "10.2.0.0/16 dev e0 proto static src 192.0.2.11 mtu 1400 advmss 1360");
        net.remove_route(route("10.2.0.0", 16, e0)).await.unwrap();
        assert_eq!(ip("route show table 220"), "");
    });
}
