//! What both clients say and wait for, written once over the little in which they differ: how frames are sent and received.

use crate::command::{Command, CommandError, Listing};
use crate::dialogue::{ClientError, Dialogue, Event, Incoming, Reply, register, request, unregister};
use crate::message::Message;
use std::future::Future;

/// A byte stream that carries frames.
pub(crate) trait Port {
    /// A frame that was received.
    type Frame: AsRef<[u8]> + Send;

    /// Takes a packet, of which a part may be sent already.
    fn queue(&mut self, packet: Vec<u8>) -> impl Future<Output = Result<(), ClientError>> + Send;
    /// Sends what was taken.
    fn flush(&mut self) -> impl Future<Output = Result<(), ClientError>> + Send;
    /// The next frame.
    fn receive(&mut self) -> impl Future<Output = Result<Self::Frame, ClientError>> + Send;
}

/// A connection, and what is known of it. Every call is cancel safe.
pub(crate) struct Conversation<P> {
    port: P,
    dialogue: Dialogue,
}

impl<P: Port> Conversation<P> {
    pub(crate) fn new(port: P) -> Self {
        Self { port, dialogue: Dialogue::default() }
    }

    pub(crate) async fn request(&mut self, command: &str, message: &Message) -> Result<Message, ClientError> {
        self.settle().await?;
        self.send(request(command, message)?).await?;
        self.reply().await?.response(command)
    }

    pub(crate) async fn request_ahead(
        &mut self,
        command: &str,
        message: &Message,
    ) -> Result<(), ClientError> {
        self.settle().await?;
        self.port.queue(request(command, message)?).await?;
        self.dialogue.sent_ahead();
        Ok(())
    }

    pub(crate) async fn next_reply(&mut self, command: &str) -> Result<Message, ClientError> {
        self.port.flush().await?;
        self.reply().await?.response(command)
    }

    pub(crate) async fn call<C: Command>(&mut self, command: &C) -> Result<C::Reply, CommandError> {
        let reply = self.request(C::NAME, &command.message()).await?.into_success()?;
        C::reply(&reply).ok_or(CommandError::Incomprehensible(C::NAME))
    }

    pub(crate) async fn list<L: Listing>(&mut self, listing: &L) -> Result<Vec<L::Item>, CommandError> {
        let mut items = Vec::new();
        let mut stream = self.stream(L::COMMAND, L::EVENT, &listing.message()).await?;
        while let Some(event) = stream.next_event().await? {
            L::items(&event, &mut items).ok_or(CommandError::Incomprehensible(L::COMMAND))?;
        }
        Ok(items)
    }

    pub(crate) async fn stream(
        &mut self,
        command: &str,
        event: &str,
        message: &Message,
    ) -> Result<Stream<'_, P>, ClientError> {
        self.settle().await?;
        let packet = request(command, message)?;
        let mut stream = Stream {
            conversation: self,
            command: command.to_owned(),
            event: event.to_owned(),
            response: None,
            registration: Registration::Gone,
        };
        if !stream.conversation.dialogue.is_subscribed(event) {
            let packet = register(event)?;
            // Should this future be dropped, so is `stream`, and the registration will be undone.
            stream.registration = Registration::Held;
            stream.conversation.send(packet).await?;
            if let Err(error) = stream.conversation.reply().await?.confirmation(event) {
                stream.registration = Registration::Gone;
                return Err(error);
            }
        }
        stream.conversation.send(packet).await?;
        Ok(stream)
    }

    pub(crate) async fn subscribe(&mut self, event: &str) -> Result<(), ClientError> {
        self.settle().await?;
        if !self.dialogue.is_subscribed(event) {
            self.send(register(event)?).await?;
            self.reply().await?.confirmation(event)?;
            self.dialogue.subscribe(event);
        }
        Ok(())
    }

    pub(crate) async fn unsubscribe(&mut self, event: &str) -> Result<(), ClientError> {
        self.settle().await?;
        self.send(unregister(event)?).await?;
        self.reply().await?.confirmation(event)?;
        self.dialogue.unsubscribe(event);
        Ok(())
    }

    pub(crate) async fn next_event(&mut self) -> Result<Event, ClientError> {
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

    pub(crate) fn dialogue(&self) -> &Dialogue {
        &self.dialogue
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
        self.port.queue(packet).await?;
        self.dialogue.sent();
        self.port.flush().await
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
        let frame = self.port.receive().await?;
        self.dialogue.handle(frame.as_ref())
    }
}

/// The events of a running command.
pub(crate) struct Stream<'c, P: Port> {
    conversation: &'c mut Conversation<P>,
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

impl<P: Port> Stream<'_, P> {
    pub(crate) fn command(&self) -> &str {
        &self.command
    }

    pub(crate) async fn next_event(&mut self) -> Result<Option<Message>, ClientError> {
        while self.response.is_none() {
            match self.conversation.receive().await? {
                Incoming::Event(event) if event.name == self.event => return Ok(Some(event.message)),
                Incoming::Event(event) => self.conversation.dialogue.keep(event),
                Incoming::Reply(reply) => self.response = Some(reply.response(&self.command)?),
                Incoming::Nothing => {}
            }
        }
        if self.registration == Registration::Held {
            self.registration = Registration::Gone;
            self.conversation.dialogue.abandon(self.event.clone());
            self.conversation.settle().await?;
        }
        Ok(None)
    }

    pub(crate) async fn response(mut self) -> Result<Message, ClientError> {
        while self.next_event().await?.is_some() {}
        Ok(self.response.take().expect("the stream ends with the response"))
    }
}

impl<P: Port> Drop for Stream<'_, P> {
    fn drop(&mut self) {
        if self.registration == Registration::Held {
            self.conversation.dialogue.abandon(std::mem::take(&mut self.event));
        }
    }
}
