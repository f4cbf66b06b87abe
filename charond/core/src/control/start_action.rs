//! Start actions of children: carried out when a connection is loaded, undone when it goes or changes.

use std::sync::Arc;
use std::time::Duration;

use charon_types::connection::{ChildConfig, Connection};
use charon_types::snapshot::IkeSaSnapshot;
use tracing::error;

use crate::policies::Policies;
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
    /// Children whose traps and shunts go, by name.
    pub(super) uninstall: Vec<Arc<str>>,
    /// Children whose traps and shunts come, or are replaced.
    pub(super) install: Vec<(Arc<Connection>, Arc<ChildConfig>)>,
}

impl Changes {
    /// What changes from an old connection of a name to a new one.
    pub(super) fn between(old: Option<&Connection>, new: Option<&Arc<Connection>>) -> Self {
        let keeps = |child: &ChildConfig| old.zip(new).is_some_and(|(old, new)| is_kept(old, new, child));
        let starting = |child: &&Arc<ChildConfig>| starts(child) && !keeps(child);
        let trapping = |child: &&Arc<ChildConfig>| child.start_action.trap && !keeps(child);
        let stays = |child: &&Arc<ChildConfig>| {
            new.and_then(|new| new.child(&child.name)).is_some_and(|after| after.start_action.trap)
        };
        let (mut changes, empty) = (Self::default(), []);
        for child in old.map_or(&empty[..], |old| &old.children) {
            changes.undo.extend(starting(&child).then(|| Arc::clone(&child.name)));
            let goes = trapping(&child) && !stays(&child);
            changes.uninstall.extend(goes.then(|| Arc::clone(&child.name)));
        }
        for (new, child) in new.iter().flat_map(|new| new.children.iter().map(move |child| (*new, child))) {
            let both = || (Arc::clone(new), Arc::clone(child));
            changes.start.extend(starting(&child).then(both));
            changes.install.extend(trapping(&child).then(both));
        }
        changes
    }

    /// Removes and installs traps and shunts. Before SAs end, so that nothing gets out in clear that a trap can hold.
    pub(super) async fn apply_policies(&mut self, policies: &Policies, connection: &str) {
        for child in std::mem::take(&mut self.uninstall) {
            policies.uninstall(Some(connection), &child).await;
        }
        for (connection, child) in std::mem::take(&mut self.install) {
            if let Err(why) = policies.install(&connection, &child).await {
                error!(target: "CFG", "installing policy '{}' failed: {why}", child.name);
            }
        }
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

/// Whether a child is brought up when it is loaded. A shunt has nothing to bring up.
fn starts(child: &ChildConfig) -> bool {
    child.start_action.start && !child.is_shunt()
}

fn start(engine: &dyn IkeEngine, children: Vec<(Arc<Connection>, Arc<ChildConfig>)>) {
    for (connection, child) in children {
        // The attempt goes on by itself.
        drop(engine.initiate(Initiate { connection, child: Some(child), packet: None, tap: None }));
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
