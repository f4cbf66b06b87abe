//! The IKE_SAs, as control sees them.

use std::sync::Arc;
use std::time::Duration;

use charon_types::UniqueId;
use charon_types::connection::{ChildConfig, Connection};
use charon_types::selector::PacketSelectors;
use charon_types::snapshot::IkeSaSnapshot;
use tokio::sync::mpsc;

use super::BoxFuture;
use crate::log::LogTap;

/// What to initiate.
pub struct Initiate {
    /// The connection.
    pub connection: Arc<Connection>,
    /// The child, or `None` for the IKE_SA alone.
    pub child: Option<Arc<ChildConfig>>,
    /// The packet that asks for the child, if one does.
    pub packet: Option<PacketSelectors>,
    /// Gets the log lines of the IKE_SA concerned.
    pub tap: Option<LogTap>,
}

/// Which SAs. Every criterion given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SaFilter {
    /// Name of the connection.
    pub ike: Option<String>,
    /// Number of the IKE_SA.
    pub ike_id: Option<UniqueId>,
    /// Name of the child.
    pub child: Option<String>,
    /// Number of the CHILD_SA.
    pub child_id: Option<UniqueId>,
}

impl SaFilter {
    /// Whether children are named, so that only they are meant.
    #[must_use]
    pub const fn names_children(&self) -> bool {
        self.child.is_some() || self.child_id.is_some()
    }

    /// What a command means that acts on SAs, as strongSwan's do: without a child, a name and a number of IKE_SAs mean either.
    #[must_use]
    pub fn alternatives(self) -> Vec<Self> {
        if self.names_children() || self.ike.is_none() || self.ike_id.is_none() {
            return vec![self];
        }
        vec![Self { ike: None, ..self.clone() }, Self { ike_id: None, ..self }]
    }

    /// What it says about children.
    #[must_use]
    pub fn of_children(&self) -> ChildFilter {
        ChildFilter { name: self.child.clone(), id: self.child_id }
    }
}

/// Which children. Every criterion given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChildFilter {
    /// Name of the child.
    pub name: Option<String>,
    /// Number of the CHILD_SA.
    pub id: Option<UniqueId>,
}

impl ChildFilter {
    /// Whether a child of that name and number is meant.
    #[must_use]
    pub fn matches(&self, name: &str, id: UniqueId) -> bool {
        self.name.as_deref().is_none_or(|wanted| wanted == name) && self.id.is_none_or(|wanted| wanted == id)
    }
}

/// What to terminate: one IKE_SA, or one of its children.
pub struct Terminate {
    /// The IKE_SA.
    pub ike: UniqueId,
    /// Its child, or `None` for all of it.
    pub child: Option<UniqueId>,
    /// Whether to wait for the peer's answer.
    pub wait: TerminateWait,
    /// Gets the log lines of the IKE_SA concerned.
    pub tap: Option<LogTap>,
}

/// Which SA is replaced by one with fresh keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rekey {
    /// The IKE_SA.
    pub ike: UniqueId,
    /// What of it.
    pub part: RekeyPart,
}

/// What of an IKE_SA gets fresh keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RekeyPart {
    /// One of its children.
    Child(UniqueId),
    /// The IKE_SA itself; its children stay as they are.
    IkeSa,
    /// The IKE_SA itself, which is established anew with everything that it has.
    Reauthenticate,
}

/// How long a DELETE may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TerminateWait {
    /// Until it is answered or given up.
    Answered,
    /// Destroy after that long, answered or not.
    ForceAfter(Duration),
}

/// Why an SA did not come up or go down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EngineError {
    /// It failed; the log says why.
    Failed,
    /// There is no such SA any more.
    NotFound,
    /// The daemon is ending.
    ShuttingDown,
}

/// How many IKE_SAs there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IkeSaCounts {
    /// All.
    pub total: usize,
    /// Answered by us, not yet established.
    pub half_open: usize,
}

/// Initiates, terminates and lists IKE_SAs.
pub trait IkeEngine: Send + Sync {
    /// Brings a child (or an IKE_SA alone) up; ready when it is installed (established) or has failed. Dropping the future does
    /// not stop the attempt.
    fn initiate(&self, request: Initiate) -> BoxFuture<'static, Result<(), EngineError>>;

    /// Ends an IKE_SA or a child; ready when it is gone. Dropping the future does not stop it.
    fn terminate(&self, request: Terminate) -> BoxFuture<'static, Result<(), EngineError>>;

    /// Rekeys a child or an IKE_SA; ready when the new one is there. Dropping the future does not stop it.
    fn rekey(&self, request: Rekey) -> BoxFuture<'static, Result<(), EngineError>>;

    /// Snapshots of matching IKE_SAs in chunks, counters included. With a child filter, `children` holds matching ones only,
    /// but IKE_SAs without any are listed, too. Bounded: a slow reader slows its own listing only.
    fn list(&self, filter: SaFilter) -> mpsc::Receiver<Vec<IkeSaSnapshot>>;

    /// As [`list`](Self::list), but with a child filter IKE_SAs without such a child may be left out.
    fn find(&self, filter: SaFilter) -> mpsc::Receiver<Vec<IkeSaSnapshot>> {
        self.list(filter)
    }

    /// Numbers for `stats`.
    fn counts(&self) -> IkeSaCounts;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_gives_name_and_number_of_ike_sas_means_either_and_of_children_both() {
        let both = SaFilter { ike: Some("gw".to_owned()), ike_id: Some(UniqueId(3)), ..SaFilter::default() };
        let number = SaFilter { ike: None, ..both.clone() };
        let name = SaFilter { ike_id: None, ..both.clone() };
        assert_eq!(both.clone().alternatives(), [number.clone(), name.clone()]);
        assert_eq!((number.clone().alternatives(), name.clone().alternatives()), (vec![number], vec![name]));
        let of_children = SaFilter { child: Some("net".to_owned()), ..both };
        assert_eq!(of_children.clone().alternatives(), [of_children]);
    }
}
