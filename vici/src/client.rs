//! The client on tokio.

use crate::command::{Command, CommandError, Listing};
use crate::conversation::{Conversation, Port, Stream};
use crate::dialogue::{ClientError, Event};
use crate::frame::FrameCodec;
use crate::message::Message;
use crate::uri::Uri;
use crate::vsock;
use bytes::BytesMut;
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
    conversation: Conversation<Framed<Box<dyn Transport>, FrameCodec>>,
}

trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

impl Port for Framed<Box<dyn Transport>, FrameCodec> {
    type Frame = BytesMut;

    async fn queue(&mut self, packet: Vec<u8>) -> Result<(), ClientError> {
        Ok(self.feed(packet).await?)
    }

    async fn flush(&mut self) -> Result<(), ClientError> {
        Ok(SinkExt::<Vec<u8>>::flush(self).await?)
    }

    async fn receive(&mut self) -> Result<BytesMut, ClientError> {
        Ok(self.next().await.ok_or(ClientError::Closed)??)
    }
}

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
        Self { conversation: Conversation::new(Framed::new(Box::new(stream), FrameCodec)) }
    }

    /// Runs a command and returns its reply, whether that tells of success or not
    /// (see [`Message::into_success`]).
    pub async fn request(&mut self, command: &str, message: &Message) -> Result<Message, ClientError> {
        self.conversation.request(command, message).await
    }

    /// Sends a request, perhaps not at once, without waiting for its reply: the daemon need not wait for us between two. Fetch
    /// each reply by [`next_reply`](Self::next_reply); any other call forgets those that were not fetched. Some dozens may be
    /// under way: who sends thousands and fetches nothing waits for a daemon that waits for him.
    pub async fn request_ahead(&mut self, command: &str, message: &Message) -> Result<(), ClientError> {
        self.conversation.request_ahead(command, message).await
    }

    /// The reply to the oldest request that was sent ahead; `command` is its name. One without such a request never ends.
    pub async fn next_reply(&mut self, command: &str) -> Result<Message, ClientError> {
        self.conversation.next_reply(command).await
    }

    /// Runs a command whose request and reply have types, such as [`Initiate`](crate::command::Initiate).
    pub async fn call<C: Command>(&mut self, command: &C) -> Result<C::Reply, CommandError> {
        self.conversation.call(command).await
    }

    /// Lists things that have a type, such as the SAs of [`ListSas`](crate::command::ListSas).
    pub async fn list<L: Listing>(&mut self, listing: &L) -> Result<Vec<L::Item>, CommandError> {
        self.conversation.list(listing).await
    }

    /// Runs a command that sends events named `event` before it replies, such as `list-sas` with `list-sa`.
    pub async fn stream(
        &mut self,
        command: &str,
        event: &str,
        message: &Message,
    ) -> Result<Streamed<'_>, ClientError> {
        Ok(Streamed { stream: self.conversation.stream(command, event, message).await? })
    }

    /// Asks the daemon to send `event` from now on; fetch it with [`next_event`](Self::next_event).
    pub async fn subscribe(&mut self, event: &str) -> Result<(), ClientError> {
        self.conversation.subscribe(event).await
    }

    /// Asks the daemon not to send `event` any more.
    pub async fn unsubscribe(&mut self, event: &str) -> Result<(), ClientError> {
        self.conversation.unsubscribe(event).await
    }

    /// Waits for the next event that was subscribed to.
    pub async fn next_event(&mut self) -> Result<Event, ClientError> {
        self.conversation.next_event().await
    }

    /// How many events were dropped because too many waited for [`next_event`](Self::next_event).
    pub fn missed_events(&self) -> u64 {
        self.conversation.dialogue().missed()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("dialogue", self.conversation.dialogue()).finish_non_exhaustive()
    }
}

/// The events of a running command. Dropping it does not end the command.
pub struct Streamed<'c> {
    stream: Stream<'c, Framed<Box<dyn Transport>, FrameCodec>>,
}

impl Streamed<'_> {
    /// The next event of the command; `None` when the command has ended.
    pub async fn next_event(&mut self) -> Result<Option<Message>, ClientError> {
        self.stream.next_event().await
    }

    /// The reply of the command. Events that were not fetched are skipped.
    pub async fn response(self) -> Result<Message, ClientError> {
        self.stream.response().await
    }
}

impl fmt::Debug for Streamed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streamed").field("command", &self.stream.command()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
