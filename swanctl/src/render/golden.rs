//! What is rendered, against what strongSwan 5.9.8 printed for the same messages.
//!
//! `tests/golden/X-pretty.txt` holds the messages, `X-raw.txt` and `X.txt` the other forms of the same.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use vici::{Message, Section};

use super::list_certs::{Detail, Printer};
use super::raw::{self, Format};
use super::{counters, list_algs, list_authorities, list_conns, list_pols, list_sas, stats, version};
use crate::certificate::clock::{Clock, Zone};

/// The output part of a recording, between the command line and the exit status.
fn recorded(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let text = fs::read_to_string(path).expect("the recording is in the tree");
    let (_, output) = text.split_once('\n').expect("the first line is the command");
    let end = ["--- stderr ---", "--- exit status"].into_iter().filter_map(|mark| output.find(mark)).min();
    output[..end.unwrap_or(output.len())].to_owned()
}

/// The labelled messages of a `--pretty` recording.
fn messages(pretty: &str) -> Vec<(String, Message)> {
    let mut lines = pretty.lines();
    let mut messages = Vec::new();
    while let Some(line) = lines.next() {
        let label = line.strip_suffix(" {").expect("a message starts with its label");
        messages.push((label.to_owned(), section(&mut lines)));
    }
    messages
}

fn section<'a>(lines: &mut impl Iterator<Item = &'a str>) -> Message {
    let mut section = Message::new();
    while let Some(line) = lines.next().map(str::trim_start).filter(|line| *line != "}") {
        if let Some(name) = line.strip_suffix(" = [") {
            let items: Vec<Vec<u8>> =
                lines.map_while(|item| (item.trim() != "]").then(|| bytes(item.trim()))).collect();
            section.push_list(name, items);
        } else if let Some((name, value)) = line.split_once(" = ") {
            section.push(name, bytes(value));
        } else {
            let inner = self::section(lines);
            let name = line.strip_suffix('{').expect("what is no value is a section");
            section.push_section(name.trim_end(), &inner);
        }
    }
    section
}

/// A value as bytes: hexadecimal if it is binary.
fn bytes(value: &str) -> Vec<u8> {
    match value.strip_prefix("0x") {
        Some(hex) => {
            let digit =
                |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("binary is shown as hexadecimal");
            (0..hex.len()).step_by(2).map(digit).collect()
        }
        None => value.as_bytes().to_vec(),
    }
}

fn dumped(messages: &[(String, Message)], format: Format) -> String {
    written(|out| {
        messages.iter().try_for_each(|(label, message)| raw::dump(out, format, label, message.root()))
    })
}

fn rendered(
    messages: &[(String, Message)],
    render: impl Fn(&mut dyn Write, Section<'_>) -> io::Result<()>,
) -> String {
    let shown = messages.iter().filter(|(label, message)| label.ends_with("event") || !message.is_empty());
    written(|out| shown.into_iter().try_for_each(|(_, message)| render(out, message.root())))
}

fn written(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).expect("memory is writable");
    String::from_utf8(out).expect("the output is text")
}

#[test]
fn raw_and_pretty_forms_are_as_recorded() {
    for name in
        ["list-sas", "list-conns", "list-authorities", "list-pols", "list-pools", "list-algs", "counters"]
    {
        let pretty = recorded(&format!("{name}-pretty.txt"));
        let messages = messages(&pretty);
        assert_eq!(dumped(&messages, Format::Pretty), pretty);
        assert_eq!(dumped(&messages, Format::Raw), recorded(&format!("{name}-raw.txt")));
    }
}

#[test]
fn ike_sas_are_listed_as_recorded() {
    assert_eq!(
        rendered(&messages(&recorded("list-sas-pretty.txt")), list_sas::write),
        recorded("list-sas.txt")
    );
}

#[test]
fn connections_are_listed_as_recorded() {
    assert_eq!(
        rendered(&messages(&recorded("list-conns-pretty.txt")), list_conns::write),
        recorded("list-conns.txt")
    );
}

#[test]
fn authorities_are_listed_as_recorded() {
    assert_eq!(
        rendered(&messages(&recorded("list-authorities-pretty.txt")), list_authorities::write),
        recorded("list-authorities.txt")
    );
}

