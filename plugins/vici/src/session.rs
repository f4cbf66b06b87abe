//! One client's conversation as a state machine: any bytes in, replies in order out. It does no I/O and runs no command.
//!
//! The owner feeds it ([`handle_input`](Session::handle_input), [`handle_end`](Session::handle_end)), asks it what is to be done
//! ([`poll`](Session::poll)) until there is nothing, and sends what waits ([`output`](Session::output)). At most one command
//! runs; nothing behind it is looked at before its [`answer`](Session::answer). Meanwhile its events and those from elsewhere
//! may be added.
//!
//! ```text
//!            poll: Run              poll: End
//!   Ready ───────────────▶ Running    (left, framing broken,
//!     ▲                       │        does not read)
//!     └────────answer─────────┘      any ─────────▶ Over
//! ```

use std::fmt;

use vici::{FrameError, Message, Name, Packet, PacketError};

use crate::event::{EventKind, Registrations};
use crate::inbound::Inbound;
use crate::outbound::{Misfit, Outbound};
use crate::reply;
use crate::wipe::Wiped;

/// The conversation with one client.
#[derive(Default)]
pub struct Session {
    inbound: Inbound,
    outbound: Outbound,
    registrations: Registrations,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Ready,
    Running,
    /// It does not read; nobody was told yet.
    GivenUp,
    Over,
}

/// What is to be done.
#[derive(Debug)]
pub enum Step {
    /// Run a command, then give its answer.
    Run(Call),
    /// The client wants events of that kind, which it did not before: forward them from now on.
    Subscribe(EventKind),
    /// It wants none of them any more.
    Unsubscribe(EventKind),
    /// Say in the log that there is no such event, or no such registration.
    Refused {
        /// `register` or `unregister`.
        what: &'static str,
        /// The event's name.
        name: String,
    },
    /// Count a packet that is none, and say so in the log. It gets no reply.
    Rejected(Rejection),
    /// Send what waits, then close.
    End(End),
}

/// A request for a command.
pub struct Call {
    frame: Wiped,
    name_len: usize,
}

/// Why a packet gets no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// It is of a type that clients do not send.
    Operation(u8),
    /// Its name is missing, cut short or not printable.
    Name {
        /// Type of the packet.
        kind: u8,
    },
    /// It is empty.
    Empty,
}

/// Why a conversation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The client said all it had to say, and was answered.
    Left,
    /// The stream ended in the middle of a frame.
    Truncated,
    /// A frame of so many bytes was announced.
    TooLong(usize),
    /// The client is farther behind with reading than is waited for. What waited is lost.
    DoesNotRead,
}

/// The client must read before more can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoRoom;

impl Session {
    /// Nothing said yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes as the client sent them, in any pieces.
    pub fn handle_input(&mut self, bytes: &[u8]) {
        if self.state != State::Over {
            self.inbound.push(bytes);
        }
    }

    /// The client sends nothing more; what it has sent is still served.
    pub fn handle_end(&mut self) {
        self.inbound.end();
    }

