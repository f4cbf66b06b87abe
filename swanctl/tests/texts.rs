//! The whole program against a daemon that answers as strongSwan's did when its swanctl was recorded: the same output, the
//! same exit status. `tests/golden` holds the recordings; each is compared here or named with the reason why not.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use vici::{Message, Name, Packet};

/// What the daemon answers with: the messages of a `--pretty` recording, log lines and a reply, or a reply.
enum Answer {
    Pretty(&'static str),
    /// The lines of the recording itself as events of this name, then success.
    Log,
    Reply(&'static [(&'static str, &'static str)]),
}

use Answer::{Log, Pretty, Reply};

const YES: Answer = Reply(&[("success", "yes")]);

#[rustfmt::skip]
const CASES: &[(&str, Answer)] = &[
    ("counters", Pretty("counters-pretty")), ("counters-pretty", Pretty("counters-pretty")), ("counters-raw", Pretty("counters-pretty")),
    ("counters-reset", YES),
    ("counters-unknown", Reply(&[("success", "no"), ("errmsg", "no counters found for this connection")])),
    ("flush-certs", YES), ("flush-certs-raw", YES), ("reload-settings", YES),
    ("initiate", Log), ("initiate-missing", Reply(&[("success", "no"), ("errmsg", "CHILD_SA config 'nope' not found")])),
    ("initiate-noargs", Reply(&[("success", "no"), ("errmsg", "missing configuration name")])),
    ("initiate-pretty", Pretty("initiate-pretty")),
    ("install", YES), ("uninstall", YES),
    ("uninstall-again", Reply(&[("success", "no"), ("errmsg", "policy 'trp' not found")])),
    ("list-algs", Pretty("list-algs-pretty")), ("list-algs-pretty", Pretty("list-algs-pretty")), ("list-algs-raw", Pretty("list-algs-pretty")),
    ("list-authorities", Pretty("list-authorities-pretty")), ("list-authorities-pretty", Pretty("list-authorities-pretty")),
    ("list-authorities-raw", Pretty("list-authorities-pretty")),
    ("list-certs-pretty", Pretty("list-certs-pretty")),
    ("list-conns", Pretty("list-conns-pretty")), ("list-conns-pretty", Pretty("list-conns-pretty")), ("list-conns-raw", Pretty("list-conns-pretty")),
    ("list-pols", Pretty("list-pols-pretty")), ("list-pols-pretty", Pretty("list-pols-pretty")), ("list-pols-raw", Pretty("list-pols-pretty")),
    ("list-pools", Pretty("list-pools-pretty")), ("list-pools-pretty", Pretty("list-pools-pretty")), ("list-pools-raw", Pretty("list-pools-pretty")),
    ("list-sas", Pretty("list-sas-pretty")), ("list-sas-pretty", Pretty("list-sas-pretty")), ("list-sas-raw", Pretty("list-sas-pretty")),
    ("list-sas-filter", Reply(&[])),
    ("redirect-none", Reply(&[("success", "no"), ("errmsg", "no matching SAs to redirect found")])),
    ("rekey", YES), ("rekey-raw", Reply(&[("success", "yes"), ("matches", "1")])),
    ("rekey-none", Reply(&[("success", "no"), ("matches", "0"), ("errmsg", "no matching SAs to rekey found")])),
    ("stats-pretty", Pretty("stats-pretty")),
    ("terminate", Log), ("terminate-child", Log), ("terminate-pretty", Pretty("terminate-pretty")), ("terminate-raw", Pretty("terminate-pretty")),
    ("version-daemon", VERSION), ("version-daemon-raw", VERSION),
];

const VERSION: Answer = Reply(&[
    ("daemon", "charon"),
    ("version", "5.9.8"),
    ("sysname", "Linux"),
    ("release", "6.12.0-generic0"),
    ("machine", "x86_64"),
]);

/// Recordings that are compared elsewhere, or differ for the reason given. A trailing `*` stands for anything.
const ELSEWHERE: &[(&str, &str)] = &[
    ("help*", "usage texts are those of strongSwan 6: src/usage/tests.rs"),
    ("no-args", "as help"),
    ("bad-command", "as help: tests/cli.rs"),
    ("bad-option", "as help: tests/cli.rs"),
    ("bad-uri", "as help: tests/cli.rs"),
    ("bad-file", "a missing file unloads nothing: docs/differences.md"),
    ("broken-file", "a broken file unloads nothing: docs/differences.md"),
    ("load-*", "requests are compared in testing/interop/loading, texts in src/command/load_tests.rs"),
    ("empty-file", "as load"),
    ("partial-file", "src/command/load_tests.rs"),
    ("list-certs*", "certificates expire as time goes by: src/render/golden.rs"),
    ("stats*", "memory changed between the recordings: src/render/golden.rs"),
    ("version", "it is our own"),
    ("install-raw", "the reply is shown as every other command's is: docs/differences.md"),
    ("install-pretty", "as install-raw"),
    ("initiate-raw", "another initiation than that of the other forms"),
    ("counters-all", "another state of the counters"),
    ("list-pols-drop", "as list-pols, filtered by the daemon"),
    ("list-pools-leases", "as list-pools"),
];

fn golden(name: &str) -> String {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name).with_extension("txt");
    fs::read_to_string(path).expect("the recording is in the tree")
}

/// A recording: arguments, standard output, standard error, exit status.
fn parts(name: &str) -> (Vec<String>, String, String, i32) {
    let text = golden(name);
    let (line, rest) = text.split_once('\n').expect("the first line is the command");
    let (body, status) = rest.split_once("--- exit status: ").expect("the last line is the exit status");
    let (out, err) = body.split_once("--- stderr ---\n").unwrap_or((body, ""));
    let arguments = line.split_whitespace().skip(2).map(str::to_owned).collect();
    let status = status.trim_end_matches([' ', '-', '\n']).parse().expect("a number");
    (arguments, out.to_owned(), err.to_owned(), status)
}

/// The messages of a `--pretty` recording: events, then the reply.
fn pretty(name: &str) -> (Vec<Message>, Message) {
    let (_, out, _, _) = parts(name);
    let mut lines = out.lines();
    let mut messages = Vec::new();
    while lines.next().is_some() {
        messages.push(section(&mut lines));
    }
    let reply = messages.pop().expect("a reply is recorded");
    (messages, reply)
}

fn section<'a>(lines: &mut impl Iterator<Item = &'a str>) -> Message {
    let mut message = Message::new();
    while let Some(line) = lines.next().map(str::trim_start).filter(|line| *line != "}") {
        if let Some(name) = line.strip_suffix(" = [") {
            let items: Vec<String> =
                lines.map_while(|item| (item.trim() != "]").then(|| item.trim().to_owned())).collect();
            message.push_list(name, items.iter().map(|item| bytes(item)));
        } else if let Some((name, value)) = line.split_once(" = ") {
            message.push(name, bytes(value));
        } else {
            let inner = section(lines);
            message.push_section(line.trim_end_matches(['{', ' ']), &inner);
        }
    }
    message
}

