//! PF_KEY sockets.
//!
//! The kernel works on a request while it is written, so that its answer waits in the socket when the write returns. It tells
//! everybody of everything: what has not our process id and sequence number is no answer to us.

use std::io::{self, Read, Write};

use charon_core::kernel::Transport;
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tracing::debug;

use crate::wire::{KeyWriter, Message, Writer};

const PF_KEY: i32 = 15;
const PF_KEY_V2: i32 = 2;
/// Room for what others do while a request is answered, octets.
pub(crate) const REQUESTS_BUFFER_LEN: usize = 1 << 20;
const DATAGRAM_LEN_MAX: usize = 64 << 10;
/// Messages read for one answer: more than fit the socket's buffer.
const READS_MAX: usize = 65_536;

const ENOBUFS: i32 = 105;
const EINVAL: i32 = 22;
const ENOENT: i32 = 2;

/// A socket that does not block.
#[derive(Debug)]
pub(crate) struct KeySocket(Socket);

impl KeySocket {
    /// With room for that many octets that wait; 0 for what the system gives.
    pub(crate) fn open(buffer_len: usize) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::from(PF_KEY),
            Type::RAW.nonblocking().cloexec(),
            Some(Protocol::from(PF_KEY_V2)),
        )?;
        make_room(&socket, buffer_len);
        Ok(Self(socket))
    }

    /// For reading by a task. Tokio's datagram socket asks nothing of its descriptor but that datagrams come from it.
    pub(crate) fn into_async(self) -> io::Result<UdpSocket> {
        UdpSocket::from_std(self.0.into())
    }
}

fn make_room(socket: &Socket, buffer_len: usize) {
    // Without the right to that, the system's limit must do.
    if buffer_len != 0 && setsockopt(socket, sockopt::RcvBufForce, &buffer_len).is_err() {
        drop(socket.set_recv_buffer_size(buffer_len));
    }
}

impl Transport for KeySocket {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        (&self.0).write(message).map(drop)
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(buffer)
    }
}

/// A socket with its sequence numbers.
pub(crate) struct Exchange<T> {
    transport: T,
    sequence: u32,
    pid: u32,
    buffer: Vec<u8>,
}

impl<T: Transport> Exchange<T> {
    pub(crate) fn new(transport: T) -> Self {
        Self::of_process(transport, std::process::id())
    }

    /// One that answers to this process id are for.
    pub(crate) fn of_process(transport: T, pid: u32) -> Self {
        Self { transport, sequence: 0, pid, buffer: vec![0; DATAGRAM_LEN_MAX] }
    }

    /// All that the kernel lists to such a request. What breaks off is asked for once more, then it is an error.
    pub(crate) fn dump(&mut self, kind: u8, satype: u8) -> Result<Vec<Vec<u8>>, i32> {
        self.dump_once(kind, satype).or_else(|errno| match errno {
            ENOBUFS => self.dump_once(kind, satype),
            errno => Err(errno),
        })
    }

    fn dump_once(&mut self, kind: u8, satype: u8) -> Result<Vec<Vec<u8>>, i32> {
        self.next_sequence();
        let request = Writer::message(kind, satype).finish(self.sequence, self.pid);
        self.transport.send(&request).map_err(|error| errno(&error))?;
        let mut listed = Vec::new();
        for _ in 0..READS_MAX {
            let len = match self.transport.receive(&mut self.buffer) {
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(ENOBUFS),
                Err(error) => return Err(errno(&error)),
            };
            let datagram = self.buffer.get(..len).unwrap_or_default();
            let Some(message) = Message::parse(datagram) else { continue };
            if message.pid != self.pid || message.kind != kind {
                continue;
            }
            match i32::from(message.errno) {
                0 => listed.push(datagram.to_vec()),
                // There is nothing to list.
                ENOENT => return Ok(Vec::new()),
                errno => return Err(errno),
            }
            // The kernel numbers what it lists from 1; the last one has 0.
            if message.sequence == 0 {
                return Ok(listed);
            }
        }
        Err(ENOBUFS)
    }

    const fn next_sequence(&mut self) {
        self.sequence = if self.sequence == u32::MAX { 1 } else { self.sequence + 1 };
    }

    /// The socket alone.
    pub(crate) fn into_transport(self) -> T {
        self.transport
    }

    /// Asks the kernel: the message that it answers with, or errno.
    pub(crate) fn ask(&mut self, request: Writer) -> Result<Vec<u8>, i32> {
        self.next_sequence();
        let request = request.finish(self.sequence, self.pid);
        let kind = request.get(1).copied();
        self.transport.send(&request).map_err(|error| errno(&error))?;
        for _ in 0..READS_MAX {
            let len = match self.transport.receive(&mut self.buffer) {
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // Some messages were dropped; ours may still be there.
                Err(error) if error.raw_os_error() == Some(ENOBUFS) => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(ENOBUFS),
                Err(error) => return Err(errno(&error)),
            };
            let datagram = self.buffer.get(..len).unwrap_or_default();
            let Some(message) = Message::parse(datagram) else {
                debug!(target: "KNL", "message of {len} octets on the PF_KEY socket dropped");
                continue;
            };
            if message.sequence != self.sequence || message.pid != self.pid || Some(message.kind) != kind {
                continue;
            }
            return match message.errno {
                0 => Ok(datagram.to_vec()),
                errno => Err(errno.into()),
            };
        }
        Err(ENOBUFS)
    }
}

fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(EINVAL)
}

#[cfg(test)]
mod tests;
