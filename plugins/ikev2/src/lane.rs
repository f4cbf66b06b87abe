//! Lanes of a port: strangers do not share a queue with those who are known.
//!
//! A port is bound by three sockets, and a filter in the kernel (`SO_ATTACH_REUSEPORT_CBPF`) chooses among them by the header of
//! the message. A flood of IKE_SA_INIT requests then fills the queue of its lane alone: messages of existing IKE_SAs, and
//! requests that show a cookie, are received as ever. Every lane takes every message, so that where the filter is not to be
//! had one socket does it all.

use libc::{BPF_ABS, BPF_B, BPF_H, BPF_JEQ, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W, sock_filter};

use crate::socket::Pressure;

/// A socket of a port, in the order in which they are bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Everything that is not below.
    Known = 0,
    /// Requests for an IKE_SA that show a cookie (RFC 7296 §2.6: it comes first). It may be made up.
    Cookie = 1,
    /// Requests for an IKE_SA that show none.
    Stranger = 2,
}

impl Lane {
    /// Those beside the first socket.
    pub(crate) const FURTHER: [Self; 2] = [Self::Cookie, Self::Stranger];

    /// Buffers for one receive call: where much is to be thrown away, much is taken at once; elsewhere few, so that what was
    /// received is still in the cache when it is handled.
    pub(crate) const fn buffers(self) -> usize {
        match self {
            Self::Known => 8,
            Self::Cookie | Self::Stranger => 32,
        }
    }

    /// Socket buffer asked for, octets. That of strangers bridges moments in which others have the processor.
    pub(crate) const fn socket_buffer_len(self) -> usize {
        match self {
            Self::Known | Self::Cookie => 4 << 20,
            Self::Stranger => 8 << 20,
        }
    }

    /// Receive calls in a row before other tasks have a turn: a millisecond or two.
    pub(crate) const fn rounds_max(self) -> usize {
        match self {
            Self::Known => 32,
            Self::Cookie | Self::Stranger => 32,
        }
    }
}

impl Lane {
    /// What so many full receive calls in a row say.
    pub(crate) fn pressure(self, full_rounds: u32) -> Pressure {
        match self {
            Self::Cookie | Self::Stranger if full_rounds >= FULL_ROUNDS_CALM => Pressure::Crowd,
            Self::Known | Self::Cookie | Self::Stranger => Pressure::Ordinary,
        }
    }
}

/// Full receive calls that are no crowd yet: some hundred messages, which are answered in a few milliseconds.
const FULL_ROUNDS_CALM: u32 = 16;

const SPI_RESPONDER_AT: u32 = 8;
const NEXT_PAYLOAD_AT: u32 = 16;
const EXCHANGE_AT: u32 = 18;
const FLAGS_AT: u32 = 19;
/// Where a notification that is the first payload has its type.
const NOTIFY_TYPE_AT: u32 = 34;
const IKE_SA_INIT: u32 = 34;
const FLAG_RESPONSE: u32 = 0x20;
const NOTIFY: u32 = 41;
const COOKIE: u32 = 16390;

/// The filter for messages behind a marker of that many octets, 0 or 4. Its result is the number of a [`Lane`]; a load beyond
/// the end of a message makes the kernel take 0.
pub(crate) fn filter(marker_len: u32) -> Vec<sock_filter> {
    let load = |width, at| instruction(BPF_LD | width | BPF_ABS, 0, 0, at);
    let at = |offset| offset + marker_len;
    let mut filter = Vec::new();
    // Each test that fails skips to the last instruction, which is that far behind the first one below.
    const KNOWN_AT: u8 = 14;
    let jump_unless =
        |test, value, position: u8| instruction(BPF_JMP | test | BPF_K, 0, KNOWN_AT - position - 1, value);
    if marker_len > 0 {
        filter.push(load(BPF_W, 0));
        filter.push(instruction(BPF_JMP | BPF_JEQ | BPF_K, 0, KNOWN_AT, 0));
    }
    filter.extend([
        load(BPF_B, at(EXCHANGE_AT)),
        jump_unless(BPF_JEQ, IKE_SA_INIT, 1),
        load(BPF_B, at(FLAGS_AT)),
        instruction(BPF_JMP | BPF_JSET | BPF_K, KNOWN_AT - 4, 0, FLAG_RESPONSE),
        load(BPF_W, at(SPI_RESPONDER_AT)),
        jump_unless(BPF_JEQ, 0, 5),
        load(BPF_W, at(SPI_RESPONDER_AT) + 4),
        jump_unless(BPF_JEQ, 0, 7),
        load(BPF_B, at(NEXT_PAYLOAD_AT)),
        instruction(BPF_JMP | BPF_JEQ | BPF_K, 0, 3, NOTIFY),
        load(BPF_H, at(NOTIFY_TYPE_AT)),
        instruction(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, COOKIE),
        instruction(BPF_RET | BPF_K, 0, 0, Lane::Cookie as u32),
        instruction(BPF_RET | BPF_K, 0, 0, Lane::Stranger as u32),
        instruction(BPF_RET | BPF_K, 0, 0, Lane::Known as u32),
    ]);
    filter
}

fn instruction(code: u32, jump_if: u8, jump_unless: u8, operand: u32) -> sock_filter {
    let code = u16::try_from(code).expect("codes have eight bits");
    sock_filter { code, jt: jump_if, jf: jump_unless, k: operand }
}
