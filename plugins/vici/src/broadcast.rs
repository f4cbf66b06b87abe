//! Events that happen elsewhere, on their way from the bus to one client.

use std::sync::Arc;

use charon_core::bus::Overflow;
use charon_types::event::{Change, Event};
use charon_types::services::ServiceNames;
use tokio::task::AbortHandle;
use vici::Message;

use crate::emit::Emitter;
use crate::event::EventKind;
use crate::render;
use crate::server::Server;

/// How many events may wait between the bus and a client's own queue. When one more comes, the oldest is lost.
const DEPTH: usize = 1024;

/// Forwards the events of a kind from now on, until the task is aborted. `None` for kinds that only commands send.
pub(crate) fn forward(kind: EventKind, server: &Arc<Server>, emitter: &Emitter) -> Option<AbortHandle> {
    let emitter = emitter.clone();
    let task = match kind {
        EventKind::Log => {
            let mut lines = server.control.log.subscribe(DEPTH);
            tokio::spawn(async move {
                while let Some(record) = lines.recv().await {
                    if emitter.offer(kind, &render::log::line(&record)).is_err() {
                        break;
                    }
                }
            })
        }
        EventKind::IkeUpdown
        | EventKind::IkeRekey
        | EventKind::IkeUpdate
        | EventKind::ChildUpdown
        | EventKind::ChildRekey
        | EventKind::Alert
        | EventKind::VrouterState => {
            let mut events =
                server.bus.subscribe(DEPTH, Overflow::DropOldest, move |event| kind_of(event) == Some(kind));
            let server = Arc::clone(server);
            tokio::spawn(async move {
                while let Some(event) = events.recv().await {
                    let Some(message) = message(&event, &server.names) else { continue };
                    if emitter.offer(kind, &message).is_err() {
                        break;
                    }
                }
            })
        }
        EventKind::ListSa
        | EventKind::ListPolicy
        | EventKind::ListConn
        | EventKind::ListCert
        | EventKind::ListAuthority
        | EventKind::ListVrouter
        | EventKind::ControlLog => return None,
    };
    Some(task.abort_handle())
}

fn kind_of(event: &Event) -> Option<EventKind> {
    match event {
        Event::IkeUpDown(..) => Some(EventKind::IkeUpdown),
        Event::IkeRekeyed(..) => Some(EventKind::IkeRekey),
        Event::IkeMoved(..) => Some(EventKind::IkeUpdate),
        Event::ChildUpDown(..) => Some(EventKind::ChildUpdown),
        Event::ChildRekeyed(..) => Some(EventKind::ChildRekey),
        Event::VrouterState(..) => Some(EventKind::VrouterState),
        Event::Alert(..) => Some(EventKind::Alert),
        _ => None,
    }
}

fn message(event: &Event, names: &ServiceNames) -> Option<Message> {
    let mut message = Message::new();
    match event {
        Event::IkeUpDown(change, ike_sa) => {
            push_change(&mut message, *change);
            render::ike_sa::alone(&mut message, ike_sa);
        }
        Event::IkeRekeyed(old, new) => render::ike_sa::replaced(&mut message, old, new),
        Event::IkeMoved(ike_sa, path) => render::ike_sa::moved(&mut message, ike_sa, path),
        Event::ChildUpDown(change, ike_sa, child_sa) => {
            push_change(&mut message, *change);
            render::ike_sa::with_children(&mut message, ike_sa, [&**child_sa], names);
        }
        Event::ChildRekeyed(ike_sa, old, new) => {
            render::ike_sa::with_rekeyed(&mut message, ike_sa, old, new, names);
        }
        Event::VrouterState(vrouter, former) => return Some(render::vrouter::changed(vrouter, *former)),
        Event::Alert(alert, ike_sa) => {
            message.push("type", alert.name());
            if let Some(ike_sa) = ike_sa {
                message.nest("ike-sa", |section| render::ike_sa::alone(section, ike_sa));
            }
        }
        _ => return None,
    }
    Some(message)
}

fn push_change(message: &mut Message, change: Change) {
    if change == Change::Up {
        message.push("up", "yes");
    }
}
