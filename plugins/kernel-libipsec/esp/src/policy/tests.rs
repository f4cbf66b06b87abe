use std::net::IpAddr;

use charon_types::id::{IfId, Mark};
use charon_types::kernel_op::{PolicyAction, PolicyClass, PolicyDirection};
use charon_types::selector::TrafficSelector;
use proptest::prelude::*;

use super::*;
use crate::flow::Ports;

fn selector(address: IpAddr, prefix: u8) -> TrafficSelector {
    TrafficSelector::subnet(address, prefix)
}

fn net(text: &str) -> TrafficSelector {
    let (address, prefix) = text.split_once('/').unwrap();
    selector(address.parse().unwrap(), prefix.parse().unwrap())
}

fn policy(source: TrafficSelector, destination: TrafficSelector) -> Policy {
    Policy {
        direction: PolicyDirection::Out,
        source,
        destination,
        action: PolicyAction::Drop,
        priority: 0,
        mark: Mark::default(),
        if_id: IfId(0),
        interface: None,
        class: PolicyClass::Regular,
    }
}

fn add(table: &PolicyTable, policy: &Policy) -> Arc<OutboundPolicy> {
    let added = Arc::new(OutboundPolicy::new(policy, policy.effective_priority()));
    table.insert(&added);
    added
}

fn flow(source: &str, destination: &str, ports: Ports) -> Flow {
    let (family, source) = address_bits(source.parse().unwrap());
    let (_, destination) = address_bits(destination.parse().unwrap());
    Flow { family, source, destination, protocol: 6, ports }
}

#[test]
fn the_closest_policy_wins() {
    let table = PolicyTable::new();
    let wide = add(&table, &policy(net("0.0.0.0/0"), net("0.0.0.0/0")));
    let near = add(&table, &policy(net("10.1.0.0/16"), net("10.2.0.0/16")));
    let web = add(&table, &policy(net("10.1.0.0/16"), net("10.2.0.0/16").with_ports(6, 80, 80)));
    let found = |destination, ports| table.lookup(&flow("10.1.0.1", destination, ports)).unwrap();
    assert!(Arc::ptr_eq(&found("10.2.0.1", Ports::Visible(1, 80)), &web));
    assert!(Arc::ptr_eq(&found("10.2.0.1", Ports::Visible(1, 81)), &near));
    assert!(Arc::ptr_eq(&found("10.3.0.1", Ports::Hidden), &wide));
    assert!(table.lookup(&flow("2001:db8::1", "2001:db8::2", Ports::Hidden)).is_none());
}

#[test]
fn a_fixed_priority_beats_closeness() {
    let table = PolicyTable::new();
    let first = add(&table, &Policy { priority: 1, ..policy(net("0.0.0.0/0"), net("0.0.0.0/0")) });
    add(&table, &policy(net("10.1.0.0/16"), net("10.2.0.0/16")));
    let found = table.lookup(&flow("10.1.0.1", "10.2.0.1", Ports::Hidden)).unwrap();
    assert!(Arc::ptr_eq(&found, &first));
}

#[test]
fn a_range_holds_its_addresses_and_no_others() {
    let table = PolicyTable::new();
    let range = TrafficSelector::range("10.2.0.5".parse().unwrap(), "10.2.0.9".parse().unwrap()).unwrap();
    add(&table, &policy(net("10.1.0.0/16"), range));
    assert!(table.lookup(&flow("10.1.0.1", "10.2.0.9", Ports::Hidden)).is_some());
    assert!(table.lookup(&flow("10.1.0.1", "10.2.0.10", Ports::Hidden)).is_none());
}

#[test]
fn ten_thousand_policies_come_and_go() {
    let table = PolicyTable::new();
    let policies: Vec<_> = (0..10_000_u32)
        .map(|number| {
            let host = IpAddr::from((0x0a02_0000 + number).to_be_bytes());
            add(&table, &policy(net("10.1.0.0/16"), selector(host, 32)))
        })
        .collect();
    let before = table.generation();
    let found = table.lookup(&flow("10.1.0.1", "10.2.39.15", Ports::Hidden)).unwrap();
    assert!(Arc::ptr_eq(&found, &policies[9999]));
    for policy in &policies {
        table.remove(policy);
    }
    assert!(table.lookup(&flow("10.1.0.1", "10.2.39.15", Ports::Hidden)).is_none());
    assert!(table.generation() > before && table.shapes.load().is_empty());
}

proptest! {
    #[test]
    fn finds_what_a_walk_through_all_policies_finds(
        policies in proptest::collection::vec((0_u32..4, 28_u8..33, 0_u32..16, 28_u8..33, 0_u16..3), 1..30),
        (source, destination, port) in (0_u32..4, 0_u32..16, 0_u16..3),
    ) {
        let table = PolicyTable::new();
        let base = 0x0a00_0000_u32;
        let address = |offset: u32| IpAddr::from((base + offset).to_be_bytes());
        let mut all = Vec::new();
        for (from, from_prefix, to, to_prefix, wanted) in policies {
            let mut to = selector(address(to), to_prefix);
            if wanted > 0 {
                to = to.with_ports(6, wanted, wanted);
            }
            all.push(add(&table, &policy(selector(address(from), from_prefix), to)));
        }
        let flow = Flow {
            family: Family::Ipv4,
            source: u128::from(base + source),
            destination: u128::from(base + destination),
            protocol: 6,
            ports: Ports::Visible(1, port),
        };
        let expected = all.iter().filter(|policy| policy.holds(&flow)).map(|policy| policy.priority).min();
        prop_assert_eq!(table.lookup(&flow).map(|policy| policy.priority), expected);
    }
}
