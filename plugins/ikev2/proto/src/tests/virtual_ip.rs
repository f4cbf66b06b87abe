//! Addresses asked for, lent, installed and given back.

use std::net::IpAddr;
use std::sync::Arc;

use charon_types::config_attribute::{AttributeKind, ConfigAttribute};
use charon_types::connection::Connection;
use charon_types::id::UniqueId;
use charon_types::selector::SelectorPattern;

use super::handshake::{SOON, psk_pair};
use super::pair::{Pair, Seen, Side};
use crate::failure::{Failure, Refusal};
use crate::ike_sa::{Command, Force};
use crate::output::{CommandSuccess, CommandToken};
use crate::wire::NotifyType;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn configure(pair: &mut Pair, side: Side, change: impl FnOnce(&mut Connection)) {
    let connection = &mut pair.host(side).world.connections[0];
    change(Arc::make_mut(connection));
}

fn dynamic(connection: &mut Connection, side: Side) {
    let child = Arc::make_mut(&mut connection.children[0]);
    match side {
        Side::A => child.local_ts = vec![SelectorPattern::DYNAMIC],
        Side::B => child.remote_ts = vec![SelectorPattern::DYNAMIC],
    }
}

/// A asks for `vips`, B lends from the pools p and q.
fn road_warrior(vips: &[&str], pools: &[(&'static str, &[&str])]) -> Pair {
    let mut pair = psk_pair();
    configure(&mut pair, Side::A, |connection| {
        connection.ike.vips = vips.iter().map(|vip| ip(vip)).collect();
        dynamic(connection, Side::A);
    });
    configure(&mut pair, Side::B, |connection| {
        connection.ike.pools = pools.iter().map(|(name, _)| (*name).into()).collect();
        dynamic(connection, Side::B);
    });
    for (name, addresses) in pools {
        let addresses = addresses.iter().map(|address| ip(address)).collect();
        pair.b.world.pools.borrow_mut().insert(name, addresses);
    }
    pair
}

fn selectors(pair: &mut Pair, side: Side) -> (Vec<String>, Vec<String>) {
    let child = pair.snapshot(side).children.remove(0);
    let texts =
        |list: &[charon_types::selector::TrafficSelector]| list.iter().map(ToString::to_string).collect();
    (texts(&child.local_ts), texts(&child.remote_ts))
}

#[test]
fn the_client_gets_an_address_and_its_child_is_about_that() {
    let mut pair = road_warrior(&["0.0.0.0"], &[("p", &["10.3.0.1", "10.3.0.2"])]);
    pair.initiate();
    pair.run(SOON);
    assert_eq!(pair.a.interface.vips, [ip("10.3.0.1")]);
    assert_eq!(pair.snapshot(Side::A).local_vips, [ip("10.3.0.1")]);
    assert_eq!(pair.snapshot(Side::B).remote_vips, [ip("10.3.0.1")]);
    assert_eq!(selectors(&mut pair, Side::A), (vec!["10.3.0.1/32".into()], vec!["10.2.0.0/16".into()]));
    assert_eq!(selectors(&mut pair, Side::B), (vec!["10.2.0.0/16".into()], vec!["10.3.0.1/32".into()]));
    assert!(pair.a.events.contains(&Seen::Done(1, Ok(CommandSuccess::ChildInstalled(UniqueId(1))))));
}

#[test]
fn the_address_goes_with_the_ike_sa_on_both_sides() {
    let mut pair = road_warrior(&["0.0.0.0"], &[("p", &["10.3.0.1"])]);
    pair.initiate();
    pair.run(SOON);
    pair.command(Side::A, Command::TerminateIke { force: Force::Polite, token: Some(CommandToken(2)) });
    pair.run(SOON);
    assert!(pair.a.interface.vips.is_empty() && pair.a.kernel.is_empty() && pair.b.kernel.is_empty());
    assert_eq!(pair.b.world.pools.borrow()["p"], [ip("10.3.0.1")]);
}

#[test]
fn both_families_are_served_from_their_pools() {
    let mut pair = road_warrior(&["0.0.0.0", "::"], &[("p", &["10.3.0.1"]), ("q", &["fec3::1"])]);
    let child = |connection: &mut Connection, side| {
        let child = Arc::make_mut(&mut connection.children[0]);
        let ts = if side == Side::A { &mut child.remote_ts } else { &mut child.local_ts };
        ts.push("fec2::/16".parse().unwrap());
    };
    configure(&mut pair, Side::A, |connection| child(connection, Side::A));
    configure(&mut pair, Side::B, |connection| child(connection, Side::B));
    pair.initiate();
    pair.run(SOON);
    assert_eq!(pair.a.interface.vips, [ip("10.3.0.1"), ip("fec3::1")]);
    assert_eq!(selectors(&mut pair, Side::A).0, ["10.3.0.1/32", "fec3::1/128"]);
}

#[test]
fn one_family_of_two_is_better_than_none() {
    let mut pair = road_warrior(&["0.0.0.0", "::"], &[("p", &["10.3.0.1"])]);
    pair.initiate();
    pair.run(SOON);
    assert_eq!(pair.a.interface.vips, [ip("10.3.0.1")]);
    assert_eq!(selectors(&mut pair, Side::A).0, ["10.3.0.1/32"]);
}

#[test]
fn attributes_come_with_the_address() {
    let mut pair = road_warrior(&["0.0.0.0"], &[("p", &["10.3.0.1"])]);
    let dns = ConfigAttribute { kind: AttributeKind::INTERNAL_IP4_DNS, value: vec![10, 2, 0, 53] };
    let domain = ConfigAttribute { kind: AttributeKind::INTERNAL_DNS_DOMAIN, value: b"lab".to_vec() };
    pair.b.world.attributes = vec![dns.clone(), domain.clone()];
    pair.initiate();
    pair.run(SOON);
    assert_eq!(pair.sa(Side::A).received_attributes(), [dns, domain]);
}

#[test]
fn an_exhausted_pool_leaves_the_ike_sa_without_a_child() {
    let mut pair = road_warrior(&["0.0.0.0"], &[("p", &[])]);
    pair.initiate();
    pair.run(SOON);
    let rejected = Failure::Rejected(NotifyType::INTERNAL_ADDRESS_FAILURE.0);
    assert_eq!(pair.a.events, [Seen::Established, Seen::Done(1, Err(rejected))]);
    assert!(pair.snapshot(Side::B).children.is_empty());
    assert!(pair.a.kernel.is_empty() && pair.b.kernel.is_empty() && pair.a.interface.vips.is_empty());
}

#[test]
fn a_client_that_asks_for_nothing_is_told_to() {
    let mut pair = road_warrior(&[], &[("p", &["10.3.0.1"])]);
    pair.initiate();
    pair.run(SOON);
    let rejected = Failure::Rejected(NotifyType::FAILED_CP_REQUIRED.0);
    assert_eq!(pair.a.events, [Seen::Established, Seen::Done(1, Err(rejected))]);
    assert_eq!(pair.b.world.pools.borrow()["p"].len(), 1);
}

#[test]
fn a_gateway_without_pools_gives_nothing_and_the_client_builds_nothing() {
    let mut pair = road_warrior(&["0.0.0.0"], &[]);
    pair.initiate();
    pair.run(SOON);
    let rejected = Failure::Rejected(NotifyType::INTERNAL_ADDRESS_FAILURE.0);
    assert_eq!(pair.a.events, [Seen::Established, Seen::Done(1, Err(rejected))]);
    assert!(pair.a.kernel.is_empty() && pair.b.kernel.is_empty());
}

#[test]
fn an_address_that_cannot_be_installed_is_not_used() {
    let mut pair = road_warrior(&["0.0.0.0"], &[("p", &["10.3.0.1"])]);
    pair.a.interface.refuses = true;
    pair.initiate();
    pair.run(SOON);
    assert_eq!(pair.a.events, [Seen::Established, Seen::Done(1, Err(Failure::from(Refusal::NoAddress)))]);
    assert!(pair.a.kernel.is_empty());
    assert!(pair.b.kernel.is_empty(), "the peer was told that there is no child");
}

#[test]
fn further_children_use_the_address_and_rekeying_keeps_it() {
    let mut pair = road_warrior(&["0.0.0.0"], &[("p", &["10.3.0.1"])]);
    pair.initiate();
    pair.run(SOON);
    let child = pair.snapshot(Side::A).children[0].unique_id;
    pair.command(Side::A, Command::RekeyChild { child, token: None });
    pair.run(SOON);
    let config = Arc::clone(&pair.a.world.connections[0].children[0]);
    pair.command(Side::A, Command::InitiateChild { child: config, token: None });
    pair.run(SOON);
    for child in pair.snapshot(Side::A).children {
        assert_eq!(child.local_ts[0].to_string(), "10.3.0.1/32");
    }
}

#[test]
fn a_handshake_that_ends_early_gives_its_address_back() {
    let mut pair = road_warrior(&["0.0.0.0"], &[("p", &["10.3.0.1"])]);
    // The answer to IKE_AUTH never arrives: the client gives up, and its gateway finds it dead.
    pair.filter = Box::new(|sent| sent.from == Side::A || sent.header().message_id.0 == 0);
    configure(&mut pair, Side::B, |connection| connection.ike.dpd_delay = SOON);
    pair.initiate();
    pair.run(SOON * 400);
    assert!(pair.a.sas.is_empty() && pair.b.sas.is_empty());
    assert_eq!(pair.b.world.pools.borrow()["p"], [ip("10.3.0.1")]);
    assert!(pair.a.interface.vips.is_empty());
}

#[test]
fn a_rekeyed_ike_sa_keeps_the_address() {
    let mut pair = road_warrior(&["0.0.0.0"], &[("p", &["10.3.0.1"])]);
    pair.initiate();
    pair.run(SOON);
    pair.command(Side::A, Command::RekeyIke { token: Some(CommandToken(2)) });
    pair.run(SOON);
    assert_eq!(pair.snapshot(Side::A).local_vips, [ip("10.3.0.1")]);
    assert_eq!(pair.snapshot(Side::B).remote_vips, [ip("10.3.0.1")]);
    assert_eq!(pair.a.interface.vips, [ip("10.3.0.1")], "neither removed nor installed twice");
    assert!(pair.b.world.pools.borrow()["p"].is_empty());
}
