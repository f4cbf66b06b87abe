//! The client on plain sockets, for programs without an async runtime.

use crate::command::{Command, CommandError, Listing};
use crate::conversation::{Conversation, Port, Stream};
use crate::dialogue::{ClientError, Event};
use crate::frame::{FrameError, HEADER_LEN, announced_len, header};
use crate::message::Message;
use crate::uri::Uri;
use crate::vsock;
use std::fmt;
use std::future::Future;
use std::io::{self, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// A connection to a VICI daemon; calls block until the daemon has answered.
pub struct Client {
    conversation: Conversation<Wire>,
}

trait Transport: Read + Write + Send {}

impl<T: Read + Write + Send> Transport for T {}

/// A stream, and what is to be sent on it.
struct Wire {
    stream: BufReader<Box<dyn Transport>>,
    unsent: Vec<u8>,
}

/// What is worth a system call, in bytes.
const UNSENT_MAX: usize = 32 << 10;

/// Blocks instead of waiting: each of its futures is ready when it is first asked.
impl Port for Wire {
    type Frame = Vec<u8>;

    async fn queue(&mut self, packet: Vec<u8>) -> Result<(), ClientError> {
        self.unsent.extend_from_slice(&header(&packet)?);
        self.unsent.extend_from_slice(&packet);
        if self.unsent.len() >= UNSENT_MAX { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), ClientError> {
        let stream = self.stream.get_mut();
        let sent = stream.write_all(&self.unsent).and_then(|()| stream.flush());
        self.unsent.clear();
        Ok(sent.map_err(FrameError::Io)?)
    }

    async fn receive(&mut self) -> Result<Vec<u8>, ClientError> {
        let mut header = [0; HEADER_LEN];
        match self.stream.read_exact(&mut header) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(ClientError::Closed),
            result => result.map_err(FrameError::Io)?,
        }
        let mut frame = vec![0; announced_len(header)?];
        self.stream.read_exact(&mut frame).map_err(FrameError::Io)?;
        Ok(frame)
    }
}

/// The result of a future that waits for nothing but such a port.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => unreachable!("a port that blocks is never pending"),
    }
}

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

    /// Speaks VICI over any byte stream, which must block.
    pub fn from_stream(stream: impl Read + Write + Send + 'static) -> Self {
        let stream: Box<dyn Transport> = Box::new(stream);
        Self { conversation: Conversation::new(Wire { stream: BufReader::new(stream), unsent: Vec::new() }) }
    }

    /// Runs a command and returns its reply, whether that tells of success or not
    /// (see [`Message::into_success`]).
    pub fn request(&mut self, command: &str, message: &Message) -> Result<Message, ClientError> {
        ready(self.conversation.request(command, message))
    }

    /// Sends a request, perhaps not at once, without waiting for its reply: the daemon need not wait for us between two. Fetch
    /// each reply by [`next_reply`](Self::next_reply); any other call forgets those that were not fetched. Some dozens may be
    /// under way: who sends thousands and fetches nothing waits for a daemon that waits for him.
    pub fn request_ahead(&mut self, command: &str, message: &Message) -> Result<(), ClientError> {
        ready(self.conversation.request_ahead(command, message))
    }

    /// The reply to the oldest request that was sent ahead; `command` is its name. One without such a request never ends.
    pub fn next_reply(&mut self, command: &str) -> Result<Message, ClientError> {
        ready(self.conversation.next_reply(command))
    }

    /// Runs a command whose request and reply have types, such as [`Initiate`](crate::command::Initiate).
    pub fn call<C: Command>(&mut self, command: &C) -> Result<C::Reply, CommandError> {
        ready(self.conversation.call(command))
    }

    /// Lists things that have a type, such as the SAs of [`ListSas`](crate::command::ListSas).
    pub fn list<L: Listing>(&mut self, listing: &L) -> Result<Vec<L::Item>, CommandError> {
        ready(self.conversation.list(listing))
    }

    /// Runs a command that sends events named `event` before it replies, such as `list-sas` with `list-sa`.
    pub fn stream(
        &mut self,
        command: &str,
        event: &str,
        message: &Message,
    ) -> Result<Streamed<'_>, ClientError> {
        Ok(Streamed { stream: ready(self.conversation.stream(command, event, message))? })
    }

    /// Asks the daemon to send `event` from now on; fetch it with [`next_event`](Self::next_event).
    pub fn subscribe(&mut self, event: &str) -> Result<(), ClientError> {
        ready(self.conversation.subscribe(event))
    }

    /// Asks the daemon not to send `event` any more.
    pub fn unsubscribe(&mut self, event: &str) -> Result<(), ClientError> {
        ready(self.conversation.unsubscribe(event))
    }

    /// Waits for the next event that was subscribed to.
    pub fn next_event(&mut self) -> Result<Event, ClientError> {
        ready(self.conversation.next_event())
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
    stream: Stream<'c, Wire>,
}

impl Streamed<'_> {
    /// The next event of the command; `None` when the command has ended.
    pub fn next_event(&mut self) -> Result<Option<Message>, ClientError> {
        ready(self.stream.next_event())
    }

    /// The reply of the command. Events that were not fetched are skipped.
    pub fn response(self) -> Result<Message, ClientError> {
        ready(self.stream.response())
    }
}

impl fmt::Debug for Streamed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streamed").field("command", &self.stream.command()).finish_non_exhaustive()
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
                    (b"\0\x05stats", vec![]),
                    (b"\0\x04nope", vec![b"\x01", b"\x07\x03log", b"\x02"]),
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
        client.request_ahead("stats", &Message::new()).unwrap();
        client.request_ahead("nope", &Message::new()).unwrap();
        assert!(client.next_reply("stats").unwrap().is_empty());
        let unknown = client.next_reply("nope");
        assert!(matches!(unknown, Err(ClientError::CommandUnknown(name)) if name == "nope"));
        assert!(matches!(client.subscribe("nope"), Err(ClientError::EventUnknown(name)) if name == "nope"));
        served.join().unwrap();
        assert_eq!(client.next_event().unwrap().name, "log");
        assert!(matches!(client.next_event(), Err(ClientError::Closed)));
    }
}
