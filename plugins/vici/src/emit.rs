//! Sending events to one client: those of its own commands wait for room, others do not.

use std::sync::Arc;

use tracing::warn;
use vici::Message;

use crate::event::EventKind;
use crate::link::Link;

/// The client is gone, or was disconnected because it does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

/// The way to a client. Clones share it.
#[derive(Clone)]
pub(crate) struct Emitter {
    link: Arc<Link>,
}

impl Emitter {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self { link }
    }

    /// Whether the client wants the event.
    pub(crate) fn wants(&self, kind: EventKind) -> bool {
        self.link.session().registrations(kind) > 0
    }

    /// An event of the client's own command, as often as it registered. Waits until it has read enough: it holds up nobody but
    /// itself. Only within the task that serves the client.
    pub(crate) async fn send(&self, kind: EventKind, message: &Message) -> Result<(), Gone> {
        let mut copies = self.link.session().registrations(kind);
        while copies > 0 {
            let room = self.link.room.notified();
            let sent = {
                let mut session = self.link.session();
                if session.is_over() {
                    return Err(Gone);
                }
                session.event(kind, message)
            };
            match sent {
                Ok(left_out) => {
                    note(kind, left_out);
                    copies -= 1;
                }
                Err(_) => room.await,
            }
        }
        Ok(())
    }

    /// An event that happened elsewhere, as often as the client registered. A client that is too far behind is given up.
    pub(crate) fn offer(&self, kind: EventKind, message: &Message) -> Result<(), Gone> {
        let mut session = self.link.session();
        note(kind, session.broadcast(kind, message));
        let over = session.is_over();
        drop(session);
        self.link.sender.wake();
        if over { Err(Gone) } else { Ok(()) }
    }
}

fn note(kind: EventKind, left_out: Option<String>) {
    if let Some(reason) = left_out {
        warn!(target: "CFG", "a vici event {} is left out: {reason}", kind.name());
    }
}
