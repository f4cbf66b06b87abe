//! Children that come up again by themselves after the peer closed them or died.

use std::sync::Arc;
use std::time::Duration;

use charon_core::service::ike_engine::Initiate;
use charon_types::connection::ChildConfig;
use ikev2_proto::output::CloseReason;
use tokio::sync::oneshot;
use tracing::info;

use crate::engine;
use crate::shared::Shared;

/// How long a restart waits: the IKE_SA of a dead peer is gone by then, and a peer that closes every child at once is
/// not met by a storm.
const RESTART_DELAY: Duration = Duration::from_millis(500);

/// Starts a child again if its `close_action` or `dpd_action` says so and it is still configured as it was. The task
/// touches nothing until it sends a command, so that abandoning it when the daemon ends is safe.
pub(crate) fn after_removal(
    shared: &Arc<Shared>,
    connection: &Arc<str>,
    child: Arc<ChildConfig>,
    reason: &CloseReason,
) {
    if !is_wanted(&child, reason) {
        return;
    }
    let (shared, name) = (Arc::clone(shared), Arc::clone(connection));
    tokio::spawn(async move {
        tokio::time::sleep(RESTART_DELAY).await;
        let Some(connection) = shared.connections.by_name(&name) else { return };
        let Some(current) =
            connection.child(&child.name).filter(|current| **current == child).map(Arc::clone)
        else {
            return;
        };
        info!(target: "CHD", "restarting CHILD_SA {}", child.name);
        // The outcome is in the log and on the bus.
        let (done, _) = oneshot::channel();
        engine::initiate(
            shared,
            Initiate { connection, child: Some(current), packet: None, tap: None },
            done,
        )
        .await;
    });
}

fn is_wanted(child: &ChildConfig, reason: &CloseReason) -> bool {
    match reason {
        CloseReason::Peer => child.close_action.start,
        CloseReason::PeerDead => child.dpd_action.start,
        _ => false,
    }
}
