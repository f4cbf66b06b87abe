//! What both clients know about a conversation, without any I/O: which replies are owed, which events wait.

use crate::decode::DecodeError;
use crate::encode::EncodeError;
use crate::frame::FrameError;
use crate::message::Message;
use crate::name::Name;
use crate::packet::{Packet, PacketError};
use crate::uri::Uri;
use std::collections::VecDeque;
use std::io;

/// An event that the daemon sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The event's name.
    pub name: String,
    /// Its content.
    pub message: Message,
}

/// How many events wait for [`next_event`](crate::Client::next_event) while other calls read the socket. When one more
/// comes the oldest is dropped and counted.
pub const EVENTS_QUEUED_MAX: usize = 4096;

/// Why a call of a client failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The daemon cannot be reached.
    #[error("connecting to {uri} failed: {source}")]
    Connect {
        /// Where it was sought.
        uri: Uri,
        /// What the system said.
        source: io::Error,
    },
    /// The connection failed, or the daemon sent an oversized frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The daemon closed the connection.
    #[error("daemon closed the connection")]
    Closed,
    /// A name or value is too long to be sent.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The daemon sent something that is not a packet.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// The daemon sent a malformed message.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The daemon sent a packet that is no answer to what was asked.
    #[error("unexpected packet of type {0}")]
    Unexpected(u8),
    /// The daemon does not know the command.
    #[error("command '{0}' is unknown to the daemon")]
    CommandUnknown(String),
    /// The daemon does not know the event, or it was not registered.
    #[error("event '{0}' is unknown to the daemon")]
    EventUnknown(String),
}

/// A reply with `success` other than `yes`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.reply.text("errmsg").unwrap_or("the daemon gives no reason"))]
pub struct Refused {
    /// The whole reply.
    pub reply: Message,
}

impl Message {
    /// Tells a reply that reports failure from one that does not. A reply without `success` is no failure.
    pub fn into_success(self) -> Result<Self, Refused> {
        match self.data("success") {
            Some(success) if success != b"yes" => Err(Refused { reply: self }),
            _ => Ok(self),
        }
    }
}

/// The state of a conversation.
#[derive(Debug, Default)]
pub(crate) struct Dialogue {
    /// Replies that the daemon still owes. It answers in order, so only the last ones have somebody waiting for them; the
    /// others belong to calls that were abandoned.
    owed: usize,
    /// How many of the last replies somebody waits for.
    awaited: usize,
    events: VecDeque<Event>,
    missed: u64,
    subscribed: Vec<String>,
    abandoned: Vec<String>,
}

/// What a packet means to the client.
#[derive(Debug)]
pub(crate) enum Incoming {
    Nothing,
    Event(Event),
    Reply(Reply),
}

#[derive(Debug)]
pub(crate) enum Reply {
    Response(Message),
    CommandUnknown,
    EventConfirm,
    EventUnknown,
}

impl Dialogue {
    /// To be called when a packet that will be answered has been handed to the socket.
    pub(crate) fn sent(&mut self) {
        self.owed += 1;
        self.awaited = 1;
    }

    /// The same, where the replies to those before are still awaited.
    pub(crate) fn sent_ahead(&mut self) {
        self.owed += 1;
        self.awaited += 1;
    }

    pub(crate) fn handle(&mut self, frame: &[u8]) -> Result<Incoming, ClientError> {
        let packet = Packet::parse(frame)?;
        let reply = match packet {
            Packet::Event { name, message } => {
                return Ok(Incoming::Event(Event {
                    name: name.as_str().to_owned(),
                    message: Message::decode(message)?,
                }));
            }
            Packet::Request { .. } | Packet::EventRegister { .. } | Packet::EventUnregister { .. } => {
                return Err(ClientError::Unexpected(packet.kind()));
            }
            Packet::Response { message } => Message::decode(message).map(Reply::Response),
            Packet::CommandUnknown => Ok(Reply::CommandUnknown),
            Packet::EventConfirm => Ok(Reply::EventConfirm),
            Packet::EventUnknown => Ok(Reply::EventUnknown),
        };
        self.owed = self.owed.checked_sub(1).ok_or_else(|| ClientError::Unexpected(packet.kind()))?;
        if self.owed >= self.awaited {
            return Ok(Incoming::Nothing);
        }
        self.awaited -= 1;
        Ok(Incoming::Reply(reply?))
    }

    /// Keeps an event for later, if anybody subscribed to it.
    pub(crate) fn keep(&mut self, event: Event) {
        if !self.is_subscribed(&event.name) {
            return;
        }
        if self.events.len() == EVENTS_QUEUED_MAX {
            self.events.pop_front();
            self.missed += 1;
        }
        self.events.push_back(event);
    }

