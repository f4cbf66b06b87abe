//! What a host writes down of its IKE_SAs' events, as the engine does.

use std::sync::Arc;
use std::time::Duration;

use charon_types::connection::{Connection, Unique};
use charon_types::id::{Role, UniqueId};
use charon_types::snapshot::IkeSaSnapshot;
use ikev2_proto::env::Now;
use ikev2_proto::output::{IkeEvent, InitialContact};

use super::Host;
use crate::reauth::Anew;
use crate::world::Established;

/// As long an older IKE_SA from the same address stays when a new one is up.
const REAUTHENTICATION: Duration = Duration::from_secs(10);

impl Host {
    /// Keeps books; returns IKE_SAs that the new one replaces.
    pub(super) fn on_event(&mut self, now: Now, unique_id: UniqueId, event: IkeEvent) -> Vec<UniqueId> {
        match event {
            IkeEvent::Established { sa, initial_contact, connection } => {
                self.log.push(format!("{:?} established {unique_id}", self.side));
                return self.on_established(now, &sa, initial_contact, &connection);
            }
            IkeEvent::Reauthenticate { old, connection, children, path, order } => {
                self.log.push(format!("{:?} establishes {old} anew, {order:?}", self.side));
                self.anew.push(Anew::new(old, connection, children, path, order));
            }
            IkeEvent::Moved { sa, path } => {
                self.log
                    .push(format!("{:?} moved {unique_id} to {} - {}", self.side, path.local, path.remote));
                let mut established = self.world.established.borrow_mut();
                if let Some(known) = established.iter_mut().find(|known| known.unique_id == sa.unique_id) {
                    known.path = path;
                }
            }
            IkeEvent::Rekeyed { old, new } => {
                let path = new.path;
                let (old, new) = (old.unique_id, new.unique_id);
                self.log.push(format!("{:?} rekeyed {old}: now {new}", self.side));
                self.anew.iter_mut().for_each(|anew| anew.follow(old, new));
                let mut established = self.world.established.borrow_mut();
                match established.iter_mut().find(|known| known.unique_id == old) {
                    Some(known) => (known.unique_id, known.path) = (new, path),
                    None => self.violations.push(format!("IKE_SA {old} was replaced, but never established")),
                }
            }
            IkeEvent::Closed { reason, .. } => {
                self.log.push(format!("{:?} closed {unique_id}: {reason:?}", self.side));
                self.world.established.borrow_mut().retain(|known| known.unique_id != unique_id);
            }
            IkeEvent::CommandDone { token, outcome } => {
                self.log.push(format!("{:?} done {token:?}: {outcome:?}", self.side));
                match self.commands.get_mut(&token) {
                    Some(pending @ None) => *pending = Some(outcome),
                    _ => self.violations.push(format!("{token:?} was done twice, or by nobody's order")),
                }
            }
            IkeEvent::ChildInstalled { child, .. } => {
                self.log.push(format!("{:?} installed child {} of {unique_id}", self.side, child.unique_id));
                self.announce(child.unique_id);
            }
            IkeEvent::ChildRemoved { child, reason, .. } => {
                let number = child.unique_id;
                self.log.push(format!("{:?} removed child {number} of {unique_id}: {reason:?}", self.side));
                self.renounce(number);
            }
            IkeEvent::ChildRekeyed { old, new, .. } => {
                let (old, new) = (old.unique_id, new.unique_id);
                self.log.push(format!("{:?} rekeyed child {old} of {unique_id}: now {new}", self.side));
                self.renounce(old);
                self.announce(new);
            }
            _ => {}
        }
        Vec::new()
    }

    /// Uniqueness, as the engine has it.
    fn on_established(
        &mut self,
        now: Now,
        sa: &IkeSaSnapshot,
        contact: InitialContact,
        connection: &Connection,
    ) -> Vec<UniqueId> {
        let older = self.world.older(sa);
        self.world.established.borrow_mut().push(Established {
            unique_id: sa.unique_id,
            remote: sa.remote_id.clone(),
            path: sa.path,
            connection: Arc::clone(&connection.name),
        });
        let unique = connection.ike.unique;
        let replaces = match contact {
            InitialContact::Received => unique != Unique::Never,
            InitialContact::Absent => unique == Unique::Replace && sa.role == Role::Responder,
        };
        if !replaces {
            return Vec::new();
        }
        let spared = |known: &Established| {
            contact == InitialContact::Absent && known.path.remote.ip() == sa.path.remote.ip()
        };
        let (spared, replaced): (Vec<_>, Vec<_>) = older.into_iter().partition(spared);
        let at = now.mono + REAUTHENTICATION;
        self.duplicates.extend(spared.iter().map(|known| (at, known.unique_id)));
        replaced.into_iter().map(|known| known.unique_id).collect()
    }

    fn announce(&mut self, child: UniqueId) {
        if !self.announced.insert(child) {
            self.violations.push(format!("child {child} was announced twice"));
        }
    }

    fn renounce(&mut self, child: UniqueId) {
        if !self.announced.remove(&child) {
            self.violations.push(format!("child {child} ended, but was never announced"));
        }
    }
}
