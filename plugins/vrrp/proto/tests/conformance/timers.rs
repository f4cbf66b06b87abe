//! Cases 41 to 51: when a router becomes Active.

use std::time::Duration;

use vrrp_proto::config::Preemption;
use vrrp_proto::{Interval, Output, RouterConfig, State, Version};

use crate::bench::{Dut, Packet, config, priority};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn v2_router_takes_over_after_3609_ms_and_advertises_each_second() {
    let mut dut = Dut::up(config(Version::V2));
    assert_eq!(dut.router.state(), State::Backup);
    dut.advance(Duration::from_secs(10));
    let adverts: Vec<Duration> = dut.adverts().into_iter().map(|(at, _)| at).collect();
    assert_eq!(adverts[0], Duration::from_micros(3_609_375));
    assert_eq!(adverts.len(), 7);
    assert!(adverts.windows(2).all(|pair| pair[1] - pair[0] == SECOND));
}

#[test]
fn owner_is_active_at_once() {
    let dut = Dut::up(RouterConfig { priority: priority(255), ..config(Version::V2) });
    assert_eq!(dut.adverts(), [(Duration::ZERO, 255)]);
    assert!(dut.log.iter().any(|(at, output)| at.is_zero() && matches!(output, Output::Announce { .. })));
    assert_eq!(dut.router.state(), State::Active);
}

#[test]
fn owner_goes_on_advertising() {
    let mut dut = Dut::up(RouterConfig { priority: priority(255), ..config(Version::V2) });
    dut.advance(Duration::from_secs(10));
    assert_eq!(dut.adverts().len(), 11);
}

#[test]
fn v3_priority_200_takes_over_after_3218_75_ms() {
    let mut dut = Dut::up(RouterConfig { priority: priority(200), ..config(Version::V3) });
    assert_eq!(dut.takeover_after(), Duration::from_micros(3_218_750));
}

#[test]
fn v3_interval_of_10_centiseconds_takes_over_after_30_and_the_skew() {
    let advert_interval = Interval::from_centiseconds(10).unwrap();
    let mut dut = Dut::up(RouterConfig { advert_interval, ..config(Version::V3) });
    assert_eq!(dut.takeover_after(), Duration::from_nanos(360_937_500));
}

#[test]
fn v3_backup_waits_as_long_as_the_active_router_s_interval_says() {
    let mut dut = Dut::up(config(Version::V3));
    dut.hear(&Packet::v3(150).interval_cs(20)).unwrap();
    assert_eq!(dut.takeover_after(), Duration::from_nanos(600_000_000 + 121_875_000));
}

#[test]
fn priority_zero_leaves_the_skew_only() {
    for version in [Version::V2, Version::V3] {
        let mut dut = Dut::up(config(version));
        dut.hear(&Packet::of(version, 150)).unwrap();
        dut.advance(SECOND);
        dut.hear(&Packet::of(version, 0)).unwrap();
        assert_eq!(dut.takeover_after(), Duration::from_micros(609_375));
        assert_eq!(dut.router.statistics().priority_zero_pkts_rcvd, 1);
    }
}

#[test]
fn higher_priority_each_second_keeps_it_backup() {
    let mut dut = Dut::up(config(Version::V2));
    for _ in 0..600 {
        dut.advance(SECOND);
        dut.hear(&Packet::v2(150)).unwrap();
    }
    assert_eq!((dut.router.state(), dut.adverts().len()), (State::Backup, 0));
}

#[test]
fn lower_priority_is_preempted_as_if_it_were_silent() {
    let mut dut = Dut::up(config(Version::V2));
    for _ in 0..5 {
        dut.hear(&Packet::v2(99)).unwrap();
        dut.advance(SECOND);
    }
    assert_eq!(dut.adverts()[0].0, Duration::from_micros(3_609_375));
}

#[test]
fn lower_priority_is_followed_without_preemption() {
    let mut dut = Dut::up(RouterConfig { preemption: Preemption::Never, ..config(Version::V2) });
    for _ in 0..60 {
        dut.hear(&Packet::v2(99)).unwrap();
        dut.advance(SECOND);
    }
    assert_eq!(dut.router.state(), State::Backup);
}

#[test]
fn equal_priority_is_followed_whatever_the_address() {
    for other in ["192.0.2.10", "192.0.2.12"] {
        let mut dut = Dut::up(config(Version::V2));
        for _ in 0..60 {
            dut.hear(&Packet::v2(100).from(other)).unwrap();
            dut.advance(SECOND);
        }
        assert_eq!(dut.router.state(), State::Backup);
    }
}

fn patient() -> RouterConfig {
    RouterConfig { preemption: Preemption::After(5 * SECOND), ..config(Version::V3) }
}

#[test]
fn preemption_waits_for_its_delay_and_a_higher_priority_cancels_it() {
    let mut dut = Dut::up(patient());
    // Heard at 0, 1, .. 5 s; the one at 5 s is the first to be discarded: the timer runs from 4 s.
    for _ in 0..20 {
        dut.hear(&Packet::v3(50)).unwrap();
        dut.advance(SECOND);
    }
    let took_over = dut.adverts()[0].0;
    assert_eq!(took_over, 4 * SECOND + Duration::from_micros(3_609_375));

    let mut dut = Dut::up(patient());
    for second in 0..20 {
        let heard = if second == 4 { 150 } else { 50 };
        dut.hear(&Packet::v3(heard)).unwrap();
        dut.advance(SECOND);
    }
    // The delay begins again at 5 s.
    assert_eq!(dut.adverts()[0].0, 9 * SECOND + Duration::from_micros(3_609_375));
}

#[test]
fn preemption_delay_does_not_delay_a_silent_start() {
    let mut dut = Dut::up(patient());
    assert_eq!(dut.takeover_after(), Duration::from_micros(3_609_375));
    // Nor the death of the lower one while it is let be.
    let mut dut = Dut::up(patient());
    dut.hear(&Packet::v3(50)).unwrap();
    assert_eq!(dut.takeover_after(), Duration::from_micros(3_609_375));
}

#[test]
fn late_wake_ups_do_not_add_up() {
    let mut dut = Dut::active(config(Version::V3));
    let first = dut.router.next_timeout().unwrap();
    for second in 0..60_u32 {
        let due = dut.router.next_timeout().unwrap();
        assert_eq!(due - first, SECOND * second);
        dut.now = dut.now.advance(due - dut.now.mono + Duration::from_millis(6));
        dut.router.handle_timeout(dut.now);
    }
    // Whoever slept through several does not send them all.
    dut.drain();
    dut.log.clear();
    dut.now = dut.now.advance(10 * SECOND);
    dut.router.handle_timeout(dut.now);
    dut.drain();
    assert_eq!((dut.adverts().len(), dut.router.next_timeout().unwrap() - dut.now.mono), (1, SECOND));
}
