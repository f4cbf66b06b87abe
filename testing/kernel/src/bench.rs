//! How many SAs a backend installs in a second.

use std::time::Instant;

use anyhow::{Context, ensure};
use charon_core::service::KernelIpsec;
use charon_types::kernel_op::{Direction, KernelOp};

use crate::sample::{sa, sa_key, spi, suites};

/// SAs added and deleted in a second.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Added.
    pub added: f64,
    /// Deleted.
    pub deleted: f64,
}

/// Adds and deletes `count` SAs, `batch` in each call.
///
/// # Errors
/// If one is refused.
pub async fn run(kernel: &dyn KernelIpsec, count: u32, batch: usize) -> anyhow::Result<Rate> {
    let suite = suites(kernel.capabilities())?.first().copied().context("no suite")?;
    let sas: Vec<_> =
        (0..count).map(|number| sa(suite, spi(0x7000_0000 + number), Direction::Outbound)).collect();
    let add = |sas: &[_]| -> Vec<KernelOp> {
        sas.iter().cloned().map(|sa| KernelOp::AddSa(Box::new(sa))).collect()
    };
    let delete = |sas: &[charon_types::kernel_op::AddSa]| -> Vec<KernelOp> {
        sas.iter().map(|sa| KernelOp::DeleteSa(sa_key(sa))).collect()
    };
    let begin = Instant::now();
    for chunk in sas.chunks(batch) {
        ensure!(kernel.submit(add(chunk)).await.iter().all(Result::is_ok), "an SA was refused");
    }
    let added = begin.elapsed();
    let begin = Instant::now();
    for chunk in sas.chunks(batch) {
        ensure!(kernel.submit(delete(chunk)).await.iter().all(Result::is_ok), "an SA was not deleted");
    }
    let deleted = begin.elapsed();
    let count = f64::from(count);
    Ok(Rate { added: count / added.as_secs_f64(), deleted: count / deleted.as_secs_f64() })
}
