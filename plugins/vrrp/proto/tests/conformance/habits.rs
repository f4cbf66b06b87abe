//! What people set in keepalived, by its names, and what it changes here.

use std::time::Duration;

use vrrp_proto::config::{AnnounceSchedule, OnHigherPriority, OnLowerPriority};
use vrrp_proto::{Output, RouterConfig, State, Version};

use crate::bench::{Dut, Packet, config, ip};

const SECOND: Duration = Duration::from_secs(1);

/// When addresses are announced, and how often each.
fn announcements(dut: &Dut) -> Vec<(u64, u8)> {
    let announced = |(at, output): &(Duration, Output)| match output {
        Output::Announce { repeat, .. } => Some((at.as_secs(), *repeat)),
        _ => None,
    };
    dut.log.iter().filter_map(announced).collect()
}

fn announcing(announce: AnnounceSchedule) -> Dut {
    let mut dut = Dut::down(RouterConfig { announce, ..config(Version::V3) });
    dut.interface_up();
    dut
}

#[test]
fn garp_master_repeat_and_delay_make_a_second_round() {
    let quiet = AnnounceSchedule { refresh: Duration::ZERO, ..AnnounceSchedule::default() };
    let mut dut = announcing(AnnounceSchedule { repeat: 3, delay: 2 * SECOND, ..quiet });
    dut.advance(60 * SECOND);
    assert_eq!(announcements(&dut), [(3, 3), (5, 3)]);
    let mut dut = announcing(AnnounceSchedule { repeat: 1, delay: Duration::ZERO, ..quiet });
    dut.advance(60 * SECOND);
    assert_eq!(announcements(&dut), [(3, 1)]);
}

#[test]
fn garp_master_refresh_announces_again_and_again() {
    let mut dut = announcing(AnnounceSchedule {
        delay: Duration::ZERO,
        refresh: 10 * SECOND,
        refresh_repeat: 2,
        ..AnnounceSchedule::default()
    });
    dut.advance(35 * SECOND);
    assert_eq!(announcements(&dut), [(3, 5), (13, 2), (23, 2), (33, 2)]);
}

#[test]
fn garp_lower_prio_repeat_and_delay_follow_a_contention() {
    let announce = AnnounceSchedule {
        lower_priority_repeat: 2,
        lower_priority_delay: 4 * SECOND,
        ..AnnounceSchedule::default()
    };
    let mut dut = Dut::active(RouterConfig { announce, ..config(Version::V3) });
    dut.advance(SECOND / 2);
    dut.hear(&Packet::v3(50)).unwrap();
    let begin = announcements(&dut)[0].0;
    dut.advance(20 * SECOND);
    assert_eq!(announcements(&dut), [(begin, 2), (begin + 4, 2)]);
    let silent = AnnounceSchedule { lower_priority_repeat: 0, ..announce };
    let mut dut = Dut::active(RouterConfig { announce: silent, ..config(Version::V3) });
    dut.advance(SECOND / 2);
    dut.hear(&Packet::v3(50)).unwrap();
    dut.advance(20 * SECOND);
    assert_eq!(announcements(&dut), []);
}

#[test]
fn down_timer_adverts_decides_how_many_may_be_missed() {
    for (adverts, millis) in [(1, 1609), (3, 3609), (10, 10_609)] {
        let mut dut = Dut::up(RouterConfig { down_timer_adverts: adverts, ..config(Version::V3) });
        dut.hear(&Packet::v3(150)).unwrap();
        assert_eq!(dut.takeover_after().as_millis(), millis);
    }
}

#[test]
fn higher_prio_send_advert_sends_one_more_before_it_yields() {
    for (option, sent) in [(OnHigherPriority::AdvertThenYield, 1), (OnHigherPriority::Yield, 0)] {
        let mut dut = Dut::active(RouterConfig { on_higher_priority: option, ..config(Version::V3) });
        dut.advance(SECOND / 2);
        dut.log.clear();
        dut.hear(&Packet::v3(150)).unwrap();
        assert_eq!((dut.adverts().len(), dut.router.state()), (sent, State::Backup));
    }
}

#[test]
fn lower_prio_no_advert_answers_nothing() {
    for (option, sent) in [(OnLowerPriority::Ignore, 0), (OnLowerPriority::Assert, 1)] {
        let mut dut = Dut::active(RouterConfig { on_lower_priority: option, ..config(Version::V3) });
        dut.advance(SECOND / 2);
        dut.log.clear();
        dut.hear(&Packet::v3(50)).unwrap();
        assert_eq!((dut.adverts().len(), dut.router.state()), (sent, State::Active));
    }
}

#[test]
fn virtual_ipaddress_excluded_come_and_go_but_are_not_advertised() {
    let excluded = vec![ip("198.51.100.7"), ip("2001:db8::7")];
    let mut dut = Dut::down(RouterConfig { excluded, ..config(Version::V3) });
    dut.interface_up();
    dut.advance(10 * SECOND);
    dut.router.stop(dut.now);
    dut.drain();
    let mut seen = Vec::new();
    for (_, output) in &dut.log {
        match output {
            Output::SendAdvert(advert) => assert_eq!((advert.payload[3], advert.payload.len()), (1, 12)),
            Output::AddAddresses(all) | Output::RemoveAddresses(all) => seen.push(all.len()),
            _ => {}
        }
    }
    assert_eq!(seen, [3, 3]);
}
