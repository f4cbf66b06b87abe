//! What was sent against what was recorded: the answers in their order, the events of each name in theirs.
//!
//! Recordings of strongSwan 5.9.8 and 6.0.1 are compared with the surface of 6.0.6; the substitutions stand in one place,
//! [`expected`].

use std::collections::BTreeMap;

use vici::{Message, Packet, Section, Value};

use crate::daemon::Played;
use crate::recording::{Frame, Recording, Sender};

pub(crate) fn compare(recording: &Recording, played: &Played) -> Result<(), String> {
    let recorded = Sent::sort(recording.frames.iter().filter(|frame| frame.sender == Sender::Server))?;
    let sent = Sent::sort(played.frames.iter())?;
    if recorded.replies.len() != sent.replies.len() {
        return Err(format!("{} replies instead of {}", sent.replies.len(), recorded.replies.len()));
    }
    for (index, (recorded, sent)) in recorded.replies.iter().zip(&sent.replies).enumerate() {
        same_packet(recorded, sent).map_err(|difference| format!("reply {index}: {difference}"))?;
    }
    let names = |sent: &Sent<'_>| sent.events.keys().cloned().collect::<Vec<_>>();
    if names(&recorded) != names(&sent) {
        return Err(format!("events {:?} instead of {:?}", names(&sent), names(&recorded)));
    }
    for (name, recorded) in &recorded.events {
        let sent = &sent.events[name];
        if recorded.len() != sent.len() {
            return Err(format!("{} events {name} instead of {}", sent.len(), recorded.len()));
        }
        for (index, (recorded, sent)) in recorded.iter().zip(sent).enumerate() {
            same_packet(recorded, sent).map_err(|difference| format!("{name} {index}: {difference}"))?;
        }
    }
    Ok(())
}

/// Packets of the server.
struct Sent<'f> {
    replies: Vec<Packet<'f>>,
    events: BTreeMap<String, Vec<Packet<'f>>>,
}

impl<'f> Sent<'f> {
    fn sort(frames: impl Iterator<Item = &'f Frame>) -> Result<Self, String> {
        let mut sorted = Self { replies: Vec::new(), events: BTreeMap::new() };
        for frame in frames {
            match frame.packet().ok_or("no packet")? {
                packet @ Packet::Event { name, .. } => {
                    sorted.events.entry(name.to_string()).or_default().push(packet);
                }
                packet => sorted.replies.push(packet),
            }
        }
        Ok(sorted)
    }
}

fn same_packet(recorded: &Packet<'_>, sent: &Packet<'_>) -> Result<(), String> {
    if recorded.kind() != sent.kind() {
        return Err(format!("packet type {} instead of {}", sent.kind(), recorded.kind()));
    }
    let message = |packet: &Packet<'_>| match *packet {
        Packet::Response { message } | Packet::Event { message, .. } => {
            Message::decode(message).map_err(|error| error.to_string())
        }
        _ => Ok(Message::new()),
    };
    let event = match recorded {
        Packet::Event { name, .. } => name.as_str(),
        _ => "",
    };
    same_section(&[], expected(event, message(recorded)?.root()).root(), message(sent)?.root())
}

/// The recorded message as 6.0.6, and this daemon, would have sent it.
fn expected(event: &str, recorded: Section<'_>) -> Message {
    let mut message = Message::new();
    if recorded.data("daemon").is_some() {
        message.extend_from(recorded);
        return message.with("vici", "6.0.6");
    }
    for (name, value) in recorded {
        match (event, value) {
            ("list-conn", Value::Section(connection)) => {
                message.nest(name.as_str(), |section| with_ports(section, connection));
            }
            ("list-policy", Value::Section(policy)) => {
                message.nest(name.as_str(), |section| with_reqid(section, policy));
            }
            ("", Value::Section(pool)) if pool.data("base").is_some() => {
                message.nest(name.as_str(), |section| with_first_address(section, pool));
            }
            (_, value) => push(&mut message, name.as_str(), value),
        }
    }
    message
}

