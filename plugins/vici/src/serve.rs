//! One client: a task that reads, serves and writes in turn.
//!
//! Packets are served strictly one after the other; while a command takes its time, its events and others go out. Ending the
//! task is safe: what a command has begun goes on by itself.

use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};
use vici::FRAME_LEN_MAX;

use crate::access::Access;
use crate::broadcast;
use crate::command;
use crate::emit::{Emitter, Gone};
use crate::event::EventKind;
use crate::link::Link;
use crate::request::Request;
use crate::server::Server;
use crate::session::{Call, End, Step};
use crate::wipe::wipe;

/// Number of a session, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionId(pub(crate) u64);

/// Serves a client until it leaves, breaks the framing, or does not read what it is sent. When `stop` comes, only what waits is
/// still written.
pub(crate) async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    id: SessionId,
    access: Access,
    server: Arc<Server>,
    stop: CancellationToken,
) {
    debug!(target: "CFG", "vici client {} connected", id.0);
    let link = Arc::new(Link::default());
    let mut pump = Pump { stream, link: Arc::clone(&link) };
    let mut client = Client {
        id,
        access,
        server,
        emitter: Emitter::new(Arc::clone(&link)),
        link,
        broadcasts: std::array::from_fn(|_| None),
    };
    tokio::select! {
        end = client.converse(&mut pump) => client.note(end),
        () = stop.cancelled() => {}
    }
    let id = client.id;
    drop(client);
    // A client that only closed its sending side reads on.
    let patience = if stop.is_cancelled() { FLUSH } else { LINGER };
    drop(timeout(patience, pump.flush()).await);
    debug!(target: "CFG", "vici client {} disconnected", id.0);
}

struct Client {
    id: SessionId,
    access: Access,
    server: Arc<Server>,
    link: Arc<Link>,
    emitter: Emitter,
    /// Tasks that forward events that happen elsewhere, by event.
    broadcasts: [Option<AbortHandle>; EventKind::ALL.len()],
}

impl Client {
    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(&mut self, pump: &mut Pump<S>) -> Result<End, Gone> {
        let mut steps: u32 = 0;
        loop {
            let step = self.link.session().poll();
            match step {
                None => pump.turn().await?,
                Some(Step::Run(call)) => self.run(call, pump).await?,
                Some(Step::Subscribe(kind)) => {
                    debug!(target: "CFG", "vici client {} registered for: {}", self.id.0, kind.name());
                    self.broadcasts[kind as usize] = broadcast::forward(kind, &self.server, &self.emitter);
                }
                Some(Step::Unsubscribe(kind)) => {
                    debug!(target: "CFG", "vici client {} unregistered for: {}", self.id.0, kind.name());
                    self.end_broadcast(kind);
                }
                Some(Step::Refused { what, name }) => {
                    info!(target: "CFG", "vici client {} invalid {what}: {name}", self.id.0);
                }
                Some(Step::Rejected(reason)) => {
                    let count = self.server.rejected.count();
                    info!(target: "CFG", "{reason} (vici client {}, {count} such packets so far)", self.id.0);
                }
                Some(Step::End(end)) => return Ok(end),
            }
            // Whoever sends much at once has no more of the processor than others.
            steps = steps.wrapping_add(1);
            if steps.is_multiple_of(STEPS_MAX) {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Runs a command and answers it, sending and reading ahead meanwhile.
    async fn run<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        call: Call,
        pump: &mut Pump<S>,
    ) -> Result<(), Gone> {
        debug!(target: "CFG", "vici client {} requests: {}", self.id.0, call.name());
        let answer = {
            let request = Request::new(call.message());
            let running = command::run(call.name(), self.access, &self.server, &request, &self.emitter);
            tokio::select! {
                biased;
                answer = running => answer?,
                gone = pump.until_gone() => return Err(gone),
            }
        };
        if answer.is_none() {
            info!(target: "CFG", "vici client {} invalid request: {}", self.id.0, call.name());
        }
        // It may be long, as may be the answer.
        drop(call);
        while !self.link.session().has_room() {
            pump.turn().await?;
        }
        self.link.session().answer(answer.as_ref());
        Ok(())
    }

    fn note(&self, end: Result<End, Gone>) {
        let end = end.or_else(|Gone| match self.link.session().poll() {
            Some(Step::End(end)) => Ok(end),
            _ => Err(Gone),
        });
        match end {
            Ok(End::Left) | Err(Gone) => {}
            Ok(End::Truncated) => info!(target: "CFG", "premature vici disconnect"),
            Ok(End::TooLong(len)) => {
                info!(target: "CFG", "vici message length {len} exceeds {FRAME_LEN_MAX} bytes limit, ignored");
            }
            Ok(End::DoesNotRead) => {
                warn!(target: "CFG", "vici client {} does not read, disconnected", self.id.0);
            }
        }
    }

    fn end_broadcast(&mut self, kind: EventKind) {
        if let Some(task) = self.broadcasts[kind as usize].take() {
            task.abort();
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        for kind in EventKind::ALL {
            self.end_broadcast(*kind);
        }
    }
}

/// Between the stream and the session.
struct Pump<S> {
    stream: S,
    link: Arc<Link>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Pump<S> {
    /// Writes what waits and reads what is wanted, until something was read, room was made or the client was given up.
    async fn turn(&mut self) -> Result<(), Gone> {
        std::future::poll_fn(|context| self.poll_turn(context)).await
    }

    /// The same, until the client is gone.
    async fn until_gone(&mut self) -> Gone {
        loop {
            if self.turn().await.is_err() || self.link.session().is_over() {
                return Gone;
            }
        }
    }

    /// Writes what waits.
    async fn flush(&mut self) -> Result<(), Gone> {
        std::future::poll_fn(|context| self.poll_write(context)).await?;
        self.stream.shutdown().await.map_err(|_| Gone)
    }

    fn poll_turn(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        self.link.sender.register(context.waker());
        let had_room = self.link.session().has_room();
        if let Poll::Ready(Err(gone)) = self.poll_write(context) {
            return Poll::Ready(Err(gone));
        }
        let (has_room, over, wants_input) = {
            let session = self.link.session();
            (session.has_room(), session.is_over(), session.wants_input())
        };
        if over || has_room && !had_room {
            self.link.room.notify_waiters();
            return Poll::Ready(Ok(()));
        }
        if wants_input { self.poll_read(context) } else { Poll::Pending }
    }

    /// Ready when nothing waits.
    fn poll_write(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        let mut session = self.link.session();
        while !session.output().is_empty() {
            match Pin::new(&mut self.stream).poll_write(context, session.output()) {
                Poll::Ready(Ok(count)) if count > 0 => session.sent(count),
                Poll::Ready(_) => return Poll::Ready(Err(Gone)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        let mut space = [const { MaybeUninit::uninit() }; READ_LEN];
        let mut buffer = ReadBuf::uninit(&mut space);
        match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(_)) => return Poll::Ready(Err(Gone)),
        }
        let mut session = self.link.session();
        match buffer.filled() {
            [] => session.handle_end(),
            bytes => session.handle_input(bytes),
        }
        // What a client sent may be a secret.
        wipe(buffer.filled_mut());
        Poll::Ready(Ok(()))
    }
}

/// How long a client that says nothing more may take to read what it was sent.
const LINGER: Duration = Duration::from_secs(10);
/// The same when the daemon ends.
const FLUSH: Duration = Duration::from_secs(1);
/// Steps before others have a turn.
const STEPS_MAX: u32 = 32;
/// Most bytes read at once.
const READ_LEN: usize = 16 * 1024;
