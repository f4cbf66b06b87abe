//! Our VICI codec against rustici and serde_vici (the codec of rsvici), over recorded messages.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use std::fmt;
use std::hint::black_box;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

fn main() -> ExitCode {
    let messages = messages();
    println!(
        "{:<30} {:>7} {:>8} {:>8} {:>8} {:>8} {:>8}   MB/s",
        "message", "bytes", "codec", "borrow", "owned", "encode", "build"
    );
    let mut totals = Totals::default();
    for (name, bytes) in &messages {
        let ours = vici::Message::decode(bytes).expect("a recorded message");
        let borrow = time(|| {
            vici::Elements::new(black_box(bytes)).filter(|element| black_box(element).is_ok()).count()
        });
        let owned = time(|| vici::Message::decode(black_box(bytes)).expect("decoded before"));
        let encode = time(|| black_box(&ours).encode().expect("was decoded before").to_vec());
        let build = time(|| build(black_box(ours.root())));
        assert_eq!(build_once(&ours), *bytes);
        row(name, bytes, "vici", [Some(borrow), Some(owned), Some(encode), Some(build)]);
        totals.bytes += bytes.len();
        totals.add(0, [owned, encode, build]);

        let theirs = rustici::Message::decode(bytes).expect("rustici decodes it");
        assert_eq!(theirs.encode().expect("rustici encodes it"), *bytes);
        let owned = time(|| rustici::Message::decode(black_box(bytes)).expect("decoded before"));
        let encode = time(|| black_box(&theirs).encode().expect("was encoded before"));
        let build = time(|| build_rustici(black_box(bytes)));
        assert_eq!(build_rustici(bytes), *bytes);
        row("", bytes, "rustici", [None, Some(owned), Some(encode), Some(build)]);
        totals.add(1, [owned, encode, build]);
        totals.borrow += borrow;

        // serde_vici takes values as text only.
        if let Ok(theirs) = serde_vici::from_slice::<Root>(bytes) {
            let owned = time(|| serde_vici::from_slice::<Root>(black_box(bytes)).expect("decoded before"));
            let encode = time(|| serde_vici::to_vec(black_box(&theirs)).expect("was decoded before"));
            row("", bytes, "rsvici", [None, Some(owned), Some(encode), None]);
        }
    }
    totals.judge()
}

/// Times over all messages together.
#[derive(Default)]
struct Totals {
    bytes: usize,
    borrow: Duration,
    /// Owned, encode, build: ours, then those of rustici.
    times: [[Duration; 3]; 2],
}

impl Totals {
    fn add(&mut self, codec: usize, times: [Duration; 3]) {
        for (total, time) in self.times[codec].iter_mut().zip(times) {
            *total += time;
        }
    }

