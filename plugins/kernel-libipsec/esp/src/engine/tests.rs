use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::LazyLock;
use std::time::Duration;

use charon_crypto::ProviderBuilder;
use charon_types::Secret;
use charon_types::id::{IfId, Mark, Reqid};
use charon_types::kernel_op::{
    AddSa, Direction, Encap, KernelError, KernelReply, Policy, PolicyAction, PolicyClass, PolicyDirection,
    SaLimit, SaLimits, SaOptions,
};
use charon_types::selector::TrafficSelector;
use proptest::prelude::*;

use super::*;
use crate::sealer::{Sealer, Transmit};

/// Tested once, not once for every case.
static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
    let mut builder = ProviderBuilder::default();
    for algorithm in charon_crypto_aws_lc::algorithms() {
        builder.add(charon_crypto_aws_lc::NAME, algorithm).unwrap();
    }
    Arc::new(builder.freeze())
});

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::clone(&PROVIDER)
}

fn engine() -> Arc<Engine> {
    Arc::new(Engine::new(provider()))
}

fn spi(number: u32) -> EspSpi {
    EspSpi(NonZeroU32::new(number).unwrap())
}

fn reqid(number: u32) -> Reqid {
    Reqid(NonZeroU32::new(number).unwrap())
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn net(text: &str) -> TrafficSelector {
    TrafficSelector::subnet(text.parse().unwrap(), 16)
}

/// From moon (10.1/16 behind 192.0.2.1) to sun (10.2/16 behind 192.0.2.2); the same on both sides but for the direction.
pub(crate) fn sa(number: u32, direction: Direction) -> AddSa {
    AddSa {
        source: address("192.0.2.1:4500"),
        destination: address("192.0.2.2:4500"),
        protocol: Protocol::Esp,
        spi: spi(number),
        direction,
        mode: Mode::Tunnel,
        reqid: reqid(1),
        encryption: Some((EncryptionId::AES_GCM_16, Secret::copy_from(&[7; 20]))),
        integrity: None,
        encap: Encap::Udp,
        esn: Esn::Disabled,
        replay_window: 32,
        limits: SaLimits::default(),
        source_ts: vec![net("10.1.0.0")],
        destination_ts: vec![net("10.2.0.0")],
        mark: Mark::default(),
        if_id: IfId(0),
        options: SaOptions::default(),
    }
}

fn key(number: u32) -> SaKey {
    SaKey { destination: address("192.0.2.2:0").ip(), protocol: Protocol::Esp, spi: spi(number) }
}

fn policy(number: u32, named: Option<u32>) -> Policy {
    Policy {
        direction: PolicyDirection::Out,
        source: net("10.1.0.0"),
        destination: net("10.2.0.0"),
        action: PolicyAction::Protect {
            source: address("192.0.2.1:0").ip(),
            destination: address("192.0.2.2:0").ip(),
            protocol: Protocol::Esp,
            mode: Mode::Tunnel,
            reqid: reqid(number),
            spi: named.map(spi),
        },
        priority: 0,
        mark: Mark::default(),
        if_id: IfId(0),
        interface: None,
        class: PolicyClass::Regular,
    }
}

fn add(engine: &Engine, sa: AddSa) {
    assert_eq!(engine.apply(Millis(0), KernelOp::AddSa(Box::new(sa))), Ok(KernelReply::Done));
}

fn add_policy(engine: &Engine, policy: Policy) {
    assert_eq!(engine.apply(Millis(0), KernelOp::AddPolicy(Box::new(policy))), Ok(KernelReply::Done));
}

fn usage(engine: &Engine, key: SaKey) -> (u64, u64) {
    match engine.apply(Millis(0), KernelOp::QuerySa(key)) {
        Ok(KernelReply::Usage(usage)) => (usage.bytes, usage.packets),
        other => panic!("{other:?}"),
    }
}

/// An inner IPv4 packet of `len` octets.
fn inner(source: [u8; 4], destination: [u8; 4], len: u8) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, len, 0, 0, 0, 0, 64, 17, 0, 0];
    packet.extend(source);
    packet.extend(destination);
    packet.resize(usize::from(len), 0x55);
    packet
}

