//! SAs and policies to try things with.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;

use anyhow::{Context, bail};
use charon_types::Secret;
use charon_types::algorithm::{EncryptionId, Esn, IntegrityId};
use charon_types::id::{EspSpi, IfId, Mark, Reqid};
use charon_types::kernel_op::{
    AddSa, Direction, Encap, KernelCapabilities, KernelOp, Mode, Policy, PolicyAction, PolicyClass,
    PolicyDirection, SaKey, SaLimits, SaOptions,
};
use charon_types::proposal::Protocol;
use charon_types::selector::TrafficSelector;

pub(crate) const US: [u8; 4] = [192, 0, 2, 1];
pub(crate) const PEER: [u8; 4] = [192, 0, 2, 2];

/// An encryption algorithm with key length, and an integrity algorithm if it takes one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Suite {
    pub(crate) encryption: (EncryptionId, u16),
    pub(crate) integrity: Option<IntegrityId>,
}

/// Every algorithm that a backend says it can install, at least once.
pub(crate) fn suites(capabilities: &KernelCapabilities) -> anyhow::Result<Vec<Suite>> {
    let mut suites = Vec::new();
    let first = capabilities.integrity.first().copied();
    for encryption in &capabilities.encryption {
        let integrity =
            if encryption.0.is_aead() { None } else { Some(first.context("no integrity algorithm")?) };
        suites.push(Suite { encryption: *encryption, integrity });
    }
    let cipher = capabilities.encryption.iter().find(|(id, _)| !id.is_aead());
    if let Some(encryption) = cipher {
        let others = capabilities.integrity.iter().skip(1);
        suites.extend(others.map(|integrity| Suite { encryption: *encryption, integrity: Some(*integrity) }));
    }
    if suites.is_empty() {
        bail!("it can install nothing");
    }
    Ok(suites)
}

/// An integrity algorithm and a key, for AH.
pub(crate) fn integrity_only(capabilities: &KernelCapabilities) -> anyhow::Result<(IntegrityId, Secret)> {
    let id = capabilities.integrity.first().copied().context("no integrity algorithm")?;
    Ok((id, key(integrity_octets(id))))
}

pub(crate) fn sa(suite: Suite, spi: EspSpi, direction: Direction) -> AddSa {
    let (source, destination) = match direction {
        Direction::Inbound => (PEER, US),
        Direction::Outbound => (US, PEER),
    };
    let (encryption, bits) = suite.encryption;
    AddSa {
        source: SocketAddr::new(source.into(), 4500),
        destination: SocketAddr::new(destination.into(), 4500),
        protocol: Protocol::Esp,
        spi,
        direction,
        mode: Mode::Tunnel,
        reqid: reqid(1),
        encryption: Some((encryption, key(encryption_octets(encryption, bits)))),
        integrity: suite.integrity.map(|id| (id, key(integrity_octets(id)))),
        encap: Encap::Udp,
        esn: Esn::Disabled,
        replay_window: 32,
        limits: SaLimits::default(),
        source_ts: vec![TrafficSelector::ANY_IPV4],
        destination_ts: vec![TrafficSelector::ANY_IPV4],
        mark: Mark::default(),
        if_id: IfId::default(),
        options: SaOptions::default(),
    }
}

pub(crate) fn sa_key(sa: &AddSa) -> SaKey {
    SaKey { destination: sa.destination.ip(), protocol: sa.protocol, spi: sa.spi }
}

pub(crate) fn spi(number: u32) -> EspSpi {
    EspSpi(NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN))
}

pub(crate) fn reqid(number: u32) -> Reqid {
    Reqid(NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN))
}

pub(crate) fn reserve(min: u32, max: u32) -> KernelOp {
    let (source, destination) = (IpAddr::from(PEER), IpAddr::from(US));
    KernelOp::AllocSpi { source, destination, protocol: Protocol::Esp, min, max }
}

/// Policy to a subnet of that number.
pub(crate) fn policy(number: u8, reqid_number: u32) -> Policy {
    Policy {
        direction: PolicyDirection::Out,
        source: TrafficSelector::subnet([10, 1, number, 0].into(), 24),
        destination: TrafficSelector::subnet([10, 2, number, 0].into(), 24),
        action: PolicyAction::Protect {
            source: US.into(),
            destination: PEER.into(),
            protocol: Protocol::Esp,
            mode: Mode::Tunnel,
            reqid: reqid(reqid_number),
            spi: None,
        },
        class: PolicyClass::Regular,
        priority: 0,
        mark: Mark::default(),
        if_id: IfId::default(),
        interface: None,
    }
}

fn key(octets: usize) -> Secret {
    Secret::from((1..=u8::MAX).take(octets).collect::<Vec<u8>>())
}

fn encryption_octets(id: EncryptionId, bits: u16) -> usize {
    let salt = match id {
        EncryptionId::AES_CCM_8 | EncryptionId::AES_CCM_12 | EncryptionId::AES_CCM_16 => 3,
        EncryptionId::AES_CTR => 4,
        id if id.is_aead() => 4,
        _ => 0,
    };
    let key = match id {
        EncryptionId::CHACHA20_POLY1305 => 32,
        EncryptionId::TRIPLE_DES_CBC => 24,
        _ => usize::from(bits / 8),
    };
    key + salt
}

const fn integrity_octets(id: IntegrityId) -> usize {
    match id {
        IntegrityId::HMAC_SHA1_96 | IntegrityId::HMAC_SHA1_160 => 20,
        IntegrityId::HMAC_SHA2_256_128 | IntegrityId::HMAC_SHA2_256_96 => 32,
        IntegrityId::HMAC_SHA2_384_192 => 48,
        IntegrityId::HMAC_SHA2_512_256 => 64,
        _ => 16,
    }
}