    pub(crate) fn next_kept(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    pub(crate) fn missed(&self) -> u64 {
        self.missed
    }

    pub(crate) fn is_subscribed(&self, event: &str) -> bool {
        self.subscribed.iter().any(|name| name == event)
    }

    pub(crate) fn subscribe(&mut self, event: &str) {
        self.subscribed.push(event.to_owned());
    }

    pub(crate) fn unsubscribe(&mut self, event: &str) {
        self.subscribed.retain(|name| name != event);
    }

    /// Notes a registration whose stream was dropped; it is undone with the next call.
    pub(crate) fn abandon(&mut self, event: String) {
        self.abandoned.push(event);
    }

    pub(crate) fn next_abandoned(&mut self) -> Option<String> {
        self.abandoned.pop()
    }
}

impl Reply {
    pub(crate) fn response(self, command: &str) -> Result<Message, ClientError> {
        match self {
            Self::Response(message) => Ok(message),
            Self::CommandUnknown => Err(ClientError::CommandUnknown(command.to_owned())),
            Self::EventConfirm => Err(ClientError::Unexpected(Packet::EventConfirm.kind())),
            Self::EventUnknown => Err(ClientError::Unexpected(Packet::EventUnknown.kind())),
        }
    }

    pub(crate) fn confirmation(self, event: &str) -> Result<(), ClientError> {
        match self {
            Self::EventConfirm => Ok(()),
            Self::EventUnknown => Err(ClientError::EventUnknown(event.to_owned())),
            Self::Response(_) => Err(ClientError::Unexpected(Packet::Response { message: &[] }.kind())),
            Self::CommandUnknown => Err(ClientError::Unexpected(Packet::CommandUnknown.kind())),
        }
    }
}

pub(crate) fn request(command: &str, message: &Message) -> Result<Vec<u8>, ClientError> {
    Ok(Packet::Request { name: name(command)?, message: message.encode()? }.to_vec()?)
}

pub(crate) fn register(event: &str) -> Result<Vec<u8>, ClientError> {
    Ok(Packet::EventRegister { name: name(event)? }.to_vec()?)
}

pub(crate) fn unregister(event: &str) -> Result<Vec<u8>, ClientError> {
    Ok(Packet::EventUnregister { name: name(event)? }.to_vec()?)
}

fn name(name: &str) -> Result<Name<'_>, EncodeError> {
    Name::new(name.as_bytes()).ok_or(EncodeError::NameNotPrintable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reply_to_an_abandoned_call_is_skipped() {
        let mut dialogue = Dialogue::default();
        dialogue.sent();
        dialogue.sent();
        assert!(matches!(dialogue.handle(b"\x02"), Ok(Incoming::Nothing)));
        assert!(matches!(dialogue.handle(b"\x05"), Ok(Incoming::Reply(Reply::EventConfirm))));
        assert!(matches!(dialogue.handle(b"\x05"), Err(ClientError::Unexpected(5))));
    }

    #[test]
    fn replies_to_requests_sent_ahead_are_told_from_those_to_abandoned_calls() {
        let mut dialogue = Dialogue::default();
        dialogue.sent();
        dialogue.sent_ahead();
        // Nobody waits for the first one any more.
        dialogue.sent();
        dialogue.sent_ahead();
        dialogue.sent_ahead();
        let mut replies = || matches!(dialogue.handle(b"\x02"), Ok(Incoming::Reply(Reply::CommandUnknown)));
        assert_eq!([replies(), replies()], [false; 2]);
        assert_eq!([replies(), replies(), replies()], [true; 3]);
        assert!(matches!(dialogue.handle(b"\x02"), Err(ClientError::Unexpected(2))));
    }

    #[test]
    fn events_that_nobody_fetches_cost_bounded_memory() {
        let mut dialogue = Dialogue::default();
        dialogue.subscribe("log");
        for number in 0..=EVENTS_QUEUED_MAX {
            let message = Message::new().with("msg", number.to_string());
            dialogue.keep(Event { name: "log".to_owned(), message });
        }
        assert_eq!(dialogue.missed(), 1);
        assert_eq!(dialogue.next_kept().unwrap().message.text("msg"), Some("1"));
    }

    #[test]
    fn a_reply_is_a_failure_only_if_it_says_so() {
        assert!(Message::new().into_success().is_ok());
        assert!(Message::new().with("success", "yes").into_success().is_ok());
        let refused = Message::new().with("success", "no").with("errmsg", "key not found").into_success();
        assert_eq!(refused.unwrap_err().to_string(), "key not found");
    }
}
