//! Cases 52 to 60: how a router leaves a role.

use std::time::Duration;

use vrrp_proto::config::OnLowerPriority;
use vrrp_proto::tracking::Tracked;
use vrrp_proto::{InterfaceState, Output, Reason, RouterConfig, State, Version};

use crate::bench::{Dut, OWN_V6, Packet, config, config_v6, ip, priority};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn active_router_yields_to_a_higher_priority_at_once() {
    for version in [Version::V2, Version::V3] {
        let mut dut = Dut::active(config(version));
        let before = dut.now;
        dut.hear(&Packet::of(version, 150)).unwrap();
        assert_eq!((dut.router.state(), dut.now), (State::Backup, before));
        let removed = Output::RemoveAddresses(vec![ip("192.0.2.1")]);
        assert_eq!(dut.log.iter().filter(|(_, output)| *output == removed).count(), 1);
        dut.advance(3 * SECOND);
        assert_eq!(dut.adverts(), []);
        let by = Reason::HigherPriority { by: ip("192.0.2.12"), priority: priority(150) };
        assert_eq!(dut.transitions()[0].reason, by);
    }
}

#[test]
fn equal_priorities_are_decided_by_the_address_as_a_number() {
    for (other, state) in
        [("192.0.2.12", State::Backup), ("192.0.2.10", State::Active), ("192.0.1.200", State::Active)]
    {
        let mut dut = Dut::active(config(Version::V2));
        dut.hear(&Packet::v2(100).from(other)).unwrap();
        assert_eq!(dut.router.state(), state, "{other}");
    }
}

#[test]
fn ipv6_addresses_are_compared_in_all_16_octets() {
    assert_eq!(OWN_V6, "fe80::11");
    for (other, state) in [
        ("fe80::12", State::Backup),
        ("fe80::10", State::Active),
        ("fe80::1:0:0:1", State::Backup),
        ("fe80::ff:0:0:0", State::Backup),
    ] {
        let mut dut = Dut::active(config_v6());
        dut.hear(&Packet::v6(100).from(other)).unwrap();
        assert_eq!(dut.router.state(), state, "{other}");
    }
}

#[test]
fn active_router_answers_priority_zero_and_restarts_its_timer() {
    let mut dut = Dut::active(config(Version::V2));
    dut.advance(Duration::from_millis(300));
    dut.log.clear();
    dut.hear(&Packet::v2(0)).unwrap();
    assert_eq!(dut.adverts().len(), 1);
    let restarted = dut.router.next_timeout().unwrap();
    assert_eq!(restarted - dut.now.mono, SECOND);
}

#[test]
fn active_router_asserts_itself_against_a_lower_priority() {
    let mut dut = Dut::active(config(Version::V3));
    dut.advance(Duration::from_millis(300));
    dut.log.clear();
    dut.hear(&Packet::v3(50)).unwrap();
    assert_eq!((dut.router.state(), dut.adverts().len()), (State::Active, 1));
    // A flood is not answered by a flood.
    for _ in 0..100 {
        dut.hear(&Packet::v3(50)).unwrap();
    }
    assert_eq!(dut.adverts().len(), 1);

    let silent = RouterConfig { on_lower_priority: OnLowerPriority::Ignore, ..config(Version::V3) };
    let mut dut = Dut::active(silent);
    dut.advance(Duration::from_millis(300));
    dut.log.clear();
    dut.hear(&Packet::v3(50)).unwrap();
    assert_eq!((dut.router.state(), dut.adverts().len()), (State::Active, 0));
}

#[test]
fn stopped_active_router_leaves_with_one_advertisement_of_priority_zero() {
    let mut dut = Dut::active(config(Version::V3));
    dut.router.stop(dut.now);
    dut.drain();
    let outputs: Vec<&Output> = dut.log.iter().map(|(_, output)| output).collect();
    assert!(matches!(outputs[0], Output::SendAdvert(advert) if advert.payload[2] == 0));
    assert!(matches!(outputs[1], Output::RemoveAddresses(_)));
    assert!(matches!(outputs[2], Output::Transition(_)));
    assert_eq!(outputs.len(), 3);
    assert_eq!(dut.router.statistics().priority_zero_pkts_sent, 1);
    assert_eq!(dut.router.next_timeout(), None);

    let mut backup = Dut::up(config(Version::V3));
    backup.router.stop(backup.now);
    backup.drain();
    assert_eq!((backup.adverts().len(), backup.router.state()), (0, State::Initialize));
}

#[test]
fn interface_that_goes_down_ends_the_role_and_a_new_one_begins_as_backup() {
    let mut dut = Dut::active(config(Version::V3));
    dut.interface(InterfaceState::Down);
    assert_eq!(dut.router.state(), State::Initialize);
    assert!(dut.log.iter().any(|(_, output)| matches!(output, Output::RemoveAddresses(_))));
    assert_eq!(dut.transitions()[0].reason, Reason::InterfaceDown);
    dut.advance(10 * SECOND);
    dut.interface_up();
    assert_eq!(dut.router.state(), State::Backup);
    assert_eq!(dut.takeover_after(), Duration::from_micros(3_609_375));
}

#[test]
fn lost_primary_address_ends_the_role() {
    let mut dut = Dut::active(config(Version::V3));
    dut.interface(InterfaceState::Up { primary: None });
    assert_eq!(dut.router.state(), State::Initialize);
    assert_eq!(dut.transitions()[0].reason, Reason::NoPrimaryAddress);
    dut.interface_up();
    assert_eq!(dut.router.state(), State::Backup);
    // An address of the other family is none.
    dut.interface(InterfaceState::Up { primary: Some(ip("fe80::11")) });
    assert_eq!(dut.router.state(), State::Initialize);
}

#[test]
fn priority_that_changes_at_run_time_counts_at_once() {
    let mut dut = Dut::up(config(Version::V3));
    for _ in 0..5 {
        dut.hear(&Packet::v3(150)).unwrap();
        dut.advance(SECOND);
    }
    assert_eq!(dut.router.state(), State::Backup);
    dut.router.set_tracked(Tracked::Adjust(100), dut.now);
    assert_eq!(dut.router.effective_priority(), priority(200));
    for _ in 0..4 {
        dut.hear(&Packet::v3(150)).unwrap();
        dut.advance(SECOND);
    }
    assert_eq!(dut.router.state(), State::Active);
    assert_eq!(dut.router.snapshot().reason, Some(Reason::Preempted));
    dut.router.set_tracked(Tracked::Adjust(0), dut.now);
    assert_eq!(dut.router.state(), State::Active);
    dut.hear(&Packet::v3(150)).unwrap();
    assert_eq!(dut.router.state(), State::Backup);
}

#[test]
fn tracked_fault_ends_the_role_until_it_is_cleared() {
    let mut dut = Dut::active(config(Version::V3));
    dut.router.set_tracked(Tracked::Fault, dut.now);
    dut.drain();
    assert_eq!(dut.adverts().last().map(|(_, priority)| *priority), Some(0));
    assert_eq!(dut.router.state(), State::Initialize);
    dut.router.set_tracked(Tracked::Adjust(0), dut.now);
    assert_eq!(dut.router.state(), State::Backup);
}
