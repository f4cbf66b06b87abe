//! What follows from an IKE_SA's events: the index, the bus.

use std::sync::Arc;

use charon_types::event::{Change, Event};
use ikev2_proto::output::{CloseReason, IkeEvent};

use crate::alerts;
use crate::inactivity;
use crate::reauth::{self, Anew};
use crate::restart;
use crate::shard::Entry;
use crate::shared::Shared;
use crate::uniqueness;

/// Acts on an event of an IKE_SA.
pub(crate) fn on_event(shared: &Arc<Shared>, entry: &mut Entry, event: IkeEvent) {
    match event {
        IkeEvent::Established { sa, connection, initial_contact } => {
            entry.half_open = None;
            uniqueness::on_established(shared, entry.sa.local_spi(), &sa, &connection, initial_contact);
            shared.bus.publish(&Event::IkeUpDown(Change::Up, sa));
        }
        IkeEvent::Reauthenticate { old, connection, children, path, order } => {
            reauth::begin(shared, Anew { old, connection, children, path, sequence: order });
        }
        IkeEvent::Moved { sa, path } => {
            shared.peers.relocate(sa.unique_id, path);
            shared.bus.publish(&Event::IkeMoved(sa, path));
        }
        IkeEvent::Rekeyed { old, new } => shared.bus.publish(&Event::IkeRekeyed(old, new)),
        IkeEvent::ChildInstalled { sa, child } => {
            inactivity::follow(shared, &sa, &child);
            shared.bus.publish(&Event::ChildUpDown(Change::Up, sa, child))
        }
        IkeEvent::ChildRemoved { sa, child, config, reason } => {
            restart::after_removal(shared, &sa, config, &reason);
            shared.bus.publish(&Event::ChildUpDown(Change::Down, sa, child));
        }
        IkeEvent::ChildRekeyed { sa, old, new } => {
            inactivity::follow(shared, &sa, &new);
            shared.bus.publish(&Event::ChildRekeyed(sa, old, new));
        }
        // Its successor is up.
        IkeEvent::Closed { reason: CloseReason::Rekeyed, .. } => {}
        IkeEvent::Closed { sa, reason, .. } => {
            for alert in alerts::of_end(&reason, sa.state) {
                shared.bus.publish(&Event::Alert(alert, Some(Arc::clone(&sa))));
            }
            shared.bus.publish(&Event::IkeUpDown(Change::Down, sa));
        }
        // Answered by the shard, which knows who asked; kinds that come later concern nobody here.
        _ => {}
    }
}
