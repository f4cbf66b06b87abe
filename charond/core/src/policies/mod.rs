//! Policies that stand without an SA: traps, whose packets ask for a CHILD_SA, and shunts, which let packets through in
//! clear or discard them.
//!
//! A trap has the reqid that a CHILD_SA with its selectors will have, so that the kernel finds that SA for the packets of
//! the trap; a CHILD_SA of narrower selectors has policies and a reqid of its own, and the trap goes on beside it.

mod endpoints;
mod standing;

use std::fmt;
use std::sync::Arc;

use charon_types::connection::{ChildConfig, Connection, IkeConfig};
use charon_types::id::Reqid;
use charon_types::kernel_op::{KernelError, KernelOp, Mode};
use charon_types::selector::TrafficSelector;
use charon_types::tag::Tags;
use parking_lot::RwLock;
use tracing::{debug, info, warn};

use crate::kernel::Reqids;
use crate::service::{KernelIpsec, KernelNet};
use standing::Standing;

/// Why a policy was not installed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InstallError {
    /// The peer's address is a pattern, or its name has no address.
    RemoteUnknown,
    /// No local address leads to the peer.
    LocalUnknown,
    /// The kernel cannot do that mode.
    Mode(Mode),
    /// No selector of ours goes with one of the peer's.
    Selectors,
    /// The kernel refused.
    Kernel(KernelError),
}

impl fmt::Display for InstallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RemoteUnknown => f.write_str("remote address unknown"),
            Self::LocalUnknown => f.write_str("no local address leads to the peer"),
            Self::Mode(mode) => write!(f, "{mode:?} mode is not supported by the kernel"),
            Self::Selectors => f.write_str("no traffic selectors of one family"),
            Self::Kernel(error) => write!(f, "unable to install IPsec policies in kernel: {error}"),
        }
    }
}

impl std::error::Error for InstallError {}

/// What a policy does, as filters name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    /// Asks for a CHILD_SA.
    Trap,
    /// Lets through in clear.
    Pass,
    /// Discards.
    Drop,
}

impl PolicyKind {
    /// What a child's policies without an SA do.
    #[must_use]
    pub const fn of(mode: Mode) -> Self {
        match mode {
            Mode::Pass => Self::Pass,
            Mode::Drop => Self::Drop,
            Mode::Tunnel | Mode::Transport | Mode::Beet => Self::Trap,
        }
    }
}

/// A policy as listings show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPolicy {
    /// Of the connection.
    pub connection: Arc<str>,
    /// Of the child.
    pub child: Arc<str>,
    /// Trap or shunt.
    pub kind: PolicyKind,
    /// As configured.
    pub mode: Mode,
    /// Of a trap.
    pub reqid: Option<Reqid>,
    /// Our side.
    pub local_ts: Vec<TrafficSelector>,
    /// The peer's side.
    pub remote_ts: Vec<TrafficSelector>,
}

/// All policies that stand without an SA.
pub struct Policies {
    kernel: Arc<dyn KernelIpsec>,
    net: Arc<dyn KernelNet>,
    reqids: Arc<Reqids>,
    /// In the order in which they were installed.
    standing: RwLock<Vec<Arc<Standing>>>,
    /// One change at a time, so that the kernel sees them in order.
    changing: tokio::sync::Mutex<()>,
}

impl Policies {
    /// None yet. `reqids` are those that CHILD_SAs take theirs from.
    #[must_use]
    pub fn new(kernel: Arc<dyn KernelIpsec>, net: Arc<dyn KernelNet>, reqids: Arc<Reqids>) -> Self {
        Self { kernel, net, reqids, standing: RwLock::default(), changing: tokio::sync::Mutex::default() }
    }

    /// Installs a child's trap, or its shunt. One that is there already is replaced.
    ///
    /// # Errors
    /// [`InstallError`]; what was there before stays.
    pub async fn install(
        &self,
        connection: &Arc<Connection>,
        child: &Arc<ChildConfig>,
    ) -> Result<(), InstallError> {
        let _changing = self.changing.lock().await;
        self.put(connection, child).await
    }

    async fn put(&self, connection: &Arc<Connection>, child: &Arc<ChildConfig>) -> Result<(), InstallError> {
        if !self.kernel.capabilities().modes.contains(&child.mode) {
            return Err(InstallError::Mode(child.mode));
        }
        let old = self.find(|standing| standing.is(Some(&connection.name), &child.name));
        // Whatever is configured as before keeps the numbers that were made up for it.
        let same_tags = |old: &&Arc<Standing>| {
            let ids = |ike: &IkeConfig| (ike.if_id_in, ike.if_id_out);
            old.child.tags == child.tags && ids(&old.connection.ike) == ids(&connection.ike)
        };
        let kept = old.as_ref().filter(same_tags).map(|old| old.tags);
        let tags = kept.unwrap_or_else(|| standing::tags(connection, child, &self.reqids));
        let new = match PolicyKind::of(child.mode) {
            PolicyKind::Trap => {
                let path = endpoints::resolve(&*self.net, connection).await?;
                Standing::trap(connection, child, path, tags, &self.reqids)
            }
            PolicyKind::Pass | PolicyKind::Drop => Standing::shunt(connection, child, tags),
        };
        if new.policies.is_empty() && child.policies.is_enabled() {
            new.release(&self.reqids);
            return Err(InstallError::Selectors);
        }
        if let Some(old) = old.as_ref().filter(|old| old.policies == new.policies) {
            new.release(&self.reqids);
            self.replace(old, Some(Arc::new(new)));
            return Ok(());
        }
        // The new ones come before the old ones go, so that nothing gets out in between.
        if let Err(error) = self.add(&new).await {
            new.release(&self.reqids);
            return Err(InstallError::Kernel(error));
        }
        let new = Arc::new(new);
        match old {
            Some(old) => {
                info!(target: "CFG", "updating already routed CHILD_SA '{}'", child.name);
                self.delete(&old).await;
                self.replace(&old, Some(new));
            }
            None => self.standing.write().push(new),
        }
        Ok(())
    }