#[derive(Default)]
struct Wire(Vec<(Path, Vec<u8>, usize)>);

impl Transmit for Wire {
    fn transmit(&mut self, path: Path, datagrams: &[u8], segment: usize) {
        self.0.push((path, datagrams.to_vec(), segment));
    }
}

/// What `engine` sends for those packets.
fn send(engine: &Arc<Engine>, packets: &[Vec<u8>]) -> Result<Wire, Discard> {
    let mut sealer = Sealer::new(Arc::clone(engine));
    let mut wire = Wire::default();
    for packet in packets {
        let (flow, len) = Flow::parse(packet).unwrap();
        sealer.select(Millis(0), &flow, 1, &mut wire)?;
        sealer.push(Millis(0), len, &mut wire, |out| out.copy_from_slice(&packet[..len]))?;
    }
    sealer.flush(Millis(0), &mut wire);
    Ok(wire)
}

/// What `engine` lets through of what was sent.
fn receive(engine: &Engine, wire: &Wire) -> Vec<Vec<u8>> {
    let mut delivered = Vec::new();
    for (path, datagrams, segment) in &wire.0 {
        let mut datagrams = datagrams.clone();
        let mut places = Vec::new();
        let seen = Path { local: path.remote, remote: path.local };
        engine.open(Millis(0), seen, &mut datagrams, *segment, |place, _| places.push(place));
        delivered.extend(places.into_iter().map(|place| datagrams[place].to_vec()));
    }
    delivered
}

fn pair() -> (Arc<Engine>, Arc<Engine>) {
    let (moon, sun) = (engine(), engine());
    add(&moon, sa(500, Direction::Outbound));
    add_policy(&moon, policy(1, None));
    add(&sun, sa(500, Direction::Inbound));
    (moon, sun)
}

const MOON: [u8; 4] = [10, 1, 0, 1];
const SUN: [u8; 4] = [10, 2, 0, 1];

#[test]
fn packets_of_one_length_travel_in_one_batch_and_arrive_in_order() {
    let (moon, sun) = pair();
    let mut packets = vec![inner(MOON, SUN, 100); 5];
    packets.push(inner(MOON, SUN, 40));
    packets.push(inner(MOON, SUN, 100));
    let wire = send(&moon, &packets).unwrap();
    // The shorter packet ends its batch.
    assert_eq!(wire.0.len(), 2);
    assert_eq!(receive(&sun, &wire), packets);
    assert_eq!(usage(&moon, key(500)), (640, 7));
    assert_eq!(usage(&sun, key(500)), (640, 7));
}

#[test]
fn a_replayed_packet_is_dropped() {
    let (moon, sun) = pair();
    let wire = send(&moon, &[inner(MOON, SUN, 100)]).unwrap();
    assert_eq!(receive(&sun, &wire).len(), 1);
    assert_eq!(receive(&sun, &wire).len(), 0);
    assert_eq!(sun.discards().get(Discard::Replayed), 1);
}

#[test]
fn a_packet_outside_the_selectors_is_dropped_after_decryption() {
    let (moon, sun) = pair();
    let mut narrow = sa(501, Direction::Inbound);
    narrow.source_ts = vec![TrafficSelector::host("10.1.0.2".parse().unwrap())];
    add(&sun, narrow);
    add(&moon, sa(501, Direction::Outbound));
    let wire = send(&moon, &[inner(MOON, SUN, 100)]).unwrap();
    assert!(receive(&sun, &wire).is_empty());
    assert_eq!(sun.discards().get(Discard::Selectors), 1);
    assert_eq!(usage(&sun, key(501)), (0, 0));
}

#[test]
fn unknown_spis_and_packets_without_a_policy_are_counted() {
    let (moon, sun) = pair();
    let wire = send(&moon, &[inner(MOON, SUN, 100)]).unwrap();
    assert_eq!(sun.apply(Millis(0), KernelOp::DeleteSa(key(500))), Ok(KernelReply::Done));
    assert!(receive(&sun, &wire).is_empty());
    assert_eq!(sun.discards().get(Discard::UnknownSpi), 1);
    assert_eq!(send(&moon, &[inner(SUN, MOON, 100)]).err(), Some(Discard::NoPolicy));
}

