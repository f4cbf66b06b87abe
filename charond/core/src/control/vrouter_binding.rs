//! Connections that are bound to a virtual router: begun when it becomes Active, closed when it is Active no longer.

use std::sync::Arc;
use std::time::Duration;

use charon_types::connection::{Connection, VrouterLoss};
use charon_types::event::Event;
use charon_types::vrouter::VrouterState;
use tracing::{info, warn};

use crate::bus::{Bus, Overflow};
use crate::config::Connections;
use crate::service::IkeEngine;
use crate::service::ike_engine::{Initiate, SaFilter, Terminate, TerminateWait};

/// Changes that may wait. Each names its router, so that a lost one would leave SAs where they should not be: then all are looked at.
const DEPTH: usize = 4096;
/// How long a DELETE may take: its answer cannot reach us any more if the address has gone.
const CLOSE_WITHIN: Duration = Duration::from_millis(500);

/// Follows the roles of virtual routers until the bus ends or the future is dropped.
pub async fn follow_vrouters(bus: Arc<Bus>, connections: Arc<Connections>, engine: Arc<dyn IkeEngine>) {
    let mut changes =
        bus.subscribe(DEPTH, Overflow::DropOldest, |event| matches!(event, Event::VrouterState(..)));
    while let Some(event) = changes.recv().await {
        let Event::VrouterState(vrouter, former) = event else { continue };
        let bound = |connection: &&Arc<Connection>| {
            connection.vrouter.as_ref().is_some_and(|binding| binding.name == vrouter.config.name)
        };
        let all = connections.all();
        for connection in all.iter().filter(bound) {
            match (former, vrouter.state) {
                (_, VrouterState::Active) => begin(&*engine, connection),
                (VrouterState::Active, _) => close(&engine, connection),
                _ => {}
            }
        }
    }
    warn!(target: "IKE", "roles of virtual routers are followed no longer");
}

/// Children that start by themselves.
fn begin(engine: &dyn IkeEngine, connection: &Arc<Connection>) {
    for child in connection.children.iter().filter(|child| child.start_action.start) {
        let child = Some(Arc::clone(child));
        // The attempt goes on by itself.
        drop(engine.initiate(Initiate {
            connection: Arc::clone(connection),
            child,
            packet: None,
            tap: None,
        }));
    }
}

fn close(engine: &Arc<dyn IkeEngine>, connection: &Connection) {
    if connection.vrouter.as_ref().is_none_or(|binding| binding.on_loss == VrouterLoss::Keep) {
        return;
    }
    info!(target: "IKE", "closing the IKE_SAs of '{}', its virtual router is not active here any more", connection.name);
    let engine = Arc::clone(engine);
    let filter = SaFilter { ike: Some(connection.name.to_string()), ..SaFilter::default() };
    // Abandoned when the daemon ends, which ends all SAs anyway.
    tokio::spawn(async move {
        let mut listing = engine.list(filter);
        let mut ends = Vec::new();
        while let Some(chunk) = listing.recv().await {
            ends.extend(chunk.iter().map(|sa| sa.unique_id));
        }
        for ike in ends {
            let wait = TerminateWait::ForceAfter(CLOSE_WITHIN);
            drop(engine.terminate(Terminate { ike, child: None, wait, tap: None }));
        }
    });
}
