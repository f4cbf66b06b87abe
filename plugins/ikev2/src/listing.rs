//! Which IKE_SAs a filter means, and how they look. Only the shards and IKE_SAs are asked that may be meant.

use std::sync::Arc;

use charon_core::service::ike_engine::{ChildFilter, SaFilter};
use charon_types::IkeSpi;
use charon_types::snapshot::IkeSaSnapshot;
use tokio::sync::{mpsc, oneshot};

use crate::kernel_queue;
use crate::shard::Input;
use crate::shared::Shared;

/// Snapshots in one chunk of a listing: for so many, packets wait.
const CHUNK: usize = 64;
/// IKE_SAs looked at in one turn for a child that hardly one has.
const CHUNK_SEARCHED: usize = 512;

/// What becomes of IKE_SAs that have none of the children meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Childless {
    /// They are listed, without children.
    Listed,
    /// They are left out.
    LeftOut,
}

/// Sends snapshots of matching IKE_SAs, counters included.
pub(crate) async fn list(
    shared: Arc<Shared>,
    filter: SaFilter,
    childless: Childless,
    chunks: mpsc::Sender<Vec<IkeSaSnapshot>>,
) {
    let children = filter.of_children();
    let searched = (childless == Childless::LeftOut && filter.names_children()).then(|| children.clone());
    let most = if searched.is_some() { CHUNK_SEARCHED } else { CHUNK };
    let known = known_spis(&shared, &filter);
    for shard in 0..shared.shards() {
        let spis = match &known {
            Some(known) => {
                known.iter().copied().filter(|spi| shared.space.shard(*spi) == Some(shard)).collect()
            }
            None => all_spis(&shared, shard).await,
        };
        for chunk in spis.chunks(most) {
            // Not made before somebody takes it: who reads slowly must not have many of them kept.
            let Ok(place) = chunks.reserve().await else { return };
            let mut snapshots = snapshots(&shared, shard, chunk.to_vec(), searched.clone()).await;
            snapshots.retain(|sa| matches(&filter, sa));
            for sa in &mut snapshots {
                sa.children.retain(|child| children.matches(&child.name, child.unique_id));
            }
            add_usage(&shared, &mut snapshots).await;
            if !snapshots.is_empty() {
                place.send(snapshots);
            }
        }
    }
}

/// Those that a filter means by name or number, perhaps more; `None` if it says nothing about IKE_SAs.
fn known_spis(shared: &Shared, filter: &SaFilter) -> Option<Vec<IkeSpi>> {
    match (filter.ike_id, filter.ike.as_deref()) {
        (Some(id), _) => Some(shared.peers.by_id(id).map(|peer| peer.spi).into_iter().collect()),
        (None, Some(name)) => Some(shared.peers.spis_of_name(name)),
        (None, None) => None,
    }
}

async fn all_spis(shared: &Shared, shard: usize) -> Vec<IkeSpi> {
    let (reply, spis) = oneshot::channel();
    shared.send_to(shard, Input::Spis { reply }).await;
    spis.await.unwrap_or_default()
}

/// How IKE_SAs of a shard look: those with such a child, if children are meant.
pub(crate) async fn snapshots(
    shared: &Shared,
    shard: usize,
    spis: Vec<IkeSpi>,
    child: Option<ChildFilter>,
) -> Vec<IkeSaSnapshot> {
    let (reply, snapshots) = oneshot::channel();
    shared.send_to(shard, Input::Snapshots { spis, child, reply }).await;
    snapshots.await.unwrap_or_default()
}

/// Reads the kernel's counters for everything in a chunk at once.
pub(crate) async fn add_usage(shared: &Shared, snapshots: &mut [IkeSaSnapshot]) {
    let query: Vec<_> =
        snapshots.iter().flat_map(|sa| kernel_queue::usage_keys(&sa.path, &sa.children)).collect();
    if query.is_empty() {
        return;
    }
    let results = shared.kernel.submit(kernel_queue::usage_ops(&query)).await;
    let installed =
        snapshots.iter_mut().flat_map(|sa| &mut sa.children).filter_map(|child| child.installed.as_mut());
    for (installed, (inbound, outbound)) in installed.zip(kernel_queue::usages(&results)) {
        installed.usage_in = inbound;
        installed.usage_out = outbound;
    }
}

fn matches(filter: &SaFilter, sa: &IkeSaSnapshot) -> bool {
    filter.ike.as_deref().is_none_or(|name| name == &*sa.name)
        && filter.ike_id.is_none_or(|id| id == sa.unique_id)
}