#[test]
fn an_outbound_policy_takes_the_sa_it_names_and_else_the_newest() {
    let (moon, _) = pair();
    let spi_of = |wire: &Wire| u32::from_be_bytes(*wire.0[0].1.first_chunk().unwrap());
    let packets = [inner(MOON, SUN, 100)];
    add(&moon, sa(501, Direction::Outbound));
    assert_eq!(spi_of(&send(&moon, &packets).unwrap()), 501);
    add_policy(&moon, policy(1, Some(500)));
    assert_eq!(spi_of(&send(&moon, &packets).unwrap()), 500);
    moon.apply(Millis(0), KernelOp::DeleteSa(key(500))).unwrap();
    assert_eq!(spi_of(&send(&moon, &packets).unwrap()), 501);
    moon.apply(Millis(0), KernelOp::DeleteSa(key(501))).unwrap();
    assert_eq!(send(&moon, &packets).err(), Some(Discard::NoSa));
}

#[test]
fn a_policy_stays_until_its_last_owner_goes() {
    let (moon, _) = pair();
    add_policy(&moon, policy(1, None));
    let delete = || moon.apply(Millis(0), KernelOp::DeletePolicy(Box::new(policy(1, None))));
    assert_eq!(delete(), Ok(KernelReply::Done));
    assert!(send(&moon, &[inner(MOON, SUN, 100)]).is_ok());
    assert_eq!(delete(), Ok(KernelReply::Done));
    assert_eq!(send(&moon, &[inner(MOON, SUN, 100)]).err(), Some(Discard::NoPolicy));
    assert_eq!(delete(), Err(KernelError::NotFound));
}

