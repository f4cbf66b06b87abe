//! The contract of `KernelIpsec`.

use std::net::SocketAddr;

use anyhow::{Context, bail, ensure};
use charon_core::service::KernelIpsec;
use charon_types::algorithm::EncryptionId;
use charon_types::id::EspSpi;
use charon_types::kernel_op::{
    AddSa, Direction, Encap, KernelError, KernelOp, KernelReply, KernelResult, Policy, SaKey, SaUsage,
};

use crate::promises;
use crate::sample::{Suite, policy, reserve, sa, sa_key, spi, suites};

const MIN: u32 = 0xc000_1000;
const MAX: u32 = 0xc000_1fff;
/// Operations in one batch: more than any backend has room for at once.
const BATCH: u32 = 3000;

/// Checks all of it; each failure with what was checked.
pub async fn check(kernel: &dyn KernelIpsec) -> Vec<(&'static str, anyhow::Result<()>)> {
    vec![
        ("reserved SPIs are in the range, differ and can be given back", spis(kernel).await),
        ("a range that is used up is said to be", exhaustion(kernel).await),
        ("an inbound SA completes its reservation", inbound(kernel).await),
        ("an outbound SA needs none", outbound(kernel).await),
        ("unknown SAs are not found", unknown(kernel).await),
        ("every algorithm that is promised can be installed", promises(kernel).await),
        (
            "every protocol and mode that is promised can be installed over both families",
            promises::protocols_and_modes(kernel).await,
        ),
        ("a limit of time is reported, softly first", promises::limits_of_time(kernel).await),
        ("an unknown algorithm is refused by its name", unknown_algorithm(kernel).await),
        ("a key of a wrong length is refused", key_length(kernel).await),
        ("a policy stays until its last owner has gone", owners(kernel).await),
        ("policies of an old and a new SA take turns", turns(kernel).await),
        ("an SA gets other ports", ports(kernel).await),
        ("an SA moves to other addresses, or says that it cannot", moving(kernel).await),
        ("a large batch is answered in order", batch(kernel).await),
    ]
}

async fn run(kernel: &dyn KernelIpsec, op: KernelOp) -> KernelResult {
    kernel.submit(vec![op]).await.pop().unwrap_or(Err(KernelError::Gone))
}

async fn spis(kernel: &dyn KernelIpsec) -> anyhow::Result<()> {
    let mut seen = Vec::new();
    for _ in 0..20 {
        let spi = reserved(kernel, MIN, MAX).await?;
        ensure!((MIN..=MAX).contains(&spi.get()), "{spi} is outside of the range");
        ensure!(!seen.contains(&spi), "{spi} came twice");
        seen.push(spi);
    }
    for spi in seen {
        expect_done(run(kernel, KernelOp::DeleteSa(inbound_key(spi))).await)?;
        let again = run(kernel, KernelOp::DeleteSa(inbound_key(spi))).await;
        ensure!(again == Err(KernelError::NotFound), "given back twice: {again:?}");
    }
    Ok(())
}

async fn exhaustion(kernel: &dyn KernelIpsec) -> anyhow::Result<()> {
    let spi = reserved(kernel, MIN, MIN).await?;
    let again = run(kernel, reserve(MIN, MIN)).await;
    ensure!(again == Err(KernelError::SpiExhausted), "{again:?}");
    expect_done(run(kernel, KernelOp::DeleteSa(inbound_key(spi))).await)
}

async fn inbound(kernel: &dyn KernelIpsec) -> anyhow::Result<()> {
    let spi = reserved(kernel, MIN, MAX).await?;
    let sa = sa(first_suite(kernel)?, spi, Direction::Inbound);
    lives(kernel, sa).await
}

async fn outbound(kernel: &dyn KernelIpsec) -> anyhow::Result<()> {
    lives(kernel, sa(first_suite(kernel)?, spi(0x1234_5678), Direction::Outbound)).await
}

