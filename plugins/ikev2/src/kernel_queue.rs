//! Operations on the kernel, and its answers. A backend that answers at once costs no task.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use charon_core::service::BoxFuture;
use charon_types::IkeSpi;
use charon_types::endpoint::Path;
use charon_types::kernel_op::{Expiry, KernelEvent, KernelOp, KernelReply, KernelResult, SaKey, SaUsage};
use charon_types::snapshot::ChildSaSnapshot;
use ikev2_proto::ike_sa::{ChildUsage, IkeSa};
use ikev2_proto::output::OpId;
use ikev2_proto::timer::Timer;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::shard::Input;
use crate::shared::Shared;

/// Submits a batch. The results are returned if the backend has them at once; else they come as [`Input::Kernel`].
pub(crate) fn submit(
    shared: &Shared,
    ops: Vec<KernelOp>,
    spi: IkeSpi,
    op: OpId,
    inputs: &mpsc::Sender<Input>,
) -> Option<Vec<KernelResult>> {
    ready_or_later(shared.kernel.submit(ops), inputs, move |results| Input::Kernel { spi, op, results })
}

/// Children whose counters decide about a liveness check.
pub(crate) type UsageQuery = Vec<(SaKey, SaKey)>;

/// What to ask the kernel before a liveness check that is due now; `None` if none is, or nothing is to be asked.
pub(crate) fn liveness_query(sa: &IkeSa, now: Instant) -> Option<UsageQuery> {
    sa.poll_timeout().filter(|deadline| deadline.at <= now && deadline.timer == Timer::Dpd)?;
    let snapshot = sa.snapshot(now);
    let keys = usage_keys(&snapshot.path, &snapshot.children);
    (!keys.is_empty()).then_some(keys)
}

/// Inbound and outbound SA of each installed child.
pub(crate) fn usage_keys(path: &Path, children: &[ChildSaSnapshot]) -> UsageQuery {
    children
        .iter()
        .filter_map(|child| {
            let installed = child.installed.as_ref()?;
            let key = |destination, spi| SaKey { destination, protocol: installed.suite.protocol, spi };
            Some((key(path.local.ip(), installed.spi_in), key(path.remote.ip(), installed.spi_out)))
        })
        .collect()
}

/// Operations that answer a query, two for each child.
pub(crate) fn usage_ops(query: &UsageQuery) -> Vec<KernelOp> {
    query
        .iter()
        .flat_map(|(inbound, outbound)| [KernelOp::QuerySa(*inbound), KernelOp::QuerySa(*outbound)])
        .collect()
}

/// The answers to [`usage_ops`], child by child.
pub(crate) fn usages(results: &[KernelResult]) -> Vec<(SaUsage, SaUsage)> {
    let usage = |result: &KernelResult| match result {
        Ok(KernelReply::Usage(usage)) => *usage,
        Ok(_) | Err(_) => SaUsage::default(),
    };
    results.chunks(2).filter_map(|pair| Some((usage(pair.first()?), usage(pair.get(1)?)))).collect()
}

/// Asks for counters: returned if the backend has them at once; else they come as [`Input::Usage`].
pub(crate) fn query(
    shared: &Arc<Shared>,
    query: UsageQuery,
    spi: IkeSpi,
    inputs: &mpsc::Sender<Input>,
) -> Option<Vec<ChildUsage>> {
    let ops = usage_ops(&query);
    let collect = move |results: Vec<KernelResult>| -> Vec<ChildUsage> {
        let children = query.iter().zip(usages(&results));
        children
            .map(|((key, _), (inbound, outbound))| ChildUsage { spi_in: key.spi, inbound, outbound })
            .collect()
    };
    let mut future = shared.kernel.submit(ops);
    match poll_once(&mut future) {
        Poll::Ready(results) => Some(collect(results)),
        Poll::Pending => {
            let inputs = inputs.clone();
            tokio::spawn(async move {
                let usage = collect(future.await);
                // A shard that has ended awaits nothing.
                drop(inputs.send(Input::Usage { spi, usage }).await);
            });
            None
        }
    }
}

/// Hands the kernel's events to the shards. Dropping the set ends that; nothing is lost by it but events.
pub(crate) fn follow_events(shared: &Arc<Shared>) -> JoinSet<()> {
    let mut task = JoinSet::new();
    if let Some(mut events) = shared.kernel.take_events() {
        let shared = Arc::clone(shared);
        task.spawn(async move {
            while let Some(event) = events.recv().await {
                match event {
                    KernelEvent::Expire { sa, expiry: Expiry::Hard } => {
                        if let Some(shard) = shared.esp_space.shard(sa.spi) {
                            shared.send_to(shard, Input::Expired { spi_in: sa.spi }).await;
                        }
                    }
                    // Nothing is rekeyed, trapped or moved by the kernel's word.
                    KernelEvent::Expire { .. }
                    | KernelEvent::Acquire { .. }
                    | KernelEvent::Mapping { .. } => {}
                }
            }
        });
    }
    task
}

fn ready_or_later(
    mut future: BoxFuture<'static, Vec<KernelResult>>,
    inputs: &mpsc::Sender<Input>,
    input: impl FnOnce(Vec<KernelResult>) -> Input + Send + 'static,
) -> Option<Vec<KernelResult>> {
    match poll_once(&mut future) {
        Poll::Ready(results) => Some(results),
        Poll::Pending => {
            let inputs = inputs.clone();
            tokio::spawn(async move {
                let input = input(future.await);
                // A shard that has ended awaits nothing.
                drop(inputs.send(input).await);
            });
            None
        }
    }
}

fn poll_once<T>(future: &mut BoxFuture<'static, T>) -> Poll<T> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}
