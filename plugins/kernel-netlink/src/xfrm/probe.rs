//! What this kernel can install: asked by adding an SA with each algorithm and taking it away again.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::time::Duration;

use charon_core::kernel::Transport;
use charon_types::Secret;
use charon_types::algorithm::{EncryptionId, Esn, IntegrityId};
use charon_types::id::{EspSpi, IfId, Mark, Reqid};
use charon_types::kernel_op::{
    AddSa, Direction, Encap, EncapSupport, KernelCapabilities, Mode, SaKey, SaLimit, SaLimits, SaOptions,
};
use charon_types::proposal::Protocol;

use super::algorithm::{ENCRYPTION, INTEGRITY};
use super::pipeline::{EINVAL, ENOSYS, EOPNOTSUPP, EPROTONOSUPPORT, Pipeline};
use super::{state, wire};

/// SPI of the SAs that are tried: of the range that is assigned but never negotiated by us.
const SPI: EspSpi = EspSpi(NonZeroU32::new(0x0000_0101).expect("it is not zero"));
/// Should we be killed in between, they go by themselves.
const LIFE: Duration = Duration::from_secs(1);

/// What the kernel can install, or why nothing of use: it must have ESP with AES-GCM or with AES-CBC and an HMAC.
pub(crate) fn capabilities<T: Transport>(pipeline: &mut Pipeline<T>) -> Result<KernelCapabilities, String> {
    let gcm = tried(pipeline, &encrypting(EncryptionId::AES_GCM_16, 20, None));
    let hmac = Some((IntegrityId::HMAC_SHA2_256_128, 32));
    let cbc = tried(pipeline, &encrypting(EncryptionId::AES_CBC, 16, hmac));
    if let (Err(gcm), Err(cbc)) = (gcm, cbc) {
        return Err(format!(
            "the kernel has no ESP: {} for AES-GCM, {} for AES-CBC with HMAC-SHA2-256",
            reason(gcm),
            reason(cbc)
        ));
    }
    let mut integrity = Vec::new();
    for algorithm in INTEGRITY {
        let wanted = Some((algorithm.id, algorithm.key_octets));
        if tried(pipeline, &encrypting(EncryptionId::NULL, 0, wanted)).is_ok() {
            integrity.push(algorithm.id);
        }
    }
    let with = integrity.first().and_then(|id| INTEGRITY.iter().find(|known| known.id == *id));
    let mut encryption = Vec::new();
    for algorithm in ENCRYPTION {
        let with = if algorithm.is_aead() { None } else { with.map(|mac| (mac.id, mac.key_octets)) };
        if !algorithm.is_aead() && with.is_none() {
            continue;
        }
        for bits in algorithm.key_bits {
            if tried(pipeline, &encrypting(algorithm.id, algorithm.octets(*bits), with)).is_ok() {
                encryption.push((algorithm.id, *bits));
            }
        }
    }
    let authenticating =
        AddSa { protocol: Protocol::Ah, encryption: None, ..encrypting(EncryptionId::NULL, 0, hmac) };
    let mut protocols = vec![Protocol::Esp];
    if tried(pipeline, &authenticating).is_ok() {
        protocols.push(Protocol::Ah);
    }
    Ok(KernelCapabilities {
        encryption,
        integrity,
        modes: vec![Mode::Tunnel, Mode::Transport, Mode::Beet, Mode::Pass, Mode::Drop],
        protocols,
        encapsulation: EncapSupport::Any,
        esn: Esn::Enabled,
    })
}

/// Adds an SA and deletes it; errno if it was refused.
fn tried<T: Transport>(pipeline: &mut Pipeline<T>, sa: &AddSa) -> Result<(), i32> {
    let add = state::add(sa, wire::NEWSA, 0, None).map_err(|_| EINVAL)?;
    pipeline.run_one(add)?;
    let key = SaKey { destination: sa.destination.ip(), protocol: sa.protocol, spi: sa.spi };
    pipeline.run_one(state::name(wire::DELSA, key, Mark::default())).map(drop)
}

fn encrypting(id: EncryptionId, octets: usize, integrity: Option<(IntegrityId, usize)>) -> AddSa {
    let here = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    // Any key does but one that DES would call weak: octets that differ.
    let key = |octets: usize| Secret::from((0..=u8::MAX).take(octets).collect::<Vec<u8>>());
    let life = SaLimit { time: LIFE, ..SaLimit::default() };
    AddSa {
        source: here,
        destination: here,
        protocol: Protocol::Esp,
        spi: SPI,
        direction: Direction::Inbound,
        mode: Mode::Tunnel,
        reqid: Reqid(NonZeroU32::MIN),
        encryption: Some((id, key(octets))),
        integrity: integrity.map(|(id, octets)| (id, key(octets))),
        encap: Encap::None,
        esn: Esn::Disabled,
        replay_window: 0,
        limits: SaLimits { soft: SaLimit::default(), hard: life },
        source_ts: Vec::new(),
        destination_ts: Vec::new(),
        mark: Mark::default(),
        if_id: IfId::default(),
        options: SaOptions::default(),
    }
}

fn reason(errno: i32) -> String {
    match errno {
        ENOSYS => "no such algorithm".to_owned(),
        EPROTONOSUPPORT | EOPNOTSUPP => "no such protocol".to_owned(),
        errno => std::io::Error::from_raw_os_error(errno).to_string(),
    }
}
