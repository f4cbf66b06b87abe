//! Children that come up again by themselves after the peer closed them or died.

use std::sync::Arc;
use std::time::Duration;

use charon_core::service::ike_engine::Initiate;
use charon_types::connection::{Action, ChildConfig, Connection};
use charon_types::snapshot::IkeSaSnapshot;
use ikev2_proto::output::CloseReason;
use tokio::sync::oneshot;
use tracing::{error, info};

use crate::engine;
use crate::shared::Shared;
use crate::uniqueness;

/// How long a restart waits: the IKE_SA of a dead peer is gone by then, and a peer that closes every child at once is
/// not met by a storm.
const RESTART_DELAY: Duration = Duration::from_millis(500);

/// Starts a child again, or traps its packets, if its `close_action` or `dpd_action` says so and it is still configured as it was. The task
/// touches nothing until it sends a command, so that abandoning it when the daemon ends is safe.
pub(crate) fn after_removal(
    shared: &Arc<Shared>,
    sa: &Arc<IkeSaSnapshot>,
    child: Arc<ChildConfig>,
    reason: &CloseReason,
) {
    let action = action(&child, reason);
    if !action.start && !action.trap {
        return;
    }
    let (shared, sa) = (Arc::clone(shared), Arc::clone(sa));
    tokio::spawn(async move {
        if action.trap
            && let Some((connection, current)) = configured(&shared, &sa.name, &child)
            && let Err(why) = shared.policies.install(&connection, &current).await
        {
            error!(target: "CHD", "installing a trap for CHILD_SA {} failed: {why}", child.name);
        }
        if !action.start {
            return;
        }
        tokio::time::sleep(RESTART_DELAY).await;
        let Some((connection, current)) = configured(&shared, &sa.name, &child) else { return };
        if lives_elsewhere(&shared, &sa, &child).await {
            return;
        }
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

/// Whether another IKE_SA with that peer has such a child: the one that was closed was a duplicate.
async fn lives_elsewhere(shared: &Arc<Shared>, closed: &IkeSaSnapshot, child: &ChildConfig) -> bool {
    let others = shared.peers.between(&closed.local_id, &closed.remote_id, closed.path.remote.ip());
    for other in others.iter().filter(|other| other.unique_id != closed.unique_id) {
        if uniqueness::children(shared, other).await.contains(&child.name) {
            return true;
        }
    }
    false
}

/// The connection and its child as they are now, if the child is still the same.
fn configured(
    shared: &Shared,
    connection: &str,
    child: &ChildConfig,
) -> Option<(Arc<Connection>, Arc<ChildConfig>)> {
    let connection = shared.connections.by_name(connection)?;
    let current = connection.child(&child.name).filter(|current| ***current == *child).map(Arc::clone)?;
    Some((connection, current))
}

fn action(child: &ChildConfig, reason: &CloseReason) -> Action {
    match reason {
        CloseReason::Peer => child.close_action,
        CloseReason::PeerDead => child.dpd_action,
        _ => Action::default(),
    }
}