    fn judge(&self) -> ExitCode {
        let gigabytes = self.bytes as f64 / self.borrow.as_secs_f64() / 1e9;
        println!("borrowed decoding {gigabytes:.2} GB/s (aim 2.00)");
        let mut met = gigabytes >= 2.0;
        for (index, (what, aim)) in
            [("owned decoding", 2.0), ("encoding", 1.5), ("building", 1.5)].into_iter().enumerate()
        {
            let ratio = self.times[1][index].as_secs_f64() / self.times[0][index].as_secs_f64();
            println!("{what} {ratio:.2} x rustici (aim {aim:.2})");
            met &= ratio >= aim;
        }
        if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn build_once(message: &vici::Message) -> Vec<u8> {
    build(message.root()).encode().expect("was decoded before").to_vec()
}

/// Builds a message from names and values, as a program does that has something to say.
fn build(section: vici::Section<'_>) -> vici::Message {
    let mut message = vici::Message::new();
    fill(&mut message, section);
    message
}

fn fill(message: &mut vici::Message, section: vici::Section<'_>) {
    for (name, value) in section {
        match value {
            vici::Value::Data(data) => message.push(name.as_str(), data),
            vici::Value::List(list) => message.push_list(name.as_str(), list.iter()),
            vici::Value::Section(inner) => message.nest(name.as_str(), |message| fill(message, inner)),
        }
    }
}

fn build_rustici(bytes: &[u8]) -> Vec<u8> {
    let mut message = rustici::Message::new();
    for element in vici::Elements::new(bytes) {
        message = match element.expect("decoded before") {
            vici::Element::SectionStart(name) => message.section_start(name.as_str()),
            vici::Element::SectionEnd => message.section_end(),
            vici::Element::KeyValue(name, value) => message.kv_bytes(name.as_str(), value),
            vici::Element::ListStart(name) => message.list_start(name.as_str()),
            vici::Element::ListItem(value) => message.list_item_bytes(value),
            vici::Element::ListEnd => message.list_end(),
        };
    }
    message.encode().expect("was decoded before")
}

/// The best mean time of one call over several rounds.
fn time<T>(mut call: impl FnMut() -> T) -> Duration {
    const ROUNDS: u32 = 15;
    const ROUND: Duration = Duration::from_millis(12);
    let mut calls = 1;
    let mut best = Duration::MAX;
    let mut rounds = 0;
    while rounds < ROUNDS {
        let start = Instant::now();
        for _ in 0..calls {
            black_box(call());
        }
        let taken = start.elapsed();
        if taken < ROUND {
            calls *= 2;
        } else {
            best = best.min(taken / calls);
            rounds += 1;
        }
    }
    best
}

fn row(name: &str, bytes: &[u8], codec: &str, times: [Option<Duration>; 4]) {
    print!(
        "{name:<30} {:>7} {codec:>8}",
        if name.is_empty() { String::new() } else { bytes.len().to_string() }
    );
    for time in times {
        match time {
            Some(time) => print!(" {:>8.0}", bytes.len() as f64 / time.as_secs_f64() / 1e6),
            None => print!(" {:>8}", "-"),
        }
    }
    println!();
}

/// The longest message of some recordings, from a short reply to a certificate.
fn messages() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../vici/tests/golden");
    let names = [
        "list-sas",
        "list-conns",
        "load-conn",
        "stats",
        "get-algorithms",
        "get-counters",
        "list-certs",
        "version",
    ];
    names
        .iter()
        .map(|name| {
            let text = std::fs::read(folder.join(name).with_extension("json"))
                .expect("the recordings are in the tree");
            let recording: serde_json::Value = serde_json::from_slice(&text).expect("a recording is JSON");
            let frames = recording["frames"].as_array().expect("a recording has frames");
            let message = frames
                .iter()
                .filter_map(|frame| {
                    let frame = unhex(frame["hex"].as_str()?);
                    match vici::Packet::parse(&frame[4..]).ok()? {
                        vici::Packet::Request { message, .. }
                        | vici::Packet::Event { message, .. }
                        | vici::Packet::Response { message } => Some(message.to_vec()),
                        _ => None,
                    }
                })
                .max_by_key(Vec::len)
                .expect("a recording has a message");
            ((*name).to_owned(), message)
        })
        .collect()
}

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
}

/// What a user of serde_vici would hold an arbitrary message in.
enum Node {
    Text(String),
    List(Vec<String>),
    Section(Root),
}

struct Root(Vec<(String, Node)>);

impl<'de> Deserialize<'de> for Root {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Root;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a section")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Root, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Root(entries))
            }
        }
        from.deserialize_map(Entries)
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Node;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a value, list or section")
            }
            fn visit_str<E>(self, text: &str) -> Result<Node, E> {
                Ok(Node::Text(text.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Node::List(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Node::Section(Root(entries)))
            }
        }
        from.deserialize_any(Any)
    }
}

impl Serialize for Root {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.len()))?;
        for (name, node) in &self.0 {
            map.serialize_entry(name, node)?;
        }
        map.end()
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => to.serialize_str(text),
            Self::List(items) => {
                let mut seq = to.serialize_seq(Some(items.len()))?;
                for item in items {
                    seq.serialize_element(item)?;
                }
                seq.end()
            }
            Self::Section(section) => section.serialize(to),
        }
    }
}
