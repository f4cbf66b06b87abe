//! Our VICI codec against rustici and serde_vici (the codec of rsvici), over recorded messages.
#![forbid(unsafe_code)]

use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::hint::black_box;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

fn main() -> ExitCode {
    println!(
        "{:<24} {:>7} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}   MB/s",
        "message", "bytes", "codec", "borrow", "owned", "encode", "build", "serde in", "out"
    );
    let mut met = true;
    let mut typical = f64::NAN;
    for (name, bytes) in &messages() {
        let times = Times::of(name, bytes);
        times.print(name, bytes.len());
        if ["small", "typical", "large"].contains(&name.as_str()) {
            met &= times.judge(name);
        }
        if name == "typical" || name == "large" {
            let per_byte = times.ours[BORROW].expect("measured").as_secs_f64() / bytes.len() as f64;
            println!("{:24} {:.2} GB/s borrowed", "", 1e-9 / per_byte);
            if name == "typical" {
                typical = per_byte;
                met &= 1e-9 / per_byte >= GIGABYTES;
            } else {
                let growth = per_byte / typical;
                println!(
                    "{:24} {growth:.2} x the time per byte of the typical one (at most {GROWTH_MAX})",
                    ""
                );
                met &= growth <= GROWTH_MAX;
            }
        }
    }
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

const BORROW: usize = 0;
const OWNED: usize = 1;
const ENCODE: usize = 2;
const BUILD: usize = 3;
const SERDE_IN: usize = 4;
const SERDE_OUT: usize = 5;
/// Borrowed decoding of the typical message, in 10^9 bytes a second.
const GIGABYTES: f64 = 2.0;
/// How much longer a byte of a long message may take.
const GROWTH_MAX: f64 = 1.5;

/// Times for one message.
struct Times {
    ours: [Option<Duration>; 6],
    rustici: [Option<Duration>; 6],
    /// serde_vici, the codec of rsvici; it takes values as text only.
    rsvici: [Option<Duration>; 6],
}

impl Times {
    fn of(name: &str, bytes: &[u8]) -> Self {
        let message = vici::Message::decode(bytes).expect("a recorded message");
        assert_eq!(build(message.root()).encode().expect("was decoded before"), bytes);
        let mut ours = [
            time(|| {
                vici::Elements::new(black_box(bytes)).filter(|element| black_box(element).is_ok()).count()
            }),
            time(|| vici::Message::decode(black_box(bytes)).expect("decoded before")),
            time(|| black_box(&message).encode().expect("was decoded before").to_vec()),
            time(|| build(black_box(message.root()))),
            Duration::ZERO,
            Duration::ZERO,
        ]
        .map(Some);

        let theirs = rustici::Message::decode(bytes).expect("rustici decodes it");
        assert_eq!(theirs.encode().expect("rustici encodes it"), bytes);
        assert_eq!(build_rustici(bytes), bytes);
        let mut rustici = [None; 6];
        rustici[OWNED] = Some(time(|| rustici::Message::decode(black_box(bytes)).expect("decoded before")));
        rustici[ENCODE] = Some(time(|| black_box(&theirs).encode().expect("was encoded before")));
        rustici[BUILD] = Some(time(|| build_rustici(black_box(bytes))));

        let mut rsvici = [None; 6];
        if let Ok(theirs) = serde_vici::from_slice::<Root>(bytes) {
            rsvici[OWNED] =
                Some(time(|| serde_vici::from_slice::<Root>(black_box(bytes)).expect("decoded before")));
            rsvici[ENCODE] =
                Some(time(|| serde_vici::to_vec(black_box(&theirs)).expect("was decoded before")));
        }
        let ([ours_in, ours_out], theirs) = match name {
            "small" => typed::<Version<'_>>(bytes),
            "typical" | "large" => typed::<Sas<'_>>(bytes),
            _ => ([None; 2], [None; 2]),
        };
        (ours[SERDE_IN], ours[SERDE_OUT]) = (ours_in, ours_out);
        [rsvici[SERDE_IN], rsvici[SERDE_OUT]] = theirs;
        Self { ours, rustici, rsvici }
    }

    fn print(&self, name: &str, len: usize) {
        let rows = [("vici", self.ours), ("rustici", self.rustici), ("rsvici", self.rsvici)];
        for (codec, times) in rows.into_iter().filter(|(_, times)| times.iter().any(Option::is_some)) {
            let (name, shown) = if codec == "vici" { (name, len.to_string()) } else { ("", String::new()) };
            print!("{name:<24} {shown:>7} {codec:>8}");
            for time in times {
                match time {
                    Some(time) => print!(" {:>8.0}", len as f64 / time.as_secs_f64() / 1e6),
                    None => print!(" {:>8}", "-"),
                }
            }
            println!();
        }
    }

    /// Whether we are as much faster than the faster of the two as we mean to be.
    fn judge(&self, name: &str) -> bool {
        let aims = [
            ("borrowed decoding", BORROW, OWNED, 6.0),
            ("owned decoding", OWNED, OWNED, 2.0),
            ("encoding", ENCODE, ENCODE, 1.5),
            ("building", BUILD, BUILD, 1.5),
            ("serde, reading", SERDE_IN, SERDE_IN, 2.0),
            ("serde, writing", SERDE_OUT, SERDE_OUT, 2.0),
        ];
        let mut met = true;
        for (what, ours, theirs, aim) in aims {
            let Some(fastest) = [self.rustici[theirs], self.rsvici[theirs]].into_iter().flatten().min()
            else {
                continue;
            };
            let ours = self.ours[ours].expect("we can do all of it");
            let ratio = fastest.as_secs_f64() / ours.as_secs_f64();
            let verdict = if ratio >= aim { "" } else { "  MISSED" };
            println!("{:24} {what} of {name} {ratio:.1} x the faster of them (aim {aim}){verdict}", "");
            met &= ratio >= aim;
        }
        met
    }
}

/// Reading and writing a type that derives serde's traits: ours, then theirs.
fn typed<'m, T: Deserialize<'m> + Serialize>(
    bytes: &'m [u8],
) -> ([Option<Duration>; 2], [Option<Duration>; 2]) {
    let value: T = vici::serde::from_slice(bytes).expect("the message is of that type");
    let same: T = serde_vici::from_slice(bytes).expect("the message is of that type");
    let written = vici::serde::to_message(&value).expect("was read before");
    assert_eq!(serde_vici::to_vec(&same).expect("was read before"), written.encode().expect("was written before"));
    let ours = [
        time(|| vici::serde::from_slice::<T>(black_box(bytes)).expect("read before")),
        time(|| vici::serde::to_message(black_box(&value)).expect("was read before")),
    ];
    let theirs = [
        time(|| serde_vici::from_slice::<T>(black_box(bytes)).expect("the message is of that type")),
        time(|| serde_vici::to_vec(black_box(&value)).expect("was read before")),
    ];
    (ours.map(Some), theirs.map(Some))
}

#[derive(Serialize, Deserialize)]
struct Version<'m> {
    daemon: &'m str,
    version: &'m str,
    sysname: &'m str,
    release: &'m str,
    machine: &'m str,
}

