//! The client on plain sockets, for programs without an async runtime.

use crate::dialogue::{ClientError, Dialogue, Event, Incoming, Reply, register, request, unregister};
use crate::frame::{FrameError, HEADER_LEN, announced_len, header};
use crate::message::Message;
use crate::uri::Uri;
use crate::vsock;
use std::fmt;
use std::io::{self, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

/// A connection to a VICI daemon; calls block until the daemon has answered.
pub struct Client {
    stream: BufReader<Box<dyn Transport>>,
    dialogue: Dialogue,
}

trait Transport: Read + Write + Send {}

impl<T: Read + Write + Send> Transport for T {}

impl Client {
    /// Connects to the daemon at `uri`.
    pub fn connect(uri: &Uri) -> Result<Self, ClientError> {
        let failed = |source| ClientError::Connect { uri: uri.clone(), source };
        Ok(match uri {
            Uri::Unix(path) => Self::from_stream(UnixStream::connect(path).map_err(failed)?),
            Uri::Tcp { host, port } => {
                Self::from_stream(TcpStream::connect((host.as_str(), *port)).map_err(failed)?)
            }
            Uri::Vsock { cid, port } => Self::from_stream(vsock::connect(*cid, *port).map_err(failed)?),
        })
    }

    /// Speaks VICI over any byte stream.
    pub fn from_stream(stream: impl Read + Write + Send + 'static) -> Self {
        Self { stream: BufReader::new(Box::new(stream)), dialogue: Dialogue::default() }
    }

    /// Runs a command and returns its reply, whether that tells of success or not
    /// (see [`Message::into_success`]).
    pub fn request(&mut self, command: &str, message: &Message) -> Result<Message, ClientError> {
        self.settle()?;
        self.send(&request(command, message)?)?;
        self.reply()?.response(command)
    }

    /// Runs a command that sends events named `event` before it replies, such as `list-sas` with `list-sa`.
    pub fn stream(
        &mut self,
        command: &str,
        event: &str,
        message: &Message,
    ) -> Result<Streamed<'_>, ClientError> {
        self.settle()?;
        let packet = request(command, message)?;
        let mut registration = Registration::Gone;
        if !self.dialogue.is_subscribed(event) {
            self.send(&register(event)?)?;
            self.reply()?.confirmation(event)?;
            registration = Registration::Held;
        }
        let streamed = Streamed {
            client: self,
            command: command.to_owned(),
            event: event.to_owned(),
            response: None,
            registration,
        };
        streamed.client.send(&packet)?;
        Ok(streamed)
    }

    /// Asks the daemon to send `event` from now on; fetch it with [`next_event`](Self::next_event).
    pub fn subscribe(&mut self, event: &str) -> Result<(), ClientError> {
        self.settle()?;
        if !self.dialogue.is_subscribed(event) {
            self.send(&register(event)?)?;
            self.reply()?.confirmation(event)?;
            self.dialogue.subscribe(event);
        }
        Ok(())
    }

    /// Asks the daemon not to send `event` any more.
    pub fn unsubscribe(&mut self, event: &str) -> Result<(), ClientError> {
        self.settle()?;
        self.send(&unregister(event)?)?;
        self.reply()?.confirmation(event)?;
        self.dialogue.unsubscribe(event);
        Ok(())
    }

    /// Waits for the next event that was subscribed to.
    pub fn next_event(&mut self) -> Result<Event, ClientError> {
        loop {
            if let Some(event) = self.dialogue.next_kept() {
                return Ok(event);
            }
            match self.receive()? {
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
    fn settle(&mut self) -> Result<(), ClientError> {
        while let Some(event) = self.dialogue.next_abandoned() {
            self.send(&unregister(&event)?)?;
            // An answer other than EVENT_CONFIRM would mean that the registration is gone, which is what we want.
            self.reply()?;
        }
        Ok(())
    }

    fn send(&mut self, packet: &[u8]) -> Result<(), ClientError> {
        let header = header(packet)?;
        let stream = self.stream.get_mut();
        stream.write_all(&header).map_err(FrameError::Io)?;
        stream.write_all(packet).map_err(FrameError::Io)?;
        stream.flush().map_err(FrameError::Io)?;
        self.dialogue.sent();
        Ok(())
    }

    fn reply(&mut self) -> Result<Reply, ClientError> {
        loop {
            match self.receive()? {
                Incoming::Reply(reply) => return Ok(reply),
                Incoming::Event(event) => self.dialogue.keep(event),
                Incoming::Nothing => {}
            }
        }
    }

    fn receive(&mut self) -> Result<Incoming, ClientError> {
        let mut header = [0; HEADER_LEN];
        match self.stream.read_exact(&mut header) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(ClientError::Closed),
            result => result.map_err(FrameError::Io)?,
        }
        let mut frame = vec![0; announced_len(header)?];
        self.stream.read_exact(&mut frame).map_err(FrameError::Io)?;
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
    pub fn next_event(&mut self) -> Result<Option<Message>, ClientError> {
        while self.response.is_none() {
            match self.client.receive()? {
                Incoming::Event(event) if event.name == self.event => return Ok(Some(event.message)),
                Incoming::Event(event) => self.client.dialogue.keep(event),
                Incoming::Reply(reply) => self.response = Some(reply.response(&self.command)?),
                Incoming::Nothing => {}
            }
        }
        if self.registration == Registration::Held {
            self.registration = Registration::Gone;
            self.client.dialogue.abandon(self.event.clone());
            self.client.settle()?;
        }
        Ok(None)
    }

    /// The reply of the command. Events that were not fetched are skipped.
    pub fn response(mut self) -> Result<Message, ClientError> {
        while self.next_event()?.is_some() {}
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
mod tests {
    use super::*;
    use std::thread;

    /// Serves one connection: for each step, reads a frame, compares it and sends the frames given.
    fn daemon(mut stream: UnixStream, steps: Vec<(&'static [u8], Vec<&'static [u8]>)>) {
        for (expected, answers) in steps {
            let mut header = [0; HEADER_LEN];
            stream.read_exact(&mut header).unwrap();
            let mut frame = vec![0; announced_len(header).unwrap()];
            stream.read_exact(&mut frame).unwrap();
            assert_eq!(frame, expected);
            for answer in answers {
                stream.write_all(&super::header(answer).unwrap()).unwrap();
                stream.write_all(answer).unwrap();
            }
        }
    }

    #[test]
    fn commands_streams_and_subscriptions_work_without_a_runtime() {
        let (client, server) = UnixStream::pair().unwrap();
        let served = thread::spawn(move || {
            daemon(
                server,
                vec![
                    (b"\x03\x03log", vec![b"\x05"]),
                    (b"\x03\x07list-sa", vec![b"\x05"]),
                    (
                        b"\0\x08list-sas",
                        vec![
                            b"\x07\x07list-sa\x01\x01a\x02",
                            b"\x07\x03log",
                            b"\x07\x07list-sa\x01\x01b\x02",
                            b"\x01",
                        ],
                    ),
                    (b"\x04\x07list-sa", vec![b"\x05"]),
                    (b"\0\x04nope", vec![b"\x02"]),
                    (b"\x03\x04nope", vec![b"\x06"]),
                ],
            );
        });
        let mut client = Client::from_stream(client);
        client.subscribe("log").unwrap();
        let mut sas = client.stream("list-sas", "list-sa", &Message::new()).unwrap();
        assert!(sas.next_event().unwrap().unwrap().section("a").is_some());
        assert!(sas.response().unwrap().is_empty());
        assert_eq!(client.next_event().unwrap().name, "log");
        let unknown = client.request("nope", &Message::new());
        assert!(matches!(unknown, Err(ClientError::CommandUnknown(name)) if name == "nope"));
        assert!(matches!(client.subscribe("nope"), Err(ClientError::EventUnknown(name)) if name == "nope"));
        served.join().unwrap();
        assert!(matches!(client.next_event(), Err(ClientError::Closed)));
    }
}
