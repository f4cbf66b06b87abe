//! Case 69: a definition that did not change disturbs nothing; one that did, no more than it must.

use std::time::Duration;

use vrrp_proto::{ConfigError, Interval, Output, RouterConfig, State, Version, Vrid};

use crate::bench::{Dut, Packet, config, crypto, ip, priority};

#[test]
fn same_definition_again_changes_nothing() {
    let tenth =
        RouterConfig { advert_interval: Interval::from_centiseconds(10).unwrap(), ..config(Version::V3) };
    let mut dut = Dut::active(tenth.clone());
    for _ in 0..100 {
        dut.advance(Duration::from_millis(33));
        let before = dut.router.next_timeout();
        dut.router.reconfigure(tenth.clone(), &crypto(), dut.now).unwrap();
        assert_eq!((dut.router.next_timeout(), dut.router.poll_output()), (before, None));
    }
    let adverts = dut.adverts();
    assert!(adverts.windows(2).all(|pair| pair[1].0 - pair[0].0 == Duration::from_millis(100)));
    assert_eq!((adverts.len(), dut.transitions().len()), (33, 0));
}

#[test]
fn addresses_of_an_active_router_come_and_go_without_a_change_of_role() {
    let mut dut = Dut::active(config(Version::V3));
    let other = RouterConfig { addresses: vec![ip("192.0.2.2")], ..config(Version::V3) };
    dut.router.reconfigure(other, &crypto(), dut.now).unwrap();
    dut.drain();
    let outputs: Vec<Output> = dut.log.iter().map(|(_, output)| output.clone()).collect();
    assert_eq!(outputs[0], Output::RemoveAddresses(vec![ip("192.0.2.1")]));
    assert_eq!(outputs[1], Output::AddAddresses(vec![ip("192.0.2.2")]));
    assert!(matches!(&outputs[2], Output::Announce { addresses, .. } if *addresses == [ip("192.0.2.2")]));
    assert!(matches!(outputs[3], Output::SendAdvert(_)));
    assert_eq!((outputs.len(), dut.router.state()), (4, State::Active));
}

#[test]
fn backup_that_becomes_the_owner_takes_over() {
    let mut dut = Dut::up(config(Version::V3));
    dut.hear(&Packet::v3(150)).unwrap();
    let owner = RouterConfig { priority: priority(255), ..config(Version::V3) };
    dut.router.reconfigure(owner, &crypto(), dut.now).unwrap();
    assert_eq!(dut.router.state(), State::Active);
}

#[test]
fn another_router_is_refused_and_a_wrong_definition_changes_nothing() {
    let mut dut = Dut::active(config(Version::V3));
    let other = RouterConfig { vrid: Vrid::new(52).unwrap(), ..config(Version::V3) };
    assert_eq!(dut.router.reconfigure(other, &crypto(), dut.now), Err(ConfigError::OtherRouter));
    let wrong = RouterConfig { addresses: Vec::new(), ..config(Version::V3) };
    assert_eq!(dut.router.reconfigure(wrong, &crypto(), dut.now), Err(ConfigError::NoAddress));
    assert_eq!(*dut.router.config(), config(Version::V3));
}
