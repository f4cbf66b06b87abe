//! Every recorded frame decodes to what the recording says it means.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use serde_json::Value as Json;
use std::fs;
use std::path::Path;
use vici::{FRAME_LEN_MAX, FrameCodec, Message, Packet, Section, Value};

use bytes::BytesMut;
use tokio_util::codec::Decoder;

/// Frames that are malformed, with what we say to them. (The recordings show what a more lenient decoder made of some;
/// the first is an event whose section name did not fit.)
const REFUSED: &[(&str, usize, &str)] = &[
    ("list-policy-name-too-long", 5, "unknown element type 105 at byte 47"),
    ("malformed-body-bad-element", 0, "unknown element type 9 at byte 4"),
    ("malformed-body-element-zero", 0, "unknown element type 0 at byte 0"),
    ("malformed-body-extra-section-end", 0, "section end without a section at byte 5"),
    ("malformed-body-getstr", 0, "unknown element type 255 at byte 12"),
    ("malformed-body-getstr2", 0, "unknown element type 255 at byte 0"),
    ("malformed-body-ignored", 0, "unknown element type 255 at byte 0"),
    ("malformed-body-item-outside-list", 0, "list element outside a list at byte 4"),
    ("malformed-body-kv-in-list", 0, "element at byte 17 does not belong in a list"),
    ("malformed-body-kv-overrun", 0, "element at byte 4 is cut short"),
    ("malformed-body-list-nested", 0, "element at byte 17 does not belong in a list"),
    ("malformed-name-nonprintable", 0, "name of packet type 0 is not printable"),
    ("malformed-name-overrun", 0, "name of packet type 0 is cut short"),
    ("malformed-no-name", 0, "name of packet type 0 is cut short"),
    ("malformed-register-overrun", 0, "name of packet type 3 is cut short"),
    ("malformed-unknown-type", 0, "unknown packet type 9"),
    ("malformed-zero-length", 0, "packet is empty"),
];

#[test]
fn every_recorded_frame_decodes_as_its_recording_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut frames_seen = 0;
    let mut refused = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let recording: Json = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let frames = recording["frames"].as_array().unwrap();
        let decoded = recording["decoded"].as_array().unwrap();
        assert_eq!(frames.len(), decoded.len(), "{name}");
        for (index, (frame, decoded)) in frames.iter().zip(decoded).enumerate() {
            let Some(hex) = frame["hex"].as_str() else { continue };
            frames_seen += 1;
            let mut stream = BytesMut::from(unhex(hex).as_slice());
            if frame["partial"] == true {
                assert!(FrameCodec.decode_eof(&mut stream).is_err(), "{name} frame {index}");
                continue;
            }
            let packet = FrameCodec.decode(&mut stream).unwrap().unwrap();
            assert!(stream.is_empty(), "{name} frame {index}");
            if let Err(error) = compare(&packet, decoded) {
                refused.push((name.clone(), index, error));
            }
        }
    }
    refused.sort();
    let refused: Vec<_> = refused.iter().map(|(name, index, error)| (&**name, *index, &**error)).collect();
    assert_eq!(refused, REFUSED);
    assert!(frames_seen > 1000, "{frames_seen} frames");
}

/// `Err` if the packet is refused; panics if it is understood differently.
fn compare(bytes: &[u8], decoded: &Json) -> Result<(), String> {
    let packet = Packet::parse(bytes).map_err(|error| error.to_string())?;
    let (kind, name, message) = match packet {
        Packet::Request { name, message } => ("CMD_REQUEST", Some(name), Some(message)),
        Packet::Response { message } => ("CMD_RESPONSE", None, Some(message)),
        Packet::CommandUnknown => ("CMD_UNKNOWN", None, None),
        Packet::EventRegister { name } => ("EVENT_REGISTER", Some(name), None),
        Packet::EventUnregister { name } => ("EVENT_UNREGISTER", Some(name), None),
        Packet::EventConfirm => ("EVENT_CONFIRM", None, None),
        Packet::EventUnknown => ("EVENT_UNKNOWN", None, None),
        Packet::Event { name, message } => ("EVENT", Some(name), Some(message)),
    };
    let message = message
        .map(|bytes| -> Result<Message, String> {
            Section::parse(bytes).map_err(|error| error.to_string())?;
            Message::decode(bytes).map_err(|error| error.to_string())
        })
        .transpose()?;
    assert_eq!(decoded["packet"], kind);
    assert_eq!(decoded["name"].as_str(), name.map(vici::Name::as_str));
    if let Some(message) = message {
        same_section(message.root(), &decoded["message"]);
    }
    Ok(())
}

/// Compares as a dictionary does: the last of several equal keys counts, at the place of the first.
fn same_section(section: Section<'_>, expected: &Json) {
    let expected = expected.as_object().unwrap();
    let mut keys: Vec<&str> = Vec::new();
    for (name, _) in section.iter() {
        let name = name.as_str();
        if !keys.contains(&name) {
            keys.push(name);
        }
    }
    assert_eq!(keys, expected.keys().collect::<Vec<_>>());
    for (name, expected) in expected {
        let (_, value) = section.iter().filter(|(key, _)| *key == **name).last().unwrap();
        match value {
            Value::Data(data) => same_data(data, expected),
            Value::List(items) => {
                let expected = expected.as_array().unwrap();
                assert_eq!(items.iter().count(), expected.len());
                items.iter().zip(expected).for_each(|(item, expected)| same_data(item, expected));
            }
            Value::Section(section) => same_section(section, expected),
        }
    }
}

fn same_data(data: &[u8], expected: &Json) {
    match expected["hex"].as_str() {
        Some(hex) => assert_eq!(data, unhex(hex)),
        None => assert_eq!(data, expected.as_str().unwrap().as_bytes()),
    }
}

#[test]
fn a_request_of_exactly_512_kib_is_decoded() {
    // As the recording limit-512k-ok says: eight values of 65000 bytes, and one that fills the frame.
    let mut message = Message::new();
    for index in 0..8 {
        message.push(&format!("k{index}"), "v".repeat(65_000));
    }
    message.push("z", "y".repeat(4226));
    let bytes = message.encode().unwrap();
    let packet = Packet::Request { name: vici::Name::new(b"version").unwrap(), message: bytes };
    let mut stream = BytesMut::new();
    tokio_util::codec::Encoder::encode(&mut FrameCodec, packet.to_vec().unwrap(), &mut stream).unwrap();
    let frame = FrameCodec.decode(&mut stream).unwrap().unwrap();
    assert_eq!(frame.len(), FRAME_LEN_MAX);
    assert_eq!(Packet::parse(&frame), Ok(packet));
    assert_eq!(Message::decode(bytes).unwrap(), message);
}

fn unhex(hex: &str) -> Vec<u8> {
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16).unwrap()).unwrap();
    hex.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}
