//! What a host writes down of its IKE_SAs' events, as the engine does.

use std::sync::Arc;

use charon_types::connection::Connection;
use charon_types::id::UniqueId;
use charon_types::snapshot::IkeSaSnapshot;
use ikev2_proto::env::Now;
use ikev2_proto::output::{IkeEvent, InitialContact};
use ikev2_proto::uniqueness::{Fate, Origin, fate};

use super::Host;
use crate::crossing::{Crossing, Duplicate};
use crate::reauth::Anew;
use crate::world::Established;

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
        let origin = Origin::new(sa, contact, self.world.next_ike_unique_id());
        self.world.established.borrow_mut().push(Established {
            unique_id: sa.unique_id,
            remote: sa.remote_id.clone(),
            path: sa.path,
            connection: Arc::clone(&connection.name),
            origin,
        });
        let mut replaced = Vec::new();
        for old in older {
            let (here, there) = (sa.path.remote.ip(), old.path.remote.ip());
            match fate(connection.ike.unique, (&origin, here), (&old.origin, there)) {
                Fate::Stays => {}
                Fate::Goes => replaced.push(old.unique_id),
                Fate::GoesLater => self.duplicates.push(Duplicate::new(now, old.origin, origin)),
                Fate::YieldsToNew => self.crossings.push(Crossing::new(now, old.origin, origin)),
                Fate::NewYields => self.crossings.push(Crossing::new(now, origin, old.origin)),
            }
        }
        replaced
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
