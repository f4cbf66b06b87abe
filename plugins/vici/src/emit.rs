//! Sending to one client: answers and the events of its own commands wait for room, other events do not.

use std::sync::Arc;

use tracing::warn;
use vici::{FRAME_LEN_MAX, Message, Name, Packet};

use crate::event::{EventKind, Registrations};
use crate::outbound::{Gone, Outbound};

/// The way to a client. Clones share it.
#[derive(Clone)]
pub(crate) struct Emitter {
    outbound: Outbound,
    registrations: Arc<Registrations>,
}

impl Emitter {
    pub(crate) fn new(outbound: Outbound) -> Self {
        Self { outbound, registrations: Arc::default() }
    }

    pub(crate) fn registrations(&self) -> &Registrations {
        &self.registrations
    }

    /// Whether the client wants the event.
    pub(crate) fn wants(&self, kind: EventKind) -> bool {
        self.registrations.count(kind) > 0
    }

    /// Whether the client was given up because it does not read.
    pub(crate) fn is_given_up(&self) -> bool {
        self.outbound.is_given_up()
    }

    pub(crate) async fn answer(&self, packet: Packet<'_>) -> Result<(), Gone> {
        self.outbound.send(packet.to_vec().expect("an answer has no name")).await
    }

    /// An event of the client's own command, as often as it registered.
    pub(crate) async fn send(&self, kind: EventKind, message: &Message) -> Result<(), Gone> {
        if let Some(packet) = self.packet(kind, message) {
            for _ in 0..self.registrations.count(kind) {
                self.outbound.send(packet.clone()).await?;
            }
        }
        Ok(())
    }

    /// An event that happened elsewhere, as often as the client registered.
    pub(crate) fn offer(&self, kind: EventKind, message: &Message) -> Result<(), Gone> {
        if let Some(packet) = self.packet(kind, message) {
            for _ in 0..self.registrations.count(kind) {
                self.outbound.offer(packet.clone())?;
            }
        }
        Ok(())
    }

    /// `None` for an event that does not fit, which is left out.
    fn packet(&self, kind: EventKind, message: &Message) -> Option<Vec<u8>> {
        let name = Name::new(kind.name().as_bytes()).expect("names of events are printable");
        match message.encode() {
            Ok(message) => {
                let packet = Packet::Event { name, message }.to_vec().expect("names of events are short");
                if packet.len() <= FRAME_LEN_MAX {
                    return Some(packet);
                }
                warn!(target: "CFG", "a vici event {} of {} bytes is left out", kind.name(), packet.len());
            }
            Err(error) => warn!(target: "CFG", "a vici event {} is left out: {error}", kind.name()),
        }
        None
    }
}