#[derive(Serialize, Deserialize)]
struct Sas<'m>(#[serde(borrow)] BTreeMap<&'m str, IkeSa<'m>>);

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct IkeSa<'m> {
    uniqueid: u32,
    version: u8,
    state: &'m str,
    local_host: &'m str,
    local_port: u16,
    local_id: &'m str,
    remote_host: &'m str,
    remote_port: u16,
    remote_id: &'m str,
    initiator_spi: &'m str,
    responder_spi: &'m str,
    encr_alg: Option<&'m str>,
    encr_keysize: Option<u16>,
    integ_alg: Option<&'m str>,
    prf_alg: Option<&'m str>,
    dh_group: Option<&'m str>,
    established: Option<u64>,
    rekey_time: Option<i64>,
    #[serde(borrow)]
    child_sas: BTreeMap<&'m str, ChildSa<'m>>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ChildSa<'m> {
    name: &'m str,
    uniqueid: u32,
    reqid: u32,
    state: &'m str,
    mode: &'m str,
    protocol: Option<&'m str>,
    spi_in: Option<&'m str>,
    spi_out: Option<&'m str>,
    encr_alg: Option<&'m str>,
    encr_keysize: Option<u16>,
    bytes_in: Option<u64>,
    packets_in: Option<u64>,
    bytes_out: Option<u64>,
    packets_out: Option<u64>,
    rekey_time: Option<i64>,
    life_time: Option<i64>,
    install_time: Option<u64>,
    #[serde(borrow)]
    local_ts: Vec<&'m str>,
    #[serde(borrow)]
    remote_ts: Vec<&'m str>,
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

