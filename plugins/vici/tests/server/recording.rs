//! Recorded conversations.

use std::fs;
use std::path::Path;

use serde_json::Value as Json;
use vici::{Message, Packet, Section, Value};

/// Who sent a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sender {
    Client,
    Server,
}

/// A frame as it went over the socket, with its length.
pub(crate) struct Frame {
    pub(crate) sender: Sender,
    pub(crate) bytes: Vec<u8>,
}

impl Frame {
    pub(crate) fn packet(&self) -> Option<Packet<'_>> {
        Packet::parse(self.bytes.get(4..)?).ok()
    }

    pub(crate) fn is_reply(&self) -> bool {
        self.sender == Sender::Server && !matches!(self.packet(), Some(Packet::Event { .. }))
    }
}

/// A conversation.
pub(crate) struct Recording {
    pub(crate) name: String,
    pub(crate) frames: Vec<Frame>,
}

impl Recording {
    /// All there are, by name.
    pub(crate) fn all() -> Vec<Self> {
        let mut names: Vec<_> = fs::read_dir(folder())
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".json").map(str::to_owned))
            .collect();
        names.sort();
        names.iter().map(|name| Self::read(name)).collect()
    }

    pub(crate) fn read(name: &str) -> Self {
        let text = fs::read(folder().join(format!("{name}.json"))).unwrap();
        let recording: Json = serde_json::from_slice(&text).unwrap();
        let frames =
            recording["frames"].as_array().unwrap().iter().zip(recording["decoded"].as_array().unwrap());
        let frames = frames.map(|(frame, decoded)| Frame {
            sender: if frame["dir"] == "client" { Sender::Client } else { Sender::Server },
            bytes: frame["hex"].as_str().map_or_else(|| constructed(decoded), unhex),
        });
        Self { name: name.to_owned(), frames: frames.collect() }
    }
}

/// The requests of a recording that run that command.
pub(crate) fn requests(recording: &str, command: &str) -> Vec<(String, Message)> {
    Recording::read(recording)
        .frames
        .iter()
        .filter_map(|frame| match frame.packet() {
            Some(Packet::Request { name, message }) if name == command => {
                Some((name.to_string(), Message::decode(message).unwrap()))
            }
            _ => None,
        })
        .collect()
}

/// The requests of a recording that load something.
pub(crate) fn loads(recording: &str) -> Vec<(String, Message)> {
    ["load-cert", "load-key", "load-shared"].iter().flat_map(|command| requests(recording, command)).collect()
}

/// A copy without the entries of that name, at any depth.
pub(crate) fn without(section: Section<'_>, key: &str) -> Message {
    let mut message = Message::new();
    for (name, value) in section.iter().filter(|(name, _)| *name != *key) {
        match value {
            Value::Data(data) => message.push(name.as_str(), data),
            Value::List(list) => message.push_list(name.as_str(), list.iter()),
            Value::Section(inner) => message.push_section(name.as_str(), &without(inner, key)),
        }
    }
    message
}

/// A frame too long to be written down: values such as `v x 65000` are so many repetitions.
fn constructed(decoded: &Json) -> Vec<u8> {
    let mut message = Message::new();
    for (key, value) in decoded["message"].as_object().unwrap() {
        let (text, times) = value.as_str().unwrap().split_once(" x ").unwrap();
        message.push(key, text.repeat(times.parse().unwrap()));
    }
    let name = vici::Name::new(decoded["name"].as_str().unwrap().as_bytes()).unwrap();
    let packet = Packet::Request { name, message: message.encode().unwrap() }.to_vec().unwrap();
    let mut frame = u32::try_from(packet.len()).unwrap().to_be_bytes().to_vec();
    frame.extend(packet);
    frame
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../vici/tests/golden"))
}

fn unhex(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}