/// Added, there, not added twice, without traffic, gone.
async fn lives(kernel: &dyn KernelIpsec, sa: AddSa) -> anyhow::Result<()> {
    let key = sa_key(&sa);
    expect_done(run(kernel, KernelOp::AddSa(Box::new(sa.clone()))).await)?;
    let again = run(kernel, KernelOp::AddSa(Box::new(sa))).await;
    ensure!(again == Err(KernelError::Exists), "added twice: {again:?}");
    let usage = run(kernel, KernelOp::QuerySa(key)).await;
    ensure!(usage == Ok(KernelReply::Usage(SaUsage::default())), "{usage:?}");
    expect_done(run(kernel, KernelOp::DeleteSa(key)).await)?;
    let usage = run(kernel, KernelOp::QuerySa(key)).await;
    ensure!(usage == Err(KernelError::NotFound), "after it was deleted: {usage:?}");
    Ok(())
}

async fn unknown(kernel: &dyn KernelIpsec) -> anyhow::Result<()> {
    let key = inbound_key(spi(0xc000_0fff));
    for op in [KernelOp::DeleteSa(key), KernelOp::QuerySa(key), update(key, 4500)] {
        let result = run(kernel, op.clone()).await;
        ensure!(result == Err(KernelError::NotFound), "{op:?}: {result:?}");
    }
    Ok(())
}

async fn promises(kernel: &dyn KernelIpsec) -> anyhow::Result<()> {
    for suite in suites(kernel.capabilities())? {
        let sa = sa(suite, spi(0x2000_0000), Direction::Outbound);
        let key = sa_key(&sa);
        let added = run(kernel, KernelOp::AddSa(Box::new(sa))).await;
        expect_done(added).with_context(|| format!("{suite:?}"))?;
        expect_done(run(kernel, KernelOp::DeleteSa(key)).await)?;
    }
    Ok(())
}

async fn unknown_algorithm(kernel: &dyn KernelIpsec) -> anyhow::Result<()> {
    let id = EncryptionId::RC5_CBC;
    let suite = Suite { encryption: (id, 128), ..first_suite(kernel)? };
    let added = run(kernel, add(suite)).await;
    ensure!(added == Err(KernelError::UnsupportedEncryption(id)), "{added:?}");
    Ok(())
}

async fn key_length(kernel: &dyn KernelIpsec) -> anyhow::Result<()> {
    // The twin takes any key.
    if kernel.name() == "kernel-null" {
        return Ok(());
    }
    let suite = first_suite(kernel)?;
    let added = run(kernel, add(Suite { encryption: (suite.encryption.0, 72), ..suite })).await;
    ensure!(
        matches!(added, Err(KernelError::KeyLength | KernelError::UnsupportedEncryption(_))),
        "{added:?}"
    );
    Ok(())
}

async fn owners(kernel: &dyn KernelIpsec) -> anyhow::Result<()> {
    let policy = policy(1, 1);
    for _ in 0..2 {
        expect_done(run(kernel, add_policy(&policy)).await)?;
    }
    for _ in 0..2 {
        expect_done(run(kernel, delete_policy(&policy)).await)?;
    }
    let again = run(kernel, delete_policy(&policy)).await;
    ensure!(again == Err(KernelError::NotFound), "deleted once too often: {again:?}");
    Ok(())
}

async fn turns(kernel: &dyn KernelIpsec) -> anyhow::Result<()> {
    let (old, new) = (policy(2, 1), policy(2, 2));
    for op in [add_policy(&old), add_policy(&new), delete_policy(&old)] {
        expect_done(run(kernel, op).await)?;
    }
    let wrong = run(kernel, delete_policy(&old)).await;
    ensure!(wrong == Err(KernelError::NotFound), "an owner that has gone: {wrong:?}");
    expect_done(run(kernel, delete_policy(&new)).await)
}

