//! One client: its packets are served strictly one after the other, its events are sent as they come.
//!
//! A session is two tasks, and one for each event it registered that happens elsewhere. Ending any of them is safe: what
//! a command has begun goes on by itself. The writer ends when everything that could send is gone.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::io::{AsyncRead, AsyncWrite, split};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_util::codec::FramedRead;
use tracing::{debug, info, warn};
use vici::{FRAME_LEN_MAX, FrameCodec, FrameError, Message, Packet, PacketError};
use zeroize::Zeroize;

use crate::broadcast;
use crate::command;
use crate::emit::Emitter;
use crate::event::EventKind;
use crate::outbound::{self, Gone};
use crate::reply;
use crate::request::Request;
use crate::server::Server;

/// Number of a session, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionId(pub(crate) u64);

/// Serves a client until it leaves, breaks the framing, or does not read what it is sent.
pub(crate) async fn serve(
    stream: impl AsyncRead + AsyncWrite + Send + 'static,
    id: SessionId,
    server: Arc<Server>,
) {
    debug!(target: "CFG", "vici client {} connected", id.0);
    let (reading, writing) = split(stream);
    let (outbound, pending) = outbound::queue();
    let mut writer = tokio::spawn(outbound::write(pending, writing));
    let mut session =
        Session { id, server, emitter: Emitter::new(outbound), broadcasts: std::array::from_fn(|_| None) };
    let mut frames = FramedRead::new(reading, FrameCodec);
    loop {
        let frame = tokio::select! {
            frame = frames.next() => frame,
            // The client does not read, or is gone.
            _ = &mut writer => break,
        };
        match frame {
            Some(Ok(mut frame)) => {
                let served = session.serve_packet(&frame).await;
                // It may have held a key.
                frame.as_mut().zeroize();
                if served.is_err() {
                    break;
                }
            }
            Some(Err(FrameError::TooLong { len })) => {
                info!(target: "CFG", "vici message length {len} exceeds {FRAME_LEN_MAX} bytes limit, ignored");
                break;
            }
            Some(Err(FrameError::Truncated)) => {
                info!(target: "CFG", "premature vici disconnect");
                break;
            }
            Some(Err(error)) => {
                debug!(target: "CFG", "reading from vici client {} failed: {error}", id.0);
                break;
            }
            None => break,
        }
    }
    if session.emitter.is_given_up() {
        warn!(target: "CFG", "vici client {} does not read, disconnected", id.0);
    }
    drop(session);
    // What waits is still written to a client that only closed its sending side.
    if !writer.is_finished() && timeout(LINGER, &mut writer).await.is_err() {
        writer.abort();
    }
    debug!(target: "CFG", "vici client {} disconnected", id.0);
}

struct Session {
    id: SessionId,
    server: Arc<Server>,
    emitter: Emitter,
    /// Tasks that forward events that happen elsewhere, by event.
    broadcasts: [Option<AbortHandle>; EventKind::ALL.len()],
}

impl Session {
    async fn serve_packet(&mut self, frame: &[u8]) -> Result<(), Gone> {
        match Packet::parse(frame) {
            Ok(Packet::Request { name, message }) => self.run(name.as_str(), message).await,
            Ok(Packet::EventRegister { name }) => {
                let answer = self.register(name.as_str());
                self.emitter.answer(answer).await
            }
            Ok(Packet::EventUnregister { name }) => {
                let answer = self.unregister(name.as_str());
                self.emitter.answer(answer).await
            }
            Ok(packet) => {
                self.reject(format_args!("unsupported vici operation: {}", packet.kind()));
                Ok(())
            }
            Err(error) => {
                self.reject(rejection(error));
                Ok(())
            }
        }
    }

    async fn run(&mut self, name: &str, message: &[u8]) -> Result<(), Gone> {
        debug!(target: "CFG", "vici client {} requests: {name}", self.id.0);
        let request = Request::new(message);
        let Some(answer) = command::run(name, &self.server, &request, &self.emitter).await? else {
            info!(target: "CFG", "vici client {} invalid request: {name}", self.id.0);
            return self.emitter.answer(Packet::CommandUnknown).await;
        };
        let too_long: Message;
        let answer = match answer.encode() {
            Ok(bytes) if bytes.len() < FRAME_LEN_MAX => bytes,
            _ => {
                too_long = reply::failure("the answer does not fit into a message");
                too_long.encode().expect("a short text fits")
            }
        };
        self.emitter.answer(Packet::Response { message: answer }).await
    }

    fn register(&mut self, name: &str) -> Packet<'static> {
        let registrations = self.emitter.registrations();
        let Some((kind, before)) =
            EventKind::from_name(name).and_then(|kind| Some((kind, registrations.add(kind)?)))
        else {
            info!(target: "CFG", "vici client {} invalid register: {name}", self.id.0);
            return Packet::EventUnknown;
        };
        debug!(target: "CFG", "vici client {} registered for: {name}", self.id.0);
        if before == 0 {
            self.broadcasts[kind as usize] = broadcast::forward(kind, &self.server, &self.emitter);
        }
        Packet::EventConfirm
    }

    fn unregister(&mut self, name: &str) -> Packet<'static> {
        let registrations = self.emitter.registrations();
        let Some((kind, left)) =
            EventKind::from_name(name).and_then(|kind| Some((kind, registrations.remove(kind)?)))
        else {
            info!(target: "CFG", "vici client {} invalid unregister: {name}", self.id.0);
            return Packet::EventUnknown;
        };
        debug!(target: "CFG", "vici client {} unregistered for: {name}", self.id.0);
        if left == 0 {
            self.end_broadcast(kind);
        }
        Packet::EventConfirm
    }

    fn end_broadcast(&mut self, kind: EventKind) {
        if let Some(task) = self.broadcasts[kind as usize].take() {
            task.abort();
        }
    }

    fn reject(&self, reason: impl std::fmt::Display) {
        let count = self.server.rejected.count();
        info!(target: "CFG", "{reason} (vici client {}, {count} such packets so far)", self.id.0);
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        for kind in EventKind::ALL {
            self.end_broadcast(*kind);
        }
    }
}

/// How long a client that says nothing more may take to read what it was sent.
const LINGER: Duration = Duration::from_secs(10);

/// What the log says of a packet that is none.
fn rejection(error: PacketError) -> String {
    match error {
        PacketError::Type(kind) => format!("unsupported vici operation: {kind}"),
        PacketError::NameTruncated { kind } | PacketError::NameNotPrintable { kind } => {
            let what = match kind {
                3 => "register",
                4 => "unregister",
                _ => "request",
            };
            format!("invalid vici {what} message")
        }
        _ => "invalid vici message".to_owned(),
    }
}