    /// Addresses or routes of the host changed: traps are between the hosts that they would be between if installed now. One whose
    /// hosts cannot be told stays as it is.
    pub async fn follow_host(&self) {
        let _changing = self.changing.lock().await;
        let standing = self.standing.read().clone();
        for Standing { connection, child, .. } in
            standing.iter().map(|held| &**held).filter(|held| held.reqid.is_some())
        {
            if let Err(why) = self.put(connection, child).await {
                debug!(target: "CFG", "trap '{}' stays as it is: {why}", child.name);
            }
        }
    }

    /// Removes a child's trap or shunt: of that connection, or the first one of that name, shunts before traps. `false` if
    /// there is none.
    pub async fn uninstall(&self, connection: Option<&str>, child: &str) -> bool {
        let _changing = self.changing.lock().await;
        let shunt = self.find(|standing| standing.is(connection, child) && standing.reqid.is_none());
        let Some(found) = shunt.or_else(|| self.find(|standing| standing.is(connection, child))) else {
            return false;
        };
        self.replace(&found, None);
        self.delete(&found).await;
        true
    }

    /// Removes all.
    pub async fn clear(&self) {
        let _changing = self.changing.lock().await;
        let standing = std::mem::take(&mut *self.standing.write());
        for standing in standing.iter().rev() {
            self.delete(standing).await;
        }
    }

    /// All of them, traps first.
    #[must_use]
    pub fn list(&self) -> Vec<ListedPolicy> {
        let standing = self.standing.read();
        let (traps, shunts): (Vec<_>, Vec<_>) =
            standing.iter().map(|standing| standing.listed()).partition(|listed| listed.reqid.is_some());
        [traps, shunts].concat()
    }

    /// Whose trap has that reqid.
    #[must_use]
    pub fn trap(&self, reqid: Reqid) -> Option<(Arc<Connection>, Arc<ChildConfig>)> {
        let found = self.find(|standing| standing.reqid == Some(reqid))?;
        Some((Arc::clone(&found.connection), Arc::clone(&found.child)))
    }

    /// Marks and interface ids of a child's trap, if it has one.
    #[must_use]
    pub fn tags_of_trap(&self, connection: &str, child: &str) -> Option<Tags> {
        let found = self.find(|standing| standing.reqid.is_some() && standing.is(Some(connection), child))?;
        Some(found.tags)
    }

    /// The reqid of a child's trap, if it has one.
    #[must_use]
    pub fn reqid_of_trap(&self, connection: &str, child: &str) -> Option<Reqid> {
        self.find(|standing| standing.reqid.is_some() && standing.is(Some(connection), child))?.reqid
    }

    fn find(&self, wanted: impl Fn(&Standing) -> bool) -> Option<Arc<Standing>> {
        self.standing.read().iter().find(|standing| wanted(standing)).cloned()
    }

    fn replace(&self, old: &Arc<Standing>, new: Option<Arc<Standing>>) {
        let mut standing = self.standing.write();
        let Some(at) = standing.iter().position(|held| Arc::ptr_eq(held, old)) else { return };
        match new {
            Some(new) => standing[at] = new,
            None => drop(standing.remove(at)),
        }
    }

    /// All of them, or none.
    async fn add(&self, new: &Standing) -> Result<(), KernelError> {
        let ops = new.policies.iter().map(|policy| KernelOp::AddPolicy(Box::new(policy.clone()))).collect();
        let results = self.kernel.submit(ops).await;
        let Some(error) = results.iter().find_map(|result| result.clone().err()) else { return Ok(()) };
        let added = new.policies.iter().zip(&results).filter(|(_, result)| result.is_ok());
        let undo = added.rev().map(|(policy, _)| KernelOp::DeletePolicy(Box::new(policy.clone())));
        // What cannot be taken back was not there.
        drop(self.kernel.submit(undo.collect()).await);
        Err(error)
    }

    async fn delete(&self, old: &Standing) {
        let ops = old.policies.iter().rev().map(|policy| KernelOp::DeletePolicy(Box::new(policy.clone())));
        for error in self.kernel.submit(ops.collect()).await.into_iter().filter_map(Result::err) {
            warn!(target: "KNL", "removing a policy of '{}' failed: {error}", old.child.name);
        }
        old.release(&self.reqids);
    }
}
