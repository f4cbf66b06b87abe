//! Any bytes from a client, in any pieces, to the session of the server, while commands take their time, events happen and the
//! client reads as it likes: replies come in the order of the packets, none is lost, none is made up, and memory is bounded.
//!
//! The first byte of an input is the length of a schedule, the schedule follows, and the rest is what the client sends.
#![no_main]

use std::collections::VecDeque;

use charon_vici::{EventKind, Session, Step};
use libfuzzer_sys::fuzz_target;
use vici::{FRAME_LEN_MAX, Message, Packet};

/// Most that the server reads at once.
const PIECE_MAX: usize = 16 * 1024;

fuzz_target!(|input: &[u8]| {
    let Some((len, rest)) = input.split_first() else { return };
    let (schedule, stream) = rest.split_at(rest.len().min(usize::from(*len)));
    let mut play = Play {
        session: Session::new(),
        stream: stream.iter().copied().collect(),
        expected: expected(stream),
        received: Vec::new(),
        running: false,
        over: false,
        lost: false,
    };
    for deed in schedule.iter().cycle().take(schedule.len().max(stream.len().min(2000))) {
        play.one(*deed);
    }
    // What was left open is brought to its end.
    for _ in 0..stream.len() + 16 {
        [FEED | 0x1f, ANSWER, READ | 0x1f].into_iter().for_each(|deed| play.one(deed));
    }
    play.judge();
});

/// What is owed for a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owed {
    /// CMD_RESPONSE or CMD_UNKNOWN.
    Answer,
    /// EVENT_CONFIRM or EVENT_UNKNOWN.
    Registration,
}

/// What the stream asks for, read without the session.
fn expected(mut stream: &[u8]) -> Vec<Owed> {
    let mut owed = Vec::new();
    while let Some((header, rest)) = stream.split_first_chunk::<4>() {
        let len = usize::try_from(u32::from_be_bytes(*header)).unwrap_or(usize::MAX);
        if len > FRAME_LEN_MAX || len > rest.len() {
            break;
        }
        let (frame, rest) = rest.split_at(len);
        stream = rest;
        match Packet::parse(frame) {
            Ok(Packet::Request { .. }) => owed.push(Owed::Answer),
            Ok(Packet::EventRegister { .. } | Packet::EventUnregister { .. }) => {
                owed.push(Owed::Registration)
            }
            _ => {}
        }
    }
    owed
}

struct Play {
    session: Session,
    stream: VecDeque<u8>,
    expected: Vec<Owed>,
    /// Frames that the client has read, as far as they are whole.
    received: Vec<u8>,
    running: bool,
    over: bool,
    /// Whether the session gave the client up, and with it what waited.
    lost: bool,
}

// The upper three bits of a deed say what happens, the lower five how much.
const FEED: u8 = 0;
const ANSWER: u8 = 0x20;
const ANSWER_LONG: u8 = 0x40;
const UNKNOWN: u8 = 0x60;
const EVENT: u8 = 0x80;
const BROADCAST: u8 = 0xa0;
const READ: u8 = 0xc0;

impl Play {
    fn one(&mut self, deed: u8) {
        let amount = 1_usize << (deed & 0x1f).min(19);
        match deed & 0xe0 {
            FEED => self.feed(amount),
            ANSWER => self.answer(Some(&Message::new().with("success", "yes"))),
            ANSWER_LONG => {
                let long = Message::new().with_list("l", std::iter::repeat_n([b'x'; 1000], amount / 1000));
                self.answer(Some(&long));
            }
            UNKNOWN => self.answer(None),
            EVENT if self.running => {
                let message = Message::new().with("v", vec![b'e'; amount % 65_536]);
                let _ = self.session.event(EventKind::ListSa, &message);
            }
            BROADCAST => {
                let message = Message::new().with("msg", vec![b'b'; amount % 65_536]);
                self.session.broadcast(EventKind::Log, &message);
            }
            READ => self.read(amount),
            _ => {}
        }
        self.poll();
        assert!(self.session.footprint() <= Session::FOOTPRINT_MAX, "{}", self.session.footprint());
    }

    fn feed(&mut self, amount: usize) {
        if !self.session.wants_input() {
            return;
        }
        let piece: Vec<u8> = self.stream.drain(..amount.min(PIECE_MAX).min(self.stream.len())).collect();
        if piece.is_empty() {
            self.session.handle_end();
        } else {
            self.session.handle_input(&piece);
        }
    }

    fn answer(&mut self, message: Option<&Message>) {
        if self.running && self.session.has_room() {
            self.session.answer(message);
            self.running = false;
        }
    }

    fn read(&mut self, amount: usize) {
        let output = self.session.output();
        let count = amount.min(output.len());
        self.received.extend_from_slice(&output[..count]);
        self.session.sent(count);
    }

    fn poll(&mut self) {
        while let Some(step) = self.session.poll() {
            assert!(!self.over, "something after the end: {step:?}");
            match step {
                Step::Run(call) => {
                    assert!(!std::mem::replace(&mut self.running, true), "two commands at once");
                    assert!(!call.name().contains('\0'));
                }
                Step::End(end) => {
                    self.over = true;
                    self.lost = end == charon_vici::End::DoesNotRead;
                }
                Step::Subscribe(_) | Step::Unsubscribe(_) | Step::Refused { .. } | Step::Rejected(_) => {}
            }
        }
    }

    fn judge(&self) {
        let mut replies = Vec::new();
        let mut rest = self.received.as_slice();
        while let Some((header, after)) = rest.split_first_chunk::<4>() {
            let len = usize::try_from(u32::from_be_bytes(*header)).expect("a length is an index");
            let Some((frame, after)) = after.split_at_checked(len) else { break };
            rest = after;
            match Packet::parse(frame).expect("the server sends packets") {
                Packet::Response { message } => {
                    Message::decode(message).expect("a response is a message");
                    replies.push(Owed::Answer);
                }
                Packet::CommandUnknown => replies.push(Owed::Answer),
                Packet::EventConfirm | Packet::EventUnknown => replies.push(Owed::Registration),
                Packet::Event { message, .. } => {
                    drop(Message::decode(message).expect("an event is a message"))
                }
                packet => panic!("{packet:?} from the server"),
            }
        }
        assert!(self.expected.starts_with(&replies), "{replies:?} for {:?}", self.expected);
        if !self.lost {
            assert_eq!(replies.len(), self.expected.len(), "a reply is lost");
            assert!(rest.is_empty() && self.session.output().is_empty());
        }
    }
}