#[test]
fn policies_are_listed_as_recorded() {
    assert_eq!(
        rendered(&messages(&recorded("list-pols-pretty.txt")), list_pols::write),
        recorded("list-pols.txt")
    );
}

#[test]
fn the_reqid_of_a_trap_stands_before_its_mode() {
    let trap = Message::new()
        .with("child", "net")
        .with("reqid", "1")
        .with("mode", "TUNNEL")
        .with_list("local-ts", ["10.1.0.0/16"])
        .with_list("remote-ts", ["10.2.0.0/16"]);
    let event = Message::new().with_section("gw/net", &trap);
    let shown = written(|out| list_pols::write(out, event.root()));
    assert_eq!(shown, "gw/net, reqid 1, TUNNEL\n  local:  10.1.0.0/16\n  remote: 10.2.0.0/16\n");
}

#[test]
fn algorithms_are_listed_as_recorded() {
    let messages = messages(&recorded("list-algs-pretty.txt"));
    assert_eq!(rendered(&messages, list_algs::write), recorded("list-algs.txt"));
}

#[test]
fn counters_are_shown_as_recorded() {
    let messages = messages(&recorded("counters-pretty.txt"));
    assert_eq!(rendered(&messages, counters::write), recorded("counters.txt"));
}

#[test]
fn figures_are_shown_as_recorded() {
    // Memory figures changed between the two recordings.
    let without_heap = |text: &str| -> String {
        text.lines().filter(|line| !line.starts_with("mallinfo")).map(|line| format!("{line}\n")).collect()
    };
    let shown = rendered(&messages(&recorded("stats-pretty.txt")), stats::write);
    assert_eq!(without_heap(&shown), without_heap(&recorded("stats.txt")));
    assert!(shown.contains("\nmallinfo: sbrk 3207168, mmap 0, used 1456320, free 1750848\n"), "{shown}");
}

#[test]
fn the_version_is_shown_as_recorded() {
    let reply = Message::new()
        .with("daemon", "charon")
        .with("version", "5.9.8")
        .with("sysname", "Linux")
        .with("release", "6.12.0-generic0")
        .with("machine", "x86_64");
    assert_eq!(written(|out| version::write(out, reply.root())), recorded("version-daemon.txt"));
}

/// The certificates of a `--raw` recording, whose values hold no blanks.
fn certificates(raw: &str) -> Vec<(String, Message)> {
    let events = raw.lines().filter_map(|line| line.strip_prefix("list-cert event {")?.strip_suffix('}'));
    let message = |items: &str| {
        items.split(' ').fold(Message::new(), |message, item| {
            let (name, value) = item.split_once('=').expect("an item is a key and a value");
            message.with(name, bytes(value))
        })
    };
    events.map(|items| ("list-cert event".to_owned(), message(items))).collect()
}

#[test]
fn certificates_are_listed_as_recorded() {
    let recordings =
        [("list-certs.txt", Detail::Full, Zone::Utc), ("list-certs-short.txt", Detail::Short, Zone::Utc)];
    let certificates = certificates(&recorded("list-certs-raw.txt"));
    for (name, detail, zone) in recordings {
        let now = "2026-11-21T06:57:00Z".parse().expect("a time");
        let printer = std::cell::RefCell::new(Printer::new(Clock { now, zone }, detail));
        let shown = rendered(&certificates, |out, event| printer.borrow_mut().write(out, event));
        // The recording in local time was made where that is UTC.
        assert_eq!(shown.replace(" UTC", ""), recorded(name).replace(" UTC", ""), "{name}");
    }
}

#[test]
fn a_certificate_is_given_as_pem_as_recorded() {
    let certificates = certificates(&recorded("list-certs-raw.txt"));
    let now = "2026-11-21T06:57:00Z".parse().expect("a time");
    let printer = std::cell::RefCell::new(Printer::new(Clock { now, zone: Zone::Utc }, Detail::Pem));
    let shown = rendered(&certificates[..1], |out, event| printer.borrow_mut().write(out, event));
    assert_eq!(shown, recorded("list-certs-pem.txt"));
}
