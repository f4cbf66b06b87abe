use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use charon_types::Secret;
use charon_types::id::Reqid;
use charon_types::kernel_op::{Encap, Expiry, PolicyClass, SaLimits, SaOptions};

use super::*;

const MOON: &str = "192.0.2.1";
const SUN: &str = "192.0.2.2";

fn kernel() -> NullIpsec {
    let mut capabilities = capabilities(&CryptoProvider::default());
    capabilities.encryption.push((EncryptionId::AES_GCM_16, 128));
    NullIpsec::new(capabilities)
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn reqid(number: u32) -> Reqid {
    Reqid(NonZeroU32::new(number).unwrap())
}

fn sa(spi: EspSpi, direction: Direction) -> AddSa {
    let (source, destination) = match direction {
        Direction::Inbound => (SUN, MOON),
        Direction::Outbound => (MOON, SUN),
    };
    AddSa {
        source: SocketAddr::new(address(source), 4500),
        destination: SocketAddr::new(address(destination), 4500),
        protocol: Protocol::Esp,
        spi,
        direction,
        mode: Mode::Tunnel,
        reqid: reqid(1),
        encryption: Some((EncryptionId::AES_GCM_16, Secret::copy_from(&[7; 20]))),
        integrity: None,
        encap: Encap::Udp,
        esn: Esn::Disabled,
        replay_window: 32,
        limits: SaLimits::default(),
        source_ts: vec![],
        destination_ts: vec![],
        mark: Mark::default(),
        if_id: IfId(0),
        options: SaOptions::default(),
    }
}

fn key(sa: &AddSa) -> SaKey {
    SaKey { destination: sa.destination.ip(), protocol: sa.protocol, spi: sa.spi }
}

fn reserve(kernel: &NullIpsec) -> EspSpi {
    let (source, destination) = (address(SUN), address(MOON));
    let op = KernelOp::AllocSpi {
        source,
        destination,
        protocol: Protocol::Esp,
        min: 0xc000_0000,
        max: 0xc000_0001,
    };
    match kernel.run(op) {
        Ok(KernelReply::Spi(spi)) => spi,
        other => panic!("{other:?}"),
    }
}

fn policy(number: u32) -> Policy {
    Policy {
        direction: PolicyDirection::Out,
        source: TrafficSelector::ANY_IPV4,
        destination: TrafficSelector::ANY_IPV4,
        action: PolicyAction::Protect {
            source: address(MOON),
            destination: address(SUN),
            protocol: Protocol::Esp,
            mode: Mode::Tunnel,
            reqid: reqid(number),
            spi: None,
        },
        priority: 0,
        mark: Mark::default(),
        if_id: IfId(0),
        interface: None,
        class: PolicyClass::Regular,
    }
}

#[test]
fn a_reserved_spi_is_completed_by_the_inbound_sa() {
    let kernel = kernel();
    let sa = sa(reserve(&kernel), Direction::Inbound);
    assert_eq!(kernel.reserved_spis().len(), 1);
    assert_eq!(kernel.run(KernelOp::AddSa(Box::new(sa.clone()))), Ok(KernelReply::Done));
    assert!(kernel.reserved_spis().is_empty());
    assert_eq!(kernel.run(KernelOp::DeleteSa(key(&sa))), Ok(KernelReply::Done));
    assert!(kernel.is_empty());
    assert_eq!(kernel.violations(), []);
}

#[test]
fn spis_run_out_and_come_back() {
    let kernel = kernel();
    let first = reserve(&kernel);
    assert_ne!(reserve(&kernel), first);
    let (source, destination) = (address(SUN), address(MOON));
    let again = KernelOp::AllocSpi {
        source,
        destination,
        protocol: Protocol::Esp,
        min: 0xc000_0000,
        max: 0xc000_0001,
    };
    assert_eq!(kernel.run(again), Err(KernelError::SpiExhausted));
    let reservation = SaKey { destination, protocol: Protocol::Esp, spi: first };
    assert_eq!(kernel.run(KernelOp::DeleteSa(reservation)), Ok(KernelReply::Done));
    assert_eq!(reserve(&kernel), first);
}

#[test]
fn adding_an_sa_twice_is_refused_and_written_down() {
    let kernel = kernel();
    let sa = sa(reserve(&kernel), Direction::Outbound);
    kernel.run(KernelOp::AddSa(Box::new(sa.clone()))).unwrap();
    assert_eq!(kernel.run(KernelOp::AddSa(Box::new(sa.clone()))), Err(KernelError::Exists));
    assert_eq!(kernel.violations(), [Violation::SaExists(key(&sa))]);
}

#[test]
fn an_inbound_sa_without_reservation_is_written_down() {
    let kernel = kernel();
    let sa = sa(EspSpi::from_be_bytes([1, 2, 3, 4]).unwrap(), Direction::Inbound);
    kernel.run(KernelOp::AddSa(Box::new(sa.clone()))).unwrap();
    assert_eq!(kernel.violations(), [Violation::SpiNotReserved(key(&sa))]);
}

#[test]
fn an_unknown_sa_can_be_neither_read_nor_deleted() {
    let kernel = kernel();
    let unknown = key(&sa(EspSpi::from_be_bytes([1, 2, 3, 4]).unwrap(), Direction::Inbound));
    assert_eq!(kernel.run(KernelOp::QuerySa(unknown)), Err(KernelError::NotFound));
    assert_eq!(kernel.run(KernelOp::DeleteSa(unknown)), Err(KernelError::NotFound));
    assert_eq!(kernel.violations(), [Violation::SaUnknown(unknown), Violation::SaUnknown(unknown)]);
}

#[test]
fn a_moved_sa_is_found_under_its_new_destination_with_its_counters() {
    let kernel = kernel();
    let sa = sa(reserve(&kernel), Direction::Outbound);
    kernel.run(KernelOp::AddSa(Box::new(sa.clone()))).unwrap();
    let usage = SaUsage { bytes: 100, packets: 2, idle: Some(Duration::from_secs(3)) };
    assert!(kernel.set_usage(key(&sa), usage));
    let destination: SocketAddr = "198.51.100.9:4500".parse().unwrap();
    let update = KernelOp::UpdateSa { sa: key(&sa), source: sa.source, destination, encap: Encap::Udp };
    assert_eq!(kernel.run(update), Ok(KernelReply::Done));
    let moved = SaKey { destination: destination.ip(), ..key(&sa) };
    assert_eq!(kernel.run(KernelOp::QuerySa(moved)), Ok(KernelReply::Usage(usage)));
    assert!(kernel.sa(key(&sa)).is_none());
}

#[test]
fn a_policy_lives_until_its_last_owner_lets_go() {
    let kernel = kernel();
    for number in [1, 1, 2] {
        kernel.run(KernelOp::AddPolicy(Box::new(policy(number)))).unwrap();
    }
    let delete = |number| kernel.run(KernelOp::DeletePolicy(Box::new(policy(number))));
    assert_eq!(kernel.policies()[0].policy.action, policy(2).action);
    assert_eq!(delete(2), Ok(KernelReply::Done));
    assert_eq!(kernel.policies()[0].policy.action, policy(1).action);
    assert_eq!(delete(2), Err(KernelError::NotFound));
    assert_eq!((delete(1), delete(1)), (Ok(KernelReply::Done), Ok(KernelReply::Done)));
    assert!(kernel.is_empty());
    assert_eq!(kernel.violations(), [Violation::PolicyUnknown(Box::new(policy(2)))]);
}

#[tokio::test]
async fn a_batch_answers_each_operation_in_order() {
    let kernel = kernel();
    let sa = sa(EspSpi::from_be_bytes([9, 2, 3, 4]).unwrap(), Direction::Outbound);
    let ops = vec![
        KernelOp::DeleteSa(key(&sa)),
        KernelOp::AddSa(Box::new(sa.clone())),
        KernelOp::DeleteSa(key(&sa)),
    ];
    let results = kernel.submit(ops).await;
    assert_eq!(results, [Err(KernelError::NotFound), Ok(KernelReply::Done), Ok(KernelReply::Done)]);
}

#[tokio::test]
async fn events_go_to_the_first_who_takes_them() {
    let kernel = kernel();
    let sa = key(&sa(EspSpi::from_be_bytes([9, 2, 3, 4]).unwrap(), Direction::Outbound));
    let event = KernelEvent::Expire { sa, expiry: Expiry::Soft };
    let mut events = kernel.take_events().expect("nobody took them yet");
    assert!(kernel.take_events().is_none());
    assert!(kernel.report(event.clone()));
    assert_eq!(events.recv().await, Some(event));
}
