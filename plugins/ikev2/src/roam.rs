//! Addresses, links and routes of the host as they come and go: what IKE_SAs look at is kept current.

use std::sync::Arc;
use std::time::Duration;

use charon_types::IkeSpi;
use ikev2_proto::output::{OpId, SourceQuery};
use tokio::sync::Notify;
use tokio::sync::mpsc::{self, Receiver};
use tokio::task::JoinSet;
use tracing::warn;

use charon_core::service::kernel_net::NetEvent;

use crate::shard::Input;
use crate::shared::Shared;

/// Changes come in bursts: the last of them within this time counts.
const SETTLING: Duration = Duration::from_millis(100);

/// Follows the network until the set is dropped.
pub(crate) async fn follow(shared: &Arc<Shared>) -> JoinSet<()> {
    let mut changes = shared.net.watch();
    refresh(shared).await;
    let mut task = JoinSet::new();
    // Traps may have to wait for a name server, and nothing else is to wait for them.
    let (changed, traps) = (Arc::new(Notify::new()), Arc::clone(&shared.policies));
    let wanted = Arc::clone(&changed);
    task.spawn(async move {
        loop {
            wanted.notified().await;
            traps.follow_host().await;
        }
    });
    let shared = Arc::clone(shared);
    task.spawn(async move {
        while changes.recv().await.is_some() {
            settle(&mut changes).await;
            refresh(&shared).await;
            changed.notify_one();
            if !shared.options.current().roam_events.is_enabled() {
                continue;
            }
            // Routes may be others even if the addresses are not.
            for shard in 0..shared.shards() {
                shared.send_to(shard, Input::NetworkChange).await;
            }
        }
    });
    task
}

/// Waits for the end of a burst.
async fn settle(changes: &mut Receiver<NetEvent>) {
    let end = tokio::time::sleep(SETTLING);
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => return,
            change = changes.recv() => if change.is_none() { return },
        }
    }
}

async fn refresh(shared: &Shared) {
    match shared.net.addresses().await {
        Ok(listed) => {
            let _ = shared.host.update(&listed, |address| shared.virtual_ips.contain(address));
        }
        Err(error) => warn!(target: "NET", "listing the addresses failed: {error}"),
    }
}

/// Looks up from where packets leave; the answer comes as [`Input::Sources`].
pub(crate) fn find_sources(
    shared: &Arc<Shared>,
    inputs: mpsc::Sender<Input>,
    spi: IkeSpi,
    op: OpId,
    queries: Vec<SourceQuery>,
) {
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let mut sources = Vec::with_capacity(queries.len());
        for SourceQuery { remote, source } in queries {
            let hop = shared.net.next_hop(remote, source).await.ok();
            sources.push(hop.map(|hop| hop.source).filter(|source| shared.usable.contain(*source)));
        }
        // A shard that has ended awaits nothing.
        drop(inputs.send(Input::Sources { spi, op, sources }).await);
    });
}
