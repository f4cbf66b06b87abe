//! Children that close for want of traffic.
//!
//! A task for each child that is configured so, and none for others: it sleeps until the child could have been idle for long
//! enough, looks at its counters, and goes back to sleep or ends the child.

use std::sync::Arc;
use std::time::Duration;

use charon_core::service::ike_engine::SaFilter;
use charon_types::UniqueId;
use charon_types::snapshot::{ChildSaSnapshot, IkeSaSnapshot};
use ikev2_proto::ike_sa::Force;
use tokio::sync::mpsc;
use tracing::info;

use crate::listing::{self, Childless};
use crate::order::{Ask, Order};
use crate::shard::Input;
use crate::shared::Shared;

/// Follows a child that is up, if its configuration says so. Abandoning the task when the daemon ends is safe.
pub(crate) fn follow(shared: &Arc<Shared>, sa: &IkeSaSnapshot, child: &ChildSaSnapshot) {
    let connection = shared.connections.by_name(&sa.name);
    let config = connection.as_ref().and_then(|connection| connection.child(&child.name));
    let Some(limit) = config.map(|config| config.inactivity).filter(|limit| !limit.is_zero()) else { return };
    let (shared, name, child) = (Arc::clone(shared), Arc::clone(&sa.name), child.unique_id);
    tokio::spawn(async move {
        let mut idle = Duration::ZERO;
        loop {
            tokio::time::sleep(limit.saturating_sub(idle)).await;
            // It may have moved to another IKE_SA, or have gone.
            let Some(held) = find(&shared, &name, child).await else { return };
            idle = held.idle;
            if idle >= limit {
                return close(&shared, &held, child).await;
            }
        }
    });
}

/// A child where it is now.
struct Held {
    ike: UniqueId,
    siblings: usize,
    /// Time since a packet last came or went, or since the child came up.
    idle: Duration,
}

async fn find(shared: &Arc<Shared>, connection: &str, child: UniqueId) -> Option<Held> {
    let filter = SaFilter { ike: Some(connection.to_owned()), ..SaFilter::default() };
    let (chunks, mut listing) = mpsc::channel(1);
    tokio::spawn(listing::list(Arc::clone(shared), filter, Childless::LeftOut, chunks));
    while let Some(chunk) = listing.recv().await {
        for sa in &chunk {
            let found = sa.children.iter().find(|held| held.unique_id == child);
            if let Some(installed) = found.and_then(|held| held.installed.as_ref()) {
                let used = [installed.usage_in.idle, installed.usage_out.idle];
                let idle = used.into_iter().flatten().fold(installed.age, Duration::min);
                return Some(Held { ike: sa.unique_id, siblings: sa.children.len() - 1, idle });
            }
        }
    }
    None
}

async fn close(shared: &Arc<Shared>, held: &Held, child: UniqueId) {
    let Some(peer) = shared.peers.by_id(held.ike) else { return };
    let idle = held.idle.as_secs();
    let ask = if shared.options.current().inactivity_close_ike.is_enabled() && held.siblings == 0 {
        info!(target: "JOB", "deleting IKE_SA after {idle} seconds of CHILD_SA inactivity");
        Ask::TerminateIke(Force::Polite)
    } else {
        info!(target: "JOB", "deleting CHILD_SA after {idle} seconds of inactivity");
        Ask::TerminateChild(child)
    };
    shared.send(peer.spi, Input::Command { spi: peer.spi, ask, order: Order::default() }).await;
}