    /// Whether more input should be read. Not while the client leaves answers unread, nor far ahead of what is served: so what a
    /// client can make us hold is bounded.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        match self.state {
            State::Ready => self.outbound.has_room() && self.inbound.wants_more(),
            State::Running => self.outbound.has_room() && self.inbound.has_read_ahead_room(),
            State::GivenUp | State::Over => false,
        }
    }

    /// What is to be done next; `None` until there is more input, the running command is answered, or output was sent.
    pub fn poll(&mut self) -> Option<Step> {
        loop {
            match self.state {
                State::Over | State::Running => return None,
                State::GivenUp => return Some(self.end(End::DoesNotRead)),
                State::Ready if !self.outbound.has_room() => return None,
                State::Ready => {}
            }
            match self.inbound.next_frame() {
                Ok(Some(frame)) => {
                    if let Some(step) = self.serve(frame) {
                        return Some(step);
                    }
                }
                Ok(None) if !self.inbound.is_over() => return None,
                Ok(None) if self.inbound.is_empty() => return Some(self.end(End::Left)),
                Ok(None) => return Some(self.end(End::Truncated)),
                Err(FrameError::TooLong { len }) => return Some(self.end(End::TooLong(len))),
                Err(_) => return Some(self.end(End::Truncated)),
            }
        }
    }

    /// Answers the command that runs; `None` if there is no such command. An answer that does not fit is replaced by one that says
    /// so, for a client that waits must not wait for ever. Wait for [`has_room`](Self::has_room) first.
    pub fn answer(&mut self, answer: Option<&Message>) {
        if self.state != State::Running {
            return;
        }
        self.state = State::Ready;
        let Some(answer) = answer else { return self.reply(&Packet::CommandUnknown) };
        let sent = answer
            .encode()
            .map_err(Misfit::Name)
            .and_then(|message| self.outbound.push(&Packet::Response { message }));
        if sent.is_err() {
            let refusal = reply::failure("the answer does not fit into a message");
            self.reply(&Packet::Response { message: refusal.encode().expect("a short text fits") });
        }
    }

    /// How often an event is to be sent.
    #[must_use]
    pub fn registrations(&self, kind: EventKind) -> u32 {
        self.registrations.count(kind)
    }

    /// Sends one copy of an event of the client's own command. One that does not fit into a message is left out, and the reason is
    /// returned.
    ///
    /// # Errors
    /// [`NoRoom`] if the client must read first.
    pub fn event(&mut self, kind: EventKind, message: &Message) -> Result<Option<String>, NoRoom> {
        match self.state {
            State::Over | State::GivenUp => Ok(None),
            State::Ready | State::Running if !self.outbound.has_room() => Err(NoRoom),
            State::Ready | State::Running => Ok(self.push_event(kind, message)),
        }
    }

    /// Sends an event that happened elsewhere, as often as the client registered. A client that is too far behind is given up: it is
    /// told nothing more rather than a part. An event that does not fit into a message is left out, and the reason is returned.
    pub fn broadcast(&mut self, kind: EventKind, message: &Message) -> Option<String> {
        for _ in 0..self.registrations.count(kind) {
            match self.state {
                State::Over | State::GivenUp => return None,
                State::Ready | State::Running => {}
            }
            let len = message.encode().map_or(0, <[u8]>::len);
            let len = len + kind.name().len() + EVENT_OVERHEAD;
            if self.inbound.footprint() + self.outbound.waiting().len() + len > Self::FOOTPRINT_MAX {
                self.state = State::GivenUp;
                self.outbound.clear();
                return None;
            }
            if let Some(reason) = self.push_event(kind, message) {
                return Some(reason);
            }
        }
        None
    }

    /// Whether the client has read enough to be sent more.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.outbound.has_room()
    }

    /// Whether nothing more will be sent but what waits.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::GivenUp | State::Over)
    }

    /// Bytes for the client, in their frames.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        self.outbound.waiting()
    }

    /// So many bytes of [`output`](Self::output) were sent.
    pub fn sent(&mut self, count: usize) {
        self.outbound.sent(count);
    }

    /// Bytes of memory held for this client beside a command that runs. At most [`FOOTPRINT_MAX`](Self::FOOTPRINT_MAX).
    #[must_use]
    pub fn footprint(&self) -> usize {
        self.inbound.footprint() + self.outbound.footprint()
    }

    /// The most that a client can make us hold, if it is fed only while [`wants_input`](Self::wants_input), in pieces of at most
    /// 16 KiB, and answered only when there is room.
    pub const FOOTPRINT_MAX: usize = 1_000_000;

    fn end(&mut self, end: End) -> Step {
        self.state = State::Over;
        Step::End(end)
    }

    /// Serves one packet; `None` if that is done with a reply.
    fn serve(&mut self, frame: Wiped) -> Option<Step> {
        match Packet::parse(&frame) {
            Ok(Packet::Request { name, .. }) => {
                let name_len = name.as_bytes().len();
                self.state = State::Running;
                Some(Step::Run(Call { frame, name_len }))
            }
            Ok(Packet::EventRegister { name }) => self.register(name),
            Ok(Packet::EventUnregister { name }) => self.unregister(name),
            Ok(packet) => Some(Step::Rejected(Rejection::Operation(packet.kind()))),
            Err(PacketError::Type(kind)) => Some(Step::Rejected(Rejection::Operation(kind))),
            Err(PacketError::NameTruncated { kind } | PacketError::NameNotPrintable { kind }) => {
                Some(Step::Rejected(Rejection::Name { kind }))
            }
            Err(_) => Some(Step::Rejected(Rejection::Empty)),
        }
    }

    fn register(&mut self, name: Name<'_>) -> Option<Step> {
        let added =
            EventKind::from_name(name.as_str()).and_then(|kind| Some((kind, self.registrations.add(kind)?)));
        match added {
            Some((kind, before)) => {
                self.reply(&Packet::EventConfirm);
                (before == 0).then_some(Step::Subscribe(kind))
            }
            None => {
                self.reply(&Packet::EventUnknown);
                Some(Step::Refused { what: "register", name: name.to_string() })
            }
        }
    }

    fn unregister(&mut self, name: Name<'_>) -> Option<Step> {
        let removed = EventKind::from_name(name.as_str())
            .and_then(|kind| Some((kind, self.registrations.remove(kind)?)));
        match removed {
            Some((kind, left)) => {
                self.reply(&Packet::EventConfirm);
                (left == 0).then_some(Step::Unsubscribe(kind))
            }
            None => {
                self.reply(&Packet::EventUnknown);
                Some(Step::Refused { what: "unregister", name: name.to_string() })
            }
        }
    }

    fn reply(&mut self, packet: &Packet<'_>) {
        self.outbound.push(packet).expect("a short reply without a name fits");
    }

    fn push_event(&mut self, kind: EventKind, message: &Message) -> Option<String> {
        let name = Name::new(kind.name().as_bytes()).expect("names of events are printable");
        let pushed = message
            .encode()
            .map_err(Misfit::Name)
            .and_then(|message| self.outbound.push(&Packet::Event { name, message }));
        pushed.err().map(|misfit| misfit.to_string())
    }
}

impl Call {
    /// Name of the command.
    #[must_use]
    pub fn name(&self) -> &str {
        std::str::from_utf8(&self.frame[2..2 + self.name_len]).expect("names are printable")
    }

    /// Its arguments, as yet undecoded.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.frame[2 + self.name_len..]
    }
}

/// Arguments may be secrets.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("name", &self.name()).finish_non_exhaustive()
    }
}

/// A clause for the log.
impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operation(kind) => write!(f, "unsupported vici operation: {kind}"),
            Self::Name { kind: 3 } => f.write_str("invalid vici register message"),
            Self::Name { kind: 4 } => f.write_str("invalid vici unregister message"),
            Self::Name { .. } => f.write_str("invalid vici request message"),
            Self::Empty => f.write_str("invalid vici message"),
        }
    }
}

/// What a frame has beside the name of its event and its message: length, type, length of the name.
const EVENT_OVERHEAD: usize = 4 + 1 + 1;

#[cfg(test)]
mod tests;
