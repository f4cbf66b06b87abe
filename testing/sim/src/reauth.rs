//! What a shell does to establish IKE_SAs anew: the new one first, then its children one by one, then the end of the old one.

use std::collections::VecDeque;
use std::sync::Arc;

use charon_types::connection::{ChildConfig, Connection};
use charon_types::endpoint::Path;
use charon_types::id::UniqueId;
use ikev2_proto::env::Now;
use ikev2_proto::ike_sa::{Command, Force};
use ikev2_proto::output::{CommandToken, Order};

use crate::host::Host;

/// What is to be there anew.
pub struct Anew {
    old: UniqueId,
    new: Option<UniqueId>,
    connection: Arc<Connection>,
    children: VecDeque<Arc<ChildConfig>>,
    path: Path,
    order: Order,
    /// The command whose outcome is awaited.
    awaits: Option<CommandToken>,
}

impl Anew {
    /// Nothing was done about it yet.
    #[must_use]
    pub fn new(
        old: UniqueId,
        connection: Arc<Connection>,
        children: Vec<Arc<ChildConfig>>,
        path: Path,
        order: Order,
    ) -> Self {
        Self { old, new: None, connection, children: children.into(), path, order, awaits: None }
    }

    /// The new IKE_SA was replaced in turn.
    pub fn follow(&mut self, old: UniqueId, new: UniqueId) {
        if self.new == Some(old) {
            self.new = Some(new);
        }
    }
}

impl Host {
    /// Goes on with every reauthentication whose last command has ended. Whether anything was begun.
    pub fn go_on_anew(&mut self, now: Now) -> bool {
        let mut went_on = false;
        for mut anew in std::mem::take(&mut self.anew) {
            if anew.awaits.is_some_and(|token| self.awaits(token)) {
                self.anew.push(anew);
                continue;
            }
            went_on = true;
            if anew.new.is_none() {
                let child = anew.children.pop_front();
                let (unique_id, token) = self.begin(now, Arc::clone(&anew.connection), child, anew.path);
                (anew.new, anew.awaits) = (Some(unique_id), Some(token));
                self.anew.push(anew);
                continue;
            }
            let Some(new) = anew.new.filter(|new| self.is_established(*new)) else {
                self.not_established_anew(now, anew.old);
                continue;
            };
            if let Some(child) = anew.children.pop_front() {
                anew.awaits = self.order(now, new, |token| Command::InitiateChild { child, token });
                self.anew.push(anew);
            } else if anew.order == Order::MakeBeforeBreak {
                self.order(now, anew.old, |token| Command::TerminateIke { force: Force::Polite, token });
            }
        }
        went_on
    }
}
