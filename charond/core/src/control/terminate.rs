//! Taking SAs down by name or number.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use charon_types::UniqueId;

use super::{Control, LogLevel, Patience, Running};
use crate::log::LogTap;
use crate::service::IkeEngine;
use crate::service::ike_engine::{EngineError, SaFilter, Terminate, TerminateWait};

/// What to terminate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TerminateRequest {
    /// Which SAs. With a child named, children; else whole IKE_SAs.
    pub filter: SaFilter,
    /// Whether an IKE_SA is destroyed without the peer's answer: at once, or after `patience`.
    pub force: Force,
    /// How long to wait for each SA.
    pub patience: Patience,
    /// Level of the log lines streamed.
    pub level: LogLevel,
}

/// Whether the peer's answer matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    /// Wait for it.
    No,
    /// Do not insist on it.
    Yes,
}

/// How many SAs matched, how many are gone, and what went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terminated {
    /// SAs that matched.
    pub matches: usize,
    /// SAs that are gone.
    pub terminated: usize,
    /// What went wrong.
    pub error: Option<TerminateError>,
}

/// Why not everything is gone. The texts are those that clients of strongSwan know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TerminateError {
    /// Nothing was named.
    MissingSelector,
    /// Nothing matched.
    NoMatch,
    /// The only match failed.
    Failed,
    /// Some of several failed.
    SomeFailed,
}

impl fmt::Display for TerminateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MissingSelector => "missing terminate selector",
            Self::NoMatch => "no matching SAs to terminate found",
            Self::Failed => "terminating SA failed",
            Self::SomeFailed => "not all matching SAs could be terminated",
        })
    }
}

impl std::error::Error for TerminateError {}

/// One SA that a command is about.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Target {
    pub(super) ike: UniqueId,
    pub(super) child: Option<UniqueId>,
}

impl Control {
    /// Begins to take SAs down, one after the other.
    ///
    /// # Errors
    /// [`TerminateError::MissingSelector`] at once; anything else is in the outcome.
    pub fn terminate(&self, request: TerminateRequest) -> Result<Running<Terminated>, TerminateError> {
        if request.filter == SaFilter::default() {
            return Err(TerminateError::MissingSelector);
        }
        let (tap, lines) = self.log.tap(request.level.0);
        let engine = Arc::clone(&self.engine);
        Ok(Running { lines, outcome: Box::pin(run(engine, request, tap)) })
    }
}

async fn run(engine: Arc<dyn IkeEngine>, request: TerminateRequest, tap: LogTap) -> Terminated {
    let targets = targets(&*engine, request.filter).await;
    let mut terminated = 0;
    for target in &targets {
        tap.attach(target.ike);
        let wait = match (request.force, request.patience) {
            (Force::No, _) => TerminateWait::Answered,
            (Force::Yes, Patience::Limit(limit)) => TerminateWait::ForceAfter(limit),
            (Force::Yes, Patience::Forever | Patience::None) => TerminateWait::ForceAfter(Duration::ZERO),
        };
        let done = engine.terminate(Terminate { ike: target.ike, child: target.child, wait, tap: None });
        terminated += usize::from(is_gone(done, request.force, request.patience).await);
    }
    let error = match (targets.len(), targets.len() - terminated) {
        (0, _) => Some(TerminateError::NoMatch),
        (_, 0) => None,
        (1, _) => Some(TerminateError::Failed),
        (_, _) => Some(TerminateError::SomeFailed),
    };
    Terminated { matches: targets.len(), terminated, error }
}

async fn is_gone(
    done: crate::service::BoxFuture<'static, Result<(), EngineError>>,
    force: Force,
    patience: Patience,
) -> bool {
    let result = match (patience, force) {
        (Patience::None, _) => return true,
        (Patience::Limit(limit), Force::No) => match tokio::time::timeout(limit, done).await {
            Ok(result) => result,
            Err(_) => return false,
        },
        (Patience::Limit(_), Force::Yes) | (Patience::Forever, _) => done.await,
    };
    // Gone by itself meanwhile is gone.
    matches!(result, Ok(()) | Err(EngineError::NotFound))
}

/// The SAs that a filter means: children if it names any, else whole IKE_SAs.
pub(super) async fn targets(engine: &dyn IkeEngine, filter: SaFilter) -> BTreeSet<Target> {
    let names_children = filter.names_children();
    let mut targets = BTreeSet::new();
    for one in filter.alternatives() {
        let mut listing = engine.find(one);
        while let Some(chunk) = listing.recv().await {
            for sa in chunk {
                let target = |child| Target { ike: sa.unique_id, child };
                if names_children {
                    targets.extend(sa.children.iter().map(|child| target(Some(child.unique_id))));
                } else {
                    targets.insert(target(None));
                }
            }
        }
    }
    targets
}