#[test]
fn spis_are_reserved_within_the_range_until_none_is_left() {
    let engine = engine();
    let reserve = || {
        engine.apply(
            Millis(0),
            KernelOp::AllocSpi {
                source: address("192.0.2.1:0").ip(),
                destination: address("192.0.2.2:0").ip(),
                protocol: Protocol::Esp,
                min: 0xc000_0000,
                max: 0xc000_0007,
            },
        )
    };
    let mut spis = std::collections::BTreeSet::new();
    for _ in 0..8 {
        match reserve() {
            Ok(KernelReply::Spi(spi)) => assert!(spis.insert(spi.get())),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(spis.into_iter().collect::<Vec<_>>(), (0xc000_0000..=0xc000_0007).collect::<Vec<_>>());
    assert_eq!(reserve(), Err(KernelError::SpiExhausted));
    engine.apply(Millis(0), KernelOp::DeleteSa(key(0xc000_0003))).unwrap();
    assert_eq!(reserve(), Ok(KernelReply::Spi(spi(0xc000_0003))));
}

#[test]
fn time_limits_end_an_sa_and_are_told_once() {
    let (moon, _) = pair();
    let mut limited = sa(501, Direction::Outbound);
    limited.limits = SaLimits {
        soft: SaLimit { time: Duration::from_secs(10), ..SaLimit::default() },
        hard: SaLimit { time: Duration::from_secs(20), ..SaLimit::default() },
    };
    add(&moon, limited);
    assert_eq!(moon.poll_timeout(), Some(Millis(10_000)));
    moon.handle_timeout(Millis(10_000));
    let soft = KernelEvent::Expire { sa: key(501), expiry: Expiry::Soft };
    assert_eq!((moon.poll_event(), moon.poll_event()), (Some(soft), None));
    moon.handle_timeout(Millis(30_000));
    let hard = KernelEvent::Expire { sa: key(501), expiry: Expiry::Hard };
    assert_eq!((moon.poll_event(), moon.poll_timeout()), (Some(hard), None));
    assert_eq!(send(&moon, &[inner(MOON, SUN, 100)]).err(), Some(Discard::Expired));
}

#[test]
fn volume_limits_end_an_sa_on_both_sides() {
    let (moon, sun) = (engine(), engine());
    let limits = SaLimits {
        soft: SaLimit { packets: 2, ..SaLimit::default() },
        hard: SaLimit { bytes: 400, ..SaLimit::default() },
    };
    add(&moon, AddSa { limits, ..sa(500, Direction::Outbound) });
    add(&sun, AddSa { limits, ..sa(500, Direction::Inbound) });
    add_policy(&moon, policy(1, None));
    let events = |engine: &Engine| std::iter::from_fn(|| engine.poll_event()).collect::<Vec<_>>();
    let expire = |expiry| KernelEvent::Expire { sa: key(500), expiry };
    for expected in [vec![], vec![expire(Expiry::Soft)], vec![], vec![expire(Expiry::Hard)]] {
        let wire = send(&moon, &[inner(MOON, SUN, 100)]).unwrap();
        assert_eq!(receive(&sun, &wire).len(), 1);
        assert_eq!((events(&moon), events(&sun)), (expected.clone(), expected));
    }
    assert_eq!(send(&moon, &[inner(MOON, SUN, 100)]).err(), Some(Discard::Expired));
}

#[test]
fn a_deleted_sa_has_no_timer_left() {
    let engine = engine();
    let mut limited = sa(501, Direction::Inbound);
    limited.limits.hard.time = Duration::from_secs(20);
    add(&engine, limited);
    engine.apply(Millis(0), KernelOp::DeleteSa(key(501))).unwrap();
    assert_eq!(engine.poll_timeout(), None);
}

#[test]
fn packets_from_elsewhere_are_reported_once_as_a_mapping() {
    let (moon, sun) = pair();
    let remote = address("198.51.100.7:61000");
    for _ in 0..2 {
        let mut wire = send(&moon, &[inner(MOON, SUN, 100)]).unwrap();
        wire.0[0].0.local = remote;
        assert_eq!(receive(&sun, &wire).len(), 1);
    }
    assert_eq!(sun.poll_event(), Some(KernelEvent::Mapping { sa: key(500), remote }));
    assert_eq!(sun.poll_event(), None);
}

#[test]
fn a_moved_sa_sends_to_its_new_address_with_its_counters() {
    let (moon, _) = pair();
    send(&moon, &[inner(MOON, SUN, 100)]).unwrap();
    let (source, destination) = (address("192.0.2.11:4500"), address("198.51.100.7:61000"));
    let update = KernelOp::UpdateSa { sa: key(500), source, destination, encap: Encap::Udp };
    assert_eq!(moon.apply(Millis(0), update), Ok(KernelReply::Done));
    let wire = send(&moon, &[inner(MOON, SUN, 100)]).unwrap();
    assert_eq!(wire.0[0].0, Path { local: source, remote: destination });
    assert_eq!(wire.0[0].1[4..8], [0, 0, 0, 2]);
    assert_eq!(usage(&moon, SaKey { destination: destination.ip(), ..key(500) }), (200, 2));
}

/// A trap between the networks of [`sa`], for SAs of that reqid.
fn trap(number: u32) -> Policy {
    Policy { class: PolicyClass::Trap, ..policy(number, None) }
}

#[test]
fn a_packet_that_meets_a_trap_asks_for_an_sa_now_and_then() {
    let engine = engine();
    add_policy(&engine, trap(3));
    let mut sealer = Sealer::new(Arc::clone(&engine));
    let (flow, _) = Flow::parse(&inner([10, 1, 0, 5], [10, 2, 0, 6], 28)).unwrap();
    let mut out = Wire::default();
    for at in [0, 10, 400] {
        assert_eq!(sealer.select(Millis(at), &flow, 1, &mut out), Err(Discard::NoSa));
    }
    let Some(KernelEvent::Acquire { reqid: asked, source, destination }) = engine.poll_event() else {
        panic!("no acquire")
    };
    assert_eq!(asked, reqid(3));
    assert_eq!((source.start, destination.start), ([10, 1, 0, 5].into(), [10, 2, 0, 6].into()));
    assert_eq!((source.protocol, source.is_host()), (17, true));
    assert_eq!(engine.poll_event(), None);
    assert_eq!(sealer.select(Millis(500), &flow, 1, &mut out), Err(Discard::NoSa));
    assert!(matches!(engine.poll_event(), Some(KernelEvent::Acquire { .. })));
}

#[test]
fn an_sa_under_a_trap_carries_its_packets_and_leaves_it_behind() {
    let engine = engine();
    add_policy(&engine, trap(1));
    add(&engine, sa(500, Direction::Outbound));
    add_policy(&engine, policy(1, Some(500)));
    let mut sealer = Sealer::new(Arc::clone(&engine));
    let (flow, _) = Flow::parse(&inner([10, 1, 0, 5], [10, 2, 0, 6], 28)).unwrap();
    assert_eq!(sealer.select(Millis(0), &flow, 1, &mut Wire::default()), Ok(()));
    assert_eq!(engine.poll_event(), None);
    for op in [KernelOp::DeletePolicy(Box::new(policy(1, Some(500)))), KernelOp::DeleteSa(key(500))] {
        assert_eq!(engine.apply(Millis(1), op), Ok(KernelReply::Done));
    }
    assert_eq!(sealer.select(Millis(2), &flow, 1, &mut Wire::default()), Err(Discard::NoSa));
    assert!(matches!(engine.poll_event(), Some(KernelEvent::Acquire { .. })));
}

#[test]
fn what_it_cannot_do_is_refused_by_name() {
    let engine = engine();
    let refused = |sa| engine.apply(Millis(0), KernelOp::AddSa(Box::new(sa))).unwrap_err().to_string();
    let transport = AddSa { mode: Mode::Transport, ..sa(1, Direction::Inbound) };
    assert_eq!(refused(transport), "a mode other than tunnel is not supported by the kernel");
    let plain = AddSa { encap: Encap::None, ..sa(1, Direction::Inbound) };
    assert_eq!(refused(plain), "ESP without UDP is not supported by the kernel");
    let bound = Policy { interface: Some("eth0".to_owned()), ..policy(1, None) };
    let refused = engine.apply(Millis(0), KernelOp::AddPolicy(Box::new(bound)));
    assert_eq!(refused, Err(KernelError::Unsupported("a policy for one interface")));
    add(&engine, sa(1, Direction::Inbound));
    assert_eq!(
        engine.apply(Millis(0), KernelOp::AddSa(Box::new(sa(1, Direction::Inbound)))),
        Err(KernelError::Exists)
    );
}

#[test]
fn capabilities_name_what_the_providers_have() {
    let capabilities = engine().capabilities();
    assert!(capabilities.encryption.contains(&(EncryptionId::AES_GCM_16, 256)));
    assert!(capabilities.encryption.contains(&(EncryptionId::AES_CBC, 128)));
    assert!(!capabilities.encryption.iter().any(|(id, _)| *id == EncryptionId::NULL_AES_GMAC));
    assert_eq!(capabilities.encapsulation, EncapSupport::UdpOnly);
}

proptest! {
    #[test]
    fn any_octets_from_the_network_are_counted_and_never_delivered(
        mut datagrams in proptest::collection::vec(any::<u8>(), 0..400),
        stride in 0_usize..120,
        known in any::<bool>(),
    ) {
        let (_, sun) = pair();
        if known && let Some(start) = datagrams.first_chunk_mut() {
            *start = 500_u32.to_be_bytes();
        }
        let packets = datagrams.chunks(stride.max(1)).count();
        let path = Path { local: address("192.0.2.2:4500"), remote: address("192.0.2.1:4500") };
        let mut delivered = 0;
        sun.open(Millis(0), path, &mut datagrams, stride, |_, _| delivered += 1);
        let discarded: u64 = Discard::ALL.into_iter().map(|reason| sun.discards().get(reason)).sum();
        prop_assert_eq!((delivered, usize::try_from(discarded).unwrap()), (0, packets));
    }
}
