//! The client on tokio.

use crate::dialogue::{ClientError, Dialogue, Event, Incoming, Reply, register, request, unregister};
use crate::frame::FrameCodec;
use crate::message::Message;
use crate::uri::Uri;
use crate::vsock;
use futures_util::{SinkExt, StreamExt};
use std::fmt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_util::codec::Framed;

/// A connection to a VICI daemon.
///
/// The daemon serves the requests of a connection one after the other; open several connections to have it work on
/// several at once. Every call is cancel safe: when a future is dropped, the reply to it is skipped by the next call.
pub struct Client {
    framed: Framed<Box<dyn Transport>, FrameCodec>,
    dialogue: Dialogue,
}

trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

impl Client {
    /// Connects to the daemon at `uri`.
    pub async fn connect(uri: &Uri) -> Result<Self, ClientError> {
        let failed = |source| ClientError::Connect { uri: uri.clone(), source };
        Ok(match uri {
            Uri::Unix(path) => Self::from_stream(UnixStream::connect(path).await.map_err(failed)?),
            Uri::Tcp { host, port } => {
                Self::from_stream(TcpStream::connect((host.as_str(), *port)).await.map_err(failed)?)
            }
            Uri::Vsock { cid, port } => {
                let (cid, port) = (*cid, *port);
                let connecting = tokio::task::spawn_blocking(move || {
                    let stream = vsock::connect(cid, port)?;
                    stream.set_nonblocking(true)?;
                    UnixStream::from_std(stream)
                });
                let connected = connecting.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
                Self::from_stream(connected.map_err(failed)?)
            }
        })
    }

    /// Speaks VICI over any byte stream.
    pub fn from_stream(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self { framed: Framed::new(Box::new(stream), FrameCodec), dialogue: Dialogue::default() }
    }

    /// Runs a command and returns its reply, whether that tells of success or not
    /// (see [`Message::into_success`]).
    pub async fn request(&mut self, command: &str, message: &Message) -> Result<Message, ClientError> {
        self.settle().await?;
        self.send(request(command, message)?).await?;
        self.reply().await?.response(command)
    }

    /// Runs a command that sends events named `event` before it replies, such as `list-sas` with `list-sa`.
    pub async fn stream(
        &mut self,
        command: &str,
        event: &str,
        message: &Message,
    ) -> Result<Streamed<'_>, ClientError> {
        self.settle().await?;
        let packet = request(command, message)?;
        let mut streamed = Streamed {
            client: self,
            command: command.to_owned(),
            event: event.to_owned(),
            response: None,
            registration: Registration::Gone,
        };
        if !streamed.client.dialogue.is_subscribed(event) {
            let packet = register(event)?;
            // Should this future be dropped, so is `streamed`, and the registration will be undone.
            streamed.registration = Registration::Held;
            streamed.client.send(packet).await?;
            if let Err(error) = streamed.client.reply().await?.confirmation(event) {
                streamed.registration = Registration::Gone;
                return Err(error);
            }
        }
        streamed.client.send(packet).await?;
        Ok(streamed)
    }

    /// Asks the daemon to send `event` from now on; fetch it with [`next_event`](Self::next_event).
    pub async fn subscribe(&mut self, event: &str) -> Result<(), ClientError> {
        self.settle().await?;
        if !self.dialogue.is_subscribed(event) {
            self.send(register(event)?).await?;
            self.reply().await?.confirmation(event)?;
            self.dialogue.subscribe(event);
        }
        Ok(())
    }

    /// Asks the daemon not to send `event` any more.
    pub async fn unsubscribe(&mut self, event: &str) -> Result<(), ClientError> {
        self.settle().await?;
        self.send(unregister(event)?).await?;
        self.reply().await?.confirmation(event)?;
        self.dialogue.unsubscribe(event);
        Ok(())
    }

    /// Waits for the next event that was subscribed to.
    pub async fn next_event(&mut self) -> Result<Event, ClientError> {
        loop {
            if let Some(event) = self.dialogue.next_kept() {
                return Ok(event);
            }
            match self.receive().await? {
                Incoming::Event(event) => self.dialogue.keep(event),
                // The answer to a call that was abandoned.
                Incoming::Reply(_) | Incoming::Nothing => {}
            }
        }
    }

    /// How many events were dropped because too many waited for [`next_event`](Self::next_event).
    pub fn missed_events(&self) -> u64 {
        self.dialogue.missed()
    }

    /// Undoes registrations of streams that were dropped before their end.
    async fn settle(&mut self) -> Result<(), ClientError> {
        while let Some(event) = self.dialogue.next_abandoned() {
            self.send(unregister(&event)?).await?;
            // An answer other than EVENT_CONFIRM would mean that the registration is gone, which is what we want.
            self.reply().await?;
        }
        Ok(())
    }

    async fn send(&mut self, packet: Vec<u8>) -> Result<(), ClientError> {
        self.framed.feed(packet).await?;
        self.dialogue.sent();
        Ok(SinkExt::<Vec<u8>>::flush(&mut self.framed).await?)
    }

    async fn reply(&mut self) -> Result<Reply, ClientError> {
        loop {
            match self.receive().await? {
                Incoming::Reply(reply) => return Ok(reply),
                Incoming::Event(event) => self.dialogue.keep(event),
                Incoming::Nothing => {}
            }
        }
    }

    async fn receive(&mut self) -> Result<Incoming, ClientError> {
        let frame = self.framed.next().await.ok_or(ClientError::Closed)??;
        self.dialogue.handle(&frame)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("dialogue", &self.dialogue).finish_non_exhaustive()
    }
}

/// The events of a running command. Dropping it does not end the command.
#[derive(Debug)]
pub struct Streamed<'c> {
    client: &'c mut Client,
    command: String,
    event: String,
    response: Option<Message>,
    registration: Registration,
}

#[derive(Debug, PartialEq, Eq)]
enum Registration {
    /// To be undone when the command ends.
    Held,
    /// Undone, or not ours to undo.
    Gone,
}

impl Streamed<'_> {
    /// The next event of the command; `None` when the command has ended.
    pub async fn next_event(&mut self) -> Result<Option<Message>, ClientError> {
        while self.response.is_none() {
            match self.client.receive().await? {
                Incoming::Event(event) if event.name == self.event => return Ok(Some(event.message)),
                Incoming::Event(event) => self.client.dialogue.keep(event),
                Incoming::Reply(reply) => self.response = Some(reply.response(&self.command)?),
                Incoming::Nothing => {}
            }
        }
        if self.registration == Registration::Held {
            self.registration = Registration::Gone;
            self.client.dialogue.abandon(self.event.clone());
            self.client.settle().await?;
        }
        Ok(None)
    }

    /// The reply of the command. Events that were not fetched are skipped.
    pub async fn response(mut self) -> Result<Message, ClientError> {
        while self.next_event().await?.is_some() {}
        Ok(self.response.take().expect("the stream ends with the response"))
    }
}

impl Drop for Streamed<'_> {
    fn drop(&mut self) {
        if self.registration == Registration::Held {
            self.client.dialogue.abandon(std::mem::take(&mut self.event));
        }
    }
}

#[cfg(test)]
mod tests;