fn bytes(value: &str) -> Vec<u8> {
    let hex = value.strip_prefix("0x").filter(|hex| hex.len() > 8);
    hex.map_or_else(
        || value.as_bytes().to_vec(),
        |hex| {
            let digit = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("binary is hexadecimal");
            (0..hex.len()).step_by(2).map(digit).collect()
        },
    )
}

fn messages(name: &str, answer: &Answer) -> (Vec<Message>, Message) {
    match answer {
        Pretty(source) => pretty(source),
        Reply(pairs) => {
            (Vec::new(), pairs.iter().fold(Message::new(), |reply, (key, value)| reply.with(key, value)))
        }
        Log => {
            let lines = parts(name).1;
            let lines = lines.lines().filter_map(|line| line.strip_prefix('[')?.split_once("] "));
            let events = lines.map(|(group, text)| Message::new().with("group", group).with("msg", text));
            (events.collect(), Message::new().with("success", "yes"))
        }
    }
}

/// Serves one client: confirms registrations, sends the events under the name last registered, then the reply.
fn serve(mut stream: UnixStream, events: Vec<Message>, reply: &Message) {
    let mut events = VecDeque::from(events);
    let mut event_name = String::new();
    let mut header = [0; 4];
    while stream.read_exact(&mut header).is_ok() {
        let mut frame = vec![0; usize::try_from(u32::from_be_bytes(header)).expect("requests are short")];
        stream.read_exact(&mut frame).expect("a frame is whole");
        let mut send = |packet: Packet<'_>| {
            let packet = packet.to_vec().expect("it was recorded");
            let len = u32::try_from(packet.len()).expect("it was recorded");
            stream
                .write_all(&len.to_be_bytes())
                .and_then(|()| stream.write_all(&packet))
                .expect("the client reads");
        };
        match Packet::parse(&frame).expect("the client sends packets") {
            Packet::EventRegister { name } => {
                event_name = name.to_string();
                send(Packet::EventConfirm);
            }
            Packet::EventUnregister { .. } => send(Packet::EventConfirm),
            Packet::Request { .. } => {
                let name = Name::new(event_name.as_bytes()).expect("it was a name before");
                for event in events.drain(..) {
                    send(Packet::Event { name, message: event.encode().expect("it was recorded") });
                }
                send(Packet::Response { message: reply.encode().expect("it was recorded") });
            }
            packet => panic!("{packet:?} from a client"),
        }
    }
}

#[test]
fn the_program_prints_what_was_recorded() {
    let directory = tempfile::tempdir().expect("a directory for the test");
    let known = String::from_utf8_lossy(
        &Command::new(env!("CARGO_BIN_EXE_swanctl")).arg("--help").output().expect("it was built").stdout,
    )
    .into_owned();
    for (name, answer) in CASES {
        let (mut arguments, out, err, status) = parts(name);
        if !known.contains(&format!("{} ", arguments[0])) {
            continue;
        }
        let (events, reply) = messages(name, answer);
        let socket = directory.path().join(name);
        let listener = UnixListener::bind(&socket).expect("the directory is ours");
        let server = thread::spawn(move || {
            let (stream, _) = listener.accept().expect("the client connects");
            serve(stream, events, &reply);
        });
        arguments.extend(["--uri".into(), format!("unix://{}", socket.display())]);
        let output = Command::new(env!("CARGO_BIN_EXE_swanctl"))
            .args(&arguments)
            .env("STRONGSWAN_CONF", "/nonexistent")
            .output()
            .expect("the program was built");
        server.join().expect("the daemon does not fail");
        assert_eq!(String::from_utf8_lossy(&output.stdout), out, "{name}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), err, "{name}");
        assert_eq!(output.status.code(), Some(status), "{name}");
    }
}

#[test]
fn every_recording_is_compared_somewhere() {
    let elsewhere = |name: &str| {
        ELSEWHERE.iter().any(|(pattern, _)| match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == *pattern,
        })
    };
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let missing: BTreeSet<String> = fs::read_dir(directory)
        .expect("the recordings are in the tree")
        .map(|entry| {
            entry.expect("readable").path().file_stem().expect("a name").to_string_lossy().into_owned()
        })
        .filter(|name| !elsewhere(name) && !CASES.iter().any(|(case, _)| case == name))
        .collect();
    assert_eq!(missing, BTreeSet::new());
}
