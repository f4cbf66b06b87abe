//! Start actions of children: carried out when a connection is loaded, undone when it goes or changes.

use std::sync::Arc;
use std::time::Duration;

use charon_types::connection::{ChildConfig, Connection};
use charon_types::snapshot::IkeSaSnapshot;

use crate::service::IkeEngine;
use crate::service::ike_engine::{Initiate, SaFilter, Terminate, TerminateWait};

/// How long new SAs wait for the end of those that they replace.
const UNDO_WAIT: Duration = Duration::from_secs(5);

/// What follows from loading or unloading a connection.
#[derive(Default)]
pub(super) struct Changes {
    /// Children whose SAs end, by name.
    pub(super) undo: Vec<Arc<str>>,
    /// Children that are brought up.
    pub(super) start: Vec<(Arc<Connection>, Arc<ChildConfig>)>,
}

impl Changes {
    /// What changes from an old connection of a name to a new one.
    pub(super) fn between(old: Option<&Connection>, new: Option<&Arc<Connection>>) -> Self {
        let keeps = |child: &ChildConfig| old.zip(new).is_some_and(|(old, new)| is_kept(old, new, child));
        let starting = |child: &&Arc<ChildConfig>| child.start_action.start && !keeps(child);
        let undo = old.map_or_else(Vec::new, |old| {
            old.children.iter().filter(starting).map(|child| Arc::clone(&child.name)).collect()
        });
        let start = new.map_or_else(Vec::new, |new| {
            new.children.iter().filter(starting).map(|child| (Arc::clone(new), Arc::clone(child))).collect()
        });
        Self { undo, start }
    }

    /// Undoes, then starts. Begun, not waited for: outcomes are in the log and on the bus.
    pub(super) fn carry_out(self, engine: &Arc<dyn IkeEngine>, connection: &str) {
        if self.undo.is_empty() {
            return start(&**engine, self.start);
        }
        let (engine, connection) = (Arc::clone(engine), connection.to_owned());
        // Abandoned when the daemon ends, which ends all SAs anyway.
        tokio::spawn(async move {
            drop(tokio::time::timeout(UNDO_WAIT, undo(&*engine, connection, &self.undo)).await);
            start(&*engine, self.start);
        });
    }
}

/// Whether a child is the same in both, under the same IKE settings and identities.
fn is_kept(old: &Connection, new: &Connection, child: &ChildConfig) -> bool {
    old.ike == new.ike
        && old.local == new.local
        && old.remote == new.remote
        && old.child(&child.name).is_some_and(|before| **before == *child)
        && new.child(&child.name).is_some_and(|after| **after == *child)
}

fn start(engine: &dyn IkeEngine, children: Vec<(Arc<Connection>, Arc<ChildConfig>)>) {
    for (connection, child) in children {
        // The attempt goes on by itself.
        drop(engine.initiate(Initiate { connection, child: Some(child), tap: None }));
    }
}

/// Ends the SAs of these children, and IKE_SAs that would be left without any.
async fn undo(engine: &dyn IkeEngine, connection: String, children: &[Arc<str>]) {
    let mut listing = engine.list(SaFilter { ike: Some(connection), ..SaFilter::default() });
    let mut ends = Vec::new();
    while let Some(chunk) = listing.recv().await {
        ends.extend(chunk.iter().flat_map(|sa| ends_of(sa, children)));
    }
    let ends: Vec<_> = ends.into_iter().map(|end| engine.terminate(end)).collect();
    for end in ends {
        // One that is gone already, or does not go, stops nobody.
        let _ = end.await;
    }
}

fn ends_of(sa: &IkeSaSnapshot, children: &[Arc<str>]) -> Vec<Terminate> {
    let end = |child| Terminate { ike: sa.unique_id, child, wait: TerminateWait::Answered, tap: None };
    let ending: Vec<_> = sa.children.iter().filter(|child| children.contains(&child.name)).collect();
    if ending.is_empty() {
        Vec::new()
    } else if ending.len() == sa.children.len() {
        vec![end(None)]
    } else {
        ending.iter().map(|child| end(Some(child.unique_id))).collect()
    }
}

#[cfg(test)]
mod tests;
