//! What `capabilities()` says is true: protocols, modes, families, and limits of time.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, ensure};
use charon_core::service::KernelIpsec;
use charon_types::kernel_op::{
    AddSa, Direction, Encap, Expiry, KernelError, KernelEvent, KernelOp, KernelReply, KernelResult, Mode,
    SaLimit, SaLimits,
};
use charon_types::proposal::Protocol;
use charon_types::selector::TrafficSelector;
use tokio::time::timeout;

use crate::sample::{integrity_only, sa, sa_key, spi, suites};

/// The inner hosts, which mode BEET needs to be single ones.
const INSIDE: [[u8; 4]; 2] = [[10, 1, 0, 1], [10, 2, 0, 1]];
const EVENT_WITHIN: Duration = Duration::from_secs(20);

/// Every protocol in every mode, over either family, is added and deleted.
pub(crate) async fn protocols_and_modes(kernel: &dyn KernelIpsec) -> anyhow::Result<()> {
    let capabilities = kernel.capabilities();
    let modes = [Mode::Tunnel, Mode::Transport, Mode::Beet];
    for protocol in &capabilities.protocols {
        for mode in modes.into_iter().filter(|mode| capabilities.modes.contains(mode)) {
            for ends in [["192.0.2.1", "192.0.2.2"], ["2001:db8::1", "2001:db8::2"]] {
                let sa = of(kernel, *protocol, mode, ends)?;
                let key = sa_key(&sa);
                let added = one(kernel, KernelOp::AddSa(Box::new(sa))).await;
                ensure!(added == Ok(KernelReply::Done), "{protocol} {mode:?} to {}: {added:?}", ends[1]);
                let deleted = one(kernel, KernelOp::DeleteSa(key)).await;
                ensure!(deleted == Ok(KernelReply::Done), "{protocol} {mode:?} deleted: {deleted:?}");
            }
        }
    }
    Ok(())
}

/// A kernel that watches limits by itself reports a soft one and then a hard one, after which the SA is gone.
pub(crate) async fn limits_of_time(kernel: &dyn KernelIpsec) -> anyhow::Result<()> {
    // The others leave time to the daemon, whose timers are the same.
    if !matches!(kernel.name(), "kernel-netlink" | "kernel-pfkey") {
        return Ok(());
    }
    let mut events = kernel.take_events().context("events are taken once, and nobody has them")?;
    let limit = |seconds| SaLimit { time: Duration::from_secs(seconds), ..SaLimit::default() };
    let limits = SaLimits { soft: limit(1), hard: limit(3) };
    let sa = AddSa { limits, ..of(kernel, Protocol::Esp, Mode::Tunnel, ["192.0.2.1", "192.0.2.2"])? };
    let key = sa_key(&sa);
    let added = one(kernel, KernelOp::AddSa(Box::new(sa))).await;
    ensure!(added == Ok(KernelReply::Done), "{added:?}");
    for expiry in [Expiry::Soft, Expiry::Hard] {
        let event = timeout(EVENT_WITHIN, events.recv()).await.context("no event came")?;
        ensure!(event == Some(KernelEvent::Expire { sa: key, expiry }), "{event:?} instead of {expiry:?}");
    }
    let gone = one(kernel, KernelOp::QuerySa(key)).await;
    ensure!(gone.is_err(), "it is still there: {gone:?}");
    Ok(())
}

async fn one(kernel: &dyn KernelIpsec, op: KernelOp) -> KernelResult {
    let mut results = kernel.submit(vec![op]).await;
    results.pop().unwrap_or(Err(KernelError::Gone))
}

fn of(kernel: &dyn KernelIpsec, protocol: Protocol, mode: Mode, ends: [&str; 2]) -> anyhow::Result<AddSa> {
    let capabilities = kernel.capabilities();
    let suite = suites(capabilities)?.first().copied().context("no suite")?;
    let mut sa = sa(suite, spi(0x2100_0000), Direction::Outbound);
    if protocol == Protocol::Ah {
        sa.encryption = None;
        sa.integrity = Some(integrity_only(capabilities)?);
        sa.encap = Encap::None;
    }
    let [source, destination]: [IpAddr; 2] = [ends[0].parse()?, ends[1].parse()?];
    let inside = |outer: IpAddr, host: [u8; 4]| match mode {
        Mode::Transport => vec![TrafficSelector::host(outer)],
        _ => vec![TrafficSelector::host(host.into())],
    };
    let [near, far] = INSIDE;
    Ok(AddSa {
        protocol,
        mode,
        source: SocketAddr::new(source, 4500),
        destination: SocketAddr::new(destination, 4500),
        source_ts: inside(source, near),
        destination_ts: inside(destination, far),
        ..sa
    })
}
