//! Sending events to one client: those of its own commands wait for room, others do not.

use std::sync::Arc;

use tokio::sync::futures::Notified;
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
        self.registrations(kind) > 0
    }

    /// An event of the client's own command, as often as it registered. Waits until it has read enough: it holds up nobody but
    /// itself. Only within the task that serves the client.
    pub(crate) async fn send(&self, kind: EventKind, message: &Message) -> Result<(), Gone> {
        for _ in 0..self.registrations(kind) {
            loop {
                let room = self.room();
                if self.try_send(kind, message)? {
                    break;
                }
                room.await;
            }
        }
        Ok(())
    }

    /// How often an event is to be sent.
    pub(crate) fn registrations(&self, kind: EventKind) -> u32 {
        self.link.session().registrations(kind)
    }

    /// One copy of an event of the client's own command; whether there was room for it.
    pub(crate) fn try_send(&self, kind: EventKind, message: &Message) -> Result<bool, Gone> {
        let mut session = self.link.session();
        if session.is_over() {
            return Err(Gone);
        }
        let sent = session.event(kind, message);
        drop(session);
        Ok(sent.map(|left_out| note(kind, left_out)).is_ok())
    }

    /// Ready when the client has read enough to be sent more, or is gone. To be asked for before room is found missing.
    pub(crate) fn room(&self) -> Notified<'_> {
        self.link.room.notified()
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
