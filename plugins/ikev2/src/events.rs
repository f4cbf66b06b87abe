//! What follows from an IKE_SA's events: the index, the bus, uniqueness.

use std::sync::Arc;
use std::time::Duration;

use charon_types::alert::Alert;
use charon_types::connection::Unique;
use charon_types::event::{Change, Event};
use charon_types::id::Role;
use charon_types::snapshot::IkeSaSnapshot;
use ikev2_proto::ike_sa::Force;
use ikev2_proto::output::{CloseReason, IkeEvent, InitialContact};
use tracing::info;

use crate::alerts;
use crate::inactivity;
use crate::order::{Ask, Order};
use crate::peers::Peer;
use crate::reauth::{self, Anew};
use crate::restart;
use crate::shard::{Entry, Input};
use crate::shared::Shared;

/// Acts on an event of an IKE_SA.
pub(crate) fn on_event(shared: &Arc<Shared>, entry: &mut Entry, event: IkeEvent) {
    match event {
        IkeEvent::Established { sa, connection, initial_contact } => {
            entry.half_open = None;
            let unique = connection.ike.unique;
            let replaces = match initial_contact {
                InitialContact::Received => unique != Unique::Never,
                InitialContact::Absent => unique == Unique::Replace && sa.role == Role::Responder,
            };
            if replaces {
                replace_others(shared, &sa, initial_contact);
            }
            shared.peers.insert(Peer {
                unique_id: sa.unique_id,
                spi: entry.sa.local_spi(),
                name: Some(Arc::clone(&connection.name)),
                connection: Some(Arc::clone(&connection)),
                identities: Some((sa.local_id.clone(), sa.remote_id.clone())),
                path: sa.path,
            });
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
            restart::after_removal(shared, &sa.name, config, &reason);
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

/// Deletes older IKE_SAs between the same identities.
fn replace_others(shared: &Arc<Shared>, sa: &Arc<IkeSaSnapshot>, contact: InitialContact) {
    for peer in shared.peers.between(&sa.local_id, &sa.remote_id, sa.path.remote.ip()) {
        if peer.unique_id == sa.unique_id {
            continue;
        }
        if contact == InitialContact::Absent && peer.path.remote.ip() == sa.path.remote.ip() {
            info!(
                target: "IKE",
                "schedule delete of duplicate IKE_SA for peer '{}' due to uniqueness policy and suspected reauthentication",
                sa.remote_id
            );
            destroy_later(shared, peer);
            continue;
        }
        info!(target: "IKE", "destroying duplicate IKE_SA for peer '{}', uniqueness policy", sa.remote_id);
        shared.bus.publish(&Event::Alert(Alert::UniqueReplace, Some(Arc::clone(sa))));
        let input = Input::Command {
            spi: peer.spi,
            ask: Ask::TerminateIke(Force::Immediate),
            order: Order::default(),
        };
        shared.post(peer.spi, input);
    }
}

/// Deletes an IKE_SA that its initiator seems to establish anew, unless that does it itself within [`REAUTHENTICATION`]. The task
/// sleeps and sends one command: to abandon it is safe.
fn destroy_later(shared: &Arc<Shared>, peer: Peer) {
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        tokio::time::sleep(REAUTHENTICATION).await;
        if shared.peers.by_id(peer.unique_id).is_some() {
            let (ask, order) = (Ask::TerminateIke(Force::Polite), Order::default());
            shared.send(peer.spi, Input::Command { spi: peer.spi, ask, order }).await;
        }
    });
}

/// As long an older IKE_SA from the same address stays.
const REAUTHENTICATION: Duration = Duration::from_secs(10);