/// The best mean time of one call over many short rounds: on a busy machine some of them are not interrupted.
fn time<T>(mut call: impl FnMut() -> T) -> Duration {
    const ROUNDS: u32 = 150;
    const ROUND: Duration = Duration::from_millis(1);
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

/// A short reply, a usual event, a message of 400 kB, and the longest of some recordings.
fn messages() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../vici/tests/golden");
    let recorded = |name: &str| {
        let text =
            std::fs::read(folder.join(name).with_extension("json")).expect("the recordings are in the tree");
        let recording: serde_json::Value = serde_json::from_slice(&text).expect("a recording is JSON");
        let frames = recording["frames"].as_array().expect("a recording has frames").iter();
        let messages = frames.filter_map(|frame| {
            let frame = unhex(frame["hex"].as_str()?);
            match vici::Packet::parse(&frame[4..]).ok()? {
                vici::Packet::Request { message, .. }
                | vici::Packet::Event { message, .. }
                | vici::Packet::Response { message } => Some(message.to_vec()),
                _ => None,
            }
        });
        messages.max_by_key(Vec::len).expect("a recording has a message")
    };
    let sas = recorded("list-sas");
    let mut large = Vec::new();
    while large.len() < 400_000 {
        large.extend(with_children(&sas, 10));
    }
    let mut messages = vec![
        ("small".to_owned(), recorded("version")),
        ("typical".to_owned(), with_children(&sas, 10)),
        ("large".to_owned(), large),
    ];
    let others =
        ["list-sas", "list-conns", "load-conn", "stats", "get-algorithms", "get-counters", "list-certs"];
    messages.extend(others.map(|name| (name.to_owned(), recorded(name))));
    messages
}

/// A list-sa event whose one CHILD_SA stands there so many times, under numbers of their own.
fn with_children(event: &[u8], count: usize) -> Vec<u8> {
    let event = vici::Section::parse(event).expect("a recorded message");
    let (name, sa) = event.sections().next().expect("an event tells of an SA");
    let mut copy = vici::Message::new();
    copy.nest(name.as_str(), |copy| {
        for (name, value) in sa {
            match value {
                vici::Value::Section(children) => copy.nest(name.as_str(), |copy| {
                    let (_, child) = children.sections().next().expect("the SA has a child");
                    (0..count).for_each(|at| copy.nest(&format!("net-net-{at}"), |copy| fill(copy, child)));
                }),
                vici::Value::Data(data) => copy.push(name.as_str(), data),
                vici::Value::List(list) => copy.push_list(name.as_str(), list.iter()),
            }
        }
    });
    copy.encode().expect("a copy of what fits").to_vec()
}

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
}

/// What a user of serde_vici would hold an arbitrary message in.
enum Node {
    Text(String),
    Bytes(Vec<u8>),
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
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Node, E> {
                Ok(Node::Bytes(bytes.to_vec()))
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
            Self::Bytes(bytes) => to.serialize_bytes(bytes),
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