/// A trap with the reqid, which neither 5.9.8 nor 6.0.1 shows; any number will do.
fn with_reqid(message: &mut Message, policy: Section<'_>) {
    for (name, value) in policy {
        push(message, name.as_str(), value);
        if name == "child" && policy.data("mode") == Some(b"TUNNEL") {
            message.push("reqid", "");
        }
    }
}

/// A pool with its first address where 5.9.8 and 6.0.1 show its network.
fn with_first_address(message: &mut Message, pool: Section<'_>) {
    for (name, value) in pool {
        match value {
            Value::Data(base) if name == "base" && base.ends_with(b".0") => {
                let network = &base[..base.len() - 1];
                message.push("base", [network, b"1"].concat());
            }
            value => push(message, name.as_str(), value),
        }
    }
}

/// A connection with the ports, which 5.9.8 and 6.0.1 do not show.
fn with_ports(message: &mut Message, connection: Section<'_>) {
    for (name, value) in connection {
        push(message, name.as_str(), value);
        if name == "remote_addrs" {
            message.push("local_port", "500");
            message.push("remote_port", "500");
        }
    }
}

fn push(message: &mut Message, name: &str, value: Value<'_>) {
    match value {
        Value::Data(data) => message.push(name, data),
        Value::List(list) => message.push_list(name, list.iter()),
        Value::Section(section) => message.push_section(name, &section.into()),
    }
}

trait ExtendFrom {
    fn extend_from(&mut self, section: Section<'_>);
}

impl ExtendFrom for Message {
    fn extend_from(&mut self, section: Section<'_>) {
        for (name, value) in section {
            push(self, name.as_str(), value);
        }
    }
}

fn same_section(path: &[&str], recorded: Section<'_>, sent: Section<'_>) -> Result<(), String> {
    let keys = |section: Section<'_>| section.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>();
    if keys(recorded) != keys(sent) {
        return Err(format!("{path:?}: keys {:?} instead of {:?} in {sent:?}", keys(sent), keys(recorded)));
    }
    for ((name, recorded), (_, sent)) in recorded.iter().zip(sent) {
        let path = [path, &[name.as_str()]].concat();
        match (recorded, sent) {
            (Value::Section(recorded), Value::Section(sent)) => same_section(&path, recorded, sent)?,
            (Value::List(recorded), Value::List(sent)) if path != ["plugins"] => {
                if !recorded.iter().eq(sent.iter()) {
                    return Err(format!("{path:?}: {sent:?} instead of {recorded:?}"));
                }
            }
            (Value::List(_), Value::List(_)) => {}
            (Value::Data(recorded), Value::Data(sent)) => same_data(&path, recorded, sent)?,
            (recorded, sent) => return Err(format!("{path:?}: {sent:?} instead of {recorded:?}")),
        }
    }
    Ok(())
}

fn same_data(path: &[&str], recorded: &[u8], sent: &[u8]) -> Result<(), String> {
    let same = match path {
        ["daemon"] => sent == b"charond",
        ["version" | "sysname" | "release" | "machine"] => !sent.is_empty(),
        // Recorded without its number, see `with_reqid`.
        [_, "reqid"] if recorded.is_empty() => sent.iter().all(u8::is_ascii_digit),
        ["thread"] => sent.iter().all(u8::is_ascii_digit),
        ["uptime" | "workers" | "queues" | "mallinfo" | "scheduled", ..] => shape(recorded) == shape(sent),
        _ => recorded == sent,
    };
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    if same { Ok(()) } else { Err(format!("{path:?}: '{}' instead of '{}'", text(sent), text(recorded))) }
}

/// Runs of digits as one, words as one.
fn shape(value: &[u8]) -> Vec<char> {
    let class = |byte: &u8| match byte {
        b'0'..=b'9' => '0',
        byte if byte.is_ascii_alphabetic() => 'a',
        byte => char::from(*byte),
    };
    let mut shape: Vec<char> = value.iter().map(class).collect();
    shape.dedup();
    shape
}
