//! Operations on the kernel, and its answers. A backend that answers at once costs no task.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use charon_core::service::BoxFuture;
use charon_types::IkeSpi;
use charon_types::endpoint::Path;
use charon_types::kernel_op::{KernelEvent, KernelOp, KernelReply, KernelResult, SaKey, SaUsage};
use charon_types::selector::PacketSelectors;
use charon_types::snapshot::ChildSaSnapshot;
use ikev2_proto::output::OpId;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::acquire;
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

/// Inbound and outbound SA of children whose counters are asked for.
pub(crate) type UsageQuery = Vec<(SaKey, SaKey)>;

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

/// Hands the kernel's events to the shards. Dropping the set ends that; nothing is lost by it but events.
pub(crate) fn follow_events(shared: &Arc<Shared>) -> JoinSet<()> {
    let mut task = JoinSet::new();
    if let Some(mut events) = shared.kernel.take_events() {
        let shared = Arc::clone(shared);
        task.spawn(async move {
            while let Some(event) = events.recv().await {
                let sa = match event {
                    KernelEvent::Acquire { reqid, source, destination } => {
                        let packet = PacketSelectors { local: source, remote: destination };
                        acquire::on_acquire(&shared, reqid, packet);
                        continue;
                    }
                    KernelEvent::Expire { sa, .. } | KernelEvent::Mapping { sa, .. } => sa,
                };
                match shared.esp_space.shard(sa.spi) {
                    Some(shard) => shared.send_to(shard, Input::KernelEvent(sa, event)).await,
                    // An outbound SA: the peer chose its SPI, so any shard may have it.
                    None => {
                        for shard in 0..shared.shards() {
                            shared.send_to(shard, Input::KernelEvent(sa, event.clone())).await;
                        }
                    }
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