async fn ports(kernel: &dyn KernelIpsec) -> anyhow::Result<()> {
    let sa = sa(first_suite(kernel)?, spi(0x3000_0000), Direction::Outbound);
    let key = sa_key(&sa);
    expect_done(run(kernel, KernelOp::AddSa(Box::new(sa.clone()))).await)?;
    let destination = SocketAddr::new(sa.destination.ip(), 32_000);
    let update = KernelOp::UpdateSa { sa: key, source: sa.source, destination, encap: Encap::Udp };
    expect_done(run(kernel, update).await)?;
    expect_done(run(kernel, KernelOp::DeleteSa(key)).await)
}

async fn moving(kernel: &dyn KernelIpsec) -> anyhow::Result<()> {
    let sa = sa(first_suite(kernel)?, spi(0x3000_0001), Direction::Outbound);
    let key = sa_key(&sa);
    expect_done(run(kernel, KernelOp::AddSa(Box::new(sa.clone()))).await)?;
    let destination = SocketAddr::new([192, 0, 2, 3].into(), 4500);
    let update = KernelOp::UpdateSa { sa: key, source: sa.source, destination, encap: Encap::Udp };
    let moved = SaKey { destination: destination.ip(), ..key };
    match run(kernel, update).await {
        Ok(_) => {
            let there = run(kernel, KernelOp::QuerySa(key)).await;
            ensure!(there == Err(KernelError::NotFound), "still at its old place: {there:?}");
            expect_done(run(kernel, KernelOp::DeleteSa(moved)).await)
        }
        Err(KernelError::Unsupported(_)) => expect_done(run(kernel, KernelOp::DeleteSa(key)).await),
        Err(error) => bail!("{error}"),
    }
}

async fn batch(kernel: &dyn KernelIpsec) -> anyhow::Result<()> {
    let suite = first_suite(kernel)?;
    let ops = (0..BATCH).flat_map(|number| {
        let sa = sa(suite, spi(0x4000_0000 + number), Direction::Outbound);
        let key = sa_key(&sa);
        let absent = SaKey { spi: spi(0x5000_0000 + number), ..key };
        [KernelOp::AddSa(Box::new(sa)), KernelOp::DeleteSa(absent), KernelOp::DeleteSa(key)]
    });
    let results = kernel.submit(ops.collect()).await;
    ensure!(u32::try_from(results.len()) == Ok(3 * BATCH), "{} answers", results.len());
    for (at, chunk) in results.chunks(3).enumerate() {
        let expected = [Ok(KernelReply::Done), Err(KernelError::NotFound), Ok(KernelReply::Done)];
        ensure!(*chunk == expected, "at {at}: {chunk:?}");
    }
    Ok(())
}

fn first_suite(kernel: &dyn KernelIpsec) -> anyhow::Result<Suite> {
    suites(kernel.capabilities())?.first().copied().context("no suite")
}

async fn reserved(kernel: &dyn KernelIpsec, min: u32, max: u32) -> anyhow::Result<EspSpi> {
    match run(kernel, reserve(min, max)).await {
        Ok(KernelReply::Spi(spi)) => Ok(spi),
        other => bail!("no SPI: {other:?}"),
    }
}

fn inbound_key(spi: EspSpi) -> SaKey {
    SaKey { destination: crate::sample::US.into(), protocol: charon_types::proposal::Protocol::Esp, spi }
}

fn update(sa: SaKey, port: u16) -> KernelOp {
    let source = SocketAddr::new(crate::sample::PEER.into(), port);
    let destination = SocketAddr::new(crate::sample::US.into(), 4500);
    KernelOp::UpdateSa { sa, source, destination, encap: Encap::Udp }
}

fn add(suite: Suite) -> KernelOp {
    KernelOp::AddSa(Box::new(sa(suite, spi(0x6000_0000), Direction::Outbound)))
}

fn add_policy(policy: &Policy) -> KernelOp {
    KernelOp::AddPolicy(Box::new(policy.clone()))
}

fn delete_policy(policy: &Policy) -> KernelOp {
    KernelOp::DeletePolicy(Box::new(policy.clone()))
}

fn expect_done(result: KernelResult) -> anyhow::Result<()> {
    ensure!(result == Ok(KernelReply::Done), "{result:?}");
    Ok(())
}
