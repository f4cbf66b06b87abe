//! Requests and their answers on one socket, many at a time.
//!
//! The kernel works on XFRM requests while they are sent: when `send` returns, every answer waits in the socket. So a batch
//! needs no task and no timer: it is sent as one datagram, and what has not been answered when the socket is empty was lost.

use std::collections::HashMap;
use std::io;

use charon_core::kernel::Transport;
use tracing::{debug, warn};

use super::wire::{self, Messages, Reader, Writer, XfrmWriter};

/// Requests in one datagram: few enough that their answers fit the socket's buffer.
pub(crate) const CHUNK: usize = 64;
/// The longest datagram that the kernel sends: it fills pages of dumps up to 32 KiB.
const DATAGRAM_LEN_MAX: usize = 64 << 10;
/// Datagrams of a dump; some hundred thousand SAs fit.
const DUMP_DATAGRAMS_MAX: usize = 1 << 20;

/// How often a list is asked for that breaks off or changes.
const DUMPS_MAX: usize = 4;

pub(crate) const ESRCH: i32 = 3;
pub(crate) const ENOENT: i32 = 2;
pub(crate) const EEXIST: i32 = 17;
pub(crate) const ENOSYS: i32 = 38;
pub(crate) const EINVAL: i32 = 22;
pub(crate) const ENOBUFS: i32 = 105;
pub(crate) const EPROTONOSUPPORT: i32 = 93;
pub(crate) const EOPNOTSUPP: i32 = 95;

/// What the kernel said to a request: the payload of its answer (empty if it only agreed), or errno.
pub(crate) type Answer = Result<Vec<u8>, i32>;

/// Type and payload of a message of a list.
pub(crate) type Listed = (u16, Vec<u8>);

/// Whether a list shows one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Consistency {
    Whole,
    Changed,
}

/// A socket with its sequence numbers.
pub(crate) struct Pipeline<T> {
    transport: T,
    sequence: u32,
    buffer: Vec<u8>,
}

impl<T: Transport> Pipeline<T> {
    pub(crate) fn new(transport: T) -> Self {
        Self { transport, sequence: 0, buffer: vec![0; DATAGRAM_LEN_MAX] }
    }

    /// Runs the requests in order; the answers keep it. Each request must ask for an acknowledgement.
    pub(crate) fn run(&mut self, requests: Vec<Writer>) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(requests.len());
        let mut requests = requests.into_iter().peekable();
        while requests.peek().is_some() {
            self.run_chunk(requests.by_ref().take(CHUNK).collect(), &mut answers);
        }
        answers
    }

    /// Runs one request.
    pub(crate) fn run_one(&mut self, request: Writer) -> Answer {
        self.run(vec![request]).pop().unwrap_or(Err(ENOBUFS))
    }

    /// All that the kernel lists to a request like this. A list that broke off, or changed
    /// while it was made, is asked for again; then it is an error, or as good as it gets.
    pub(crate) fn dump(&mut self, request: impl Fn() -> Writer) -> Result<Vec<Listed>, i32> {
        for _ in 1..DUMPS_MAX {
            match self.dump_once(request()) {
                Ok((listed, Consistency::Whole)) => return Ok(listed),
                Ok((_, Consistency::Changed)) => debug!(target: "KNL", "the kernel's list changed meanwhile"),
                Err(ENOBUFS) => debug!(target: "KNL", "the kernel's list broke off"),
                Err(errno) => return Err(errno),
            }
        }
        self.dump_once(request()).map(|(listed, _)| listed)
    }

    fn dump_once(&mut self, request: Writer) -> Result<(Vec<Listed>, Consistency), i32> {
        let sequence = self.next_sequence();
        let mut consistency = Consistency::Whole;
        self.transport.send(&request.finish(sequence)).map_err(|error| errno(&error))?;
        let mut listed = Vec::new();
        for _ in 0..DUMP_DATAGRAMS_MAX {
            let len = match self.transport.receive(&mut self.buffer) {
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // The kernel fills the socket as it is read: when it is empty, the rest was lost.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(ENOBUFS),
                Err(error) => return Err(errno(&error)),
            };
            for message in Messages::new(self.buffer.get(..len).unwrap_or_default()) {
                if message.sequence == sequence && message.flags & wire::F_DUMP_INTR != 0 {
                    consistency = Consistency::Changed;
                }
                match message.kind {
                    _ if message.sequence != sequence => {}
                    wire::NLMSG_DONE => return Ok((listed, consistency)),
                    wire::NLMSG_ERROR => match error_code(message.payload) {
                        Some(0) => {}
                        code => return Err(code.unwrap_or(EINVAL)),
                    },
                    wire::NLMSG_NOOP => {}
                    kind => listed.push((kind, message.payload.to_vec())),
                }
            }
        }
        Err(ENOBUFS)
    }

    fn run_chunk(&mut self, requests: Vec<Writer>, answers: &mut Vec<Answer>) {
        let base = answers.len();
        let mut waiting = HashMap::with_capacity(requests.len());
        let mut messages = Vec::with_capacity(requests.len());
        for request in requests {
            let sequence = self.next_sequence();
            waiting.insert(sequence, answers.len());
            answers.push(Ok(Vec::new()));
            messages.push(request.finish(sequence));
        }
        if let Err(error) = self.transport.send(&Writer::datagram(&messages)) {
            warn!(target: "KNL", "sending to the kernel failed: {error}");
            answers.iter_mut().skip(base).for_each(|answer| *answer = Err(errno(&error)));
            return;
        }
        while !waiting.is_empty() {
            let len = match self.transport.receive(&mut self.buffer) {
                Ok(len) => len,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // Answers were dropped; those that came before and after are still good. It is told once.
                Err(error) if error.raw_os_error() == Some(ENOBUFS) => continue,
                Err(error) => {
                    warn!(target: "KNL", "the kernel left {} requests without an answer: {error}", waiting.len());
                    break;
                }
            };
            for message in Messages::new(self.buffer.get(..len).unwrap_or_default()) {
                let Some(at) = waiting.get(&message.sequence).copied() else {
                    debug!(target: "KNL", "answer {} of the kernel to no request dropped", message.sequence);
                    continue;
                };
                let Some(answer) = answers.get_mut(at) else { continue };
                match message.kind {
                    wire::NLMSG_NOOP => {}
                    wire::NLMSG_ERROR => {
                        waiting.remove(&message.sequence);
                        match error_code(message.payload) {
                            Some(0) => {}
                            code => *answer = Err(code.unwrap_or(EINVAL)),
                        }
                    }
                    _ => *answer = Ok(message.payload.to_vec()),
                }
            }
        }
        for at in waiting.into_values() {
            if let Some(answer) = answers.get_mut(at) {
                *answer = Err(ENOBUFS);
            }
        }
    }

    const fn next_sequence(&mut self) -> u32 {
        // 0 is what the kernel's own messages have.
        self.sequence = if self.sequence == u32::MAX { 1 } else { self.sequence + 1 };
        self.sequence
    }
}

fn error_code(payload: &[u8]) -> Option<i32> {
    Reader::new(payload).array().map(i32::from_ne_bytes).map(i32::saturating_abs)
}

fn errno(error: &io::Error) -> i32 {
    match error.raw_os_error() {
        Some(errno) => errno,
        None => ENOBUFS,
    }
}

#[cfg(test)]
mod tests;
