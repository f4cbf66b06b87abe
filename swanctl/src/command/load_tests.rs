//! Loading, against a daemon of a few lines that keeps what it is told.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::{self, JoinHandle};

use tempfile::TempDir;
use vici::blocking::Client;
use vici::{Message, Packet};

use crate::args;
use crate::failure::{Failure, Status};
use crate::progress::Audience;
use crate::session::Session;

/// A daemon that holds names and refuses those that start with `bad`.
#[derive(Default)]
struct Daemon {
    keys: Vec<String>,
    shared: Vec<String>,
    conns: Vec<String>,
    pools: Option<Vec<String>>,
    authorities: Option<Vec<String>>,
    vrouters: Option<Vec<String>>,
    /// The commands that changed something, with what they named.
    log: Vec<String>,
}

impl Daemon {
    fn serve(mut self, mut stream: UnixStream) -> JoinHandle<Self> {
        thread::spawn(move || {
            while let Some(frame) = read_frame(&mut stream) {
                let Ok(Packet::Request { name, message }) = Packet::parse(&frame) else {
                    panic!("only requests come")
                };
                let request = Message::decode(message).expect("the client sends messages");
                let reply = self.answer(name.as_str(), &request);
                let packet = match &reply {
                    Some(reply) => Packet::Response { message: reply.encode().expect("replies are small") },
                    None => Packet::CommandUnknown,
                };
                let bytes = packet.to_vec().expect("replies are small");
                let len = u32::try_from(bytes.len()).expect("replies are small");
                stream.write_all(&len.to_be_bytes()).expect("the client listens");
                stream.write_all(&bytes).expect("the client listens");
            }
            self
        })
    }

    fn answer(&mut self, command: &str, request: &Message) -> Option<Message> {
        let success = Message::new().with("success", "yes");
        let failure = |reason: &str| Some(Message::new().with("success", "no").with("errmsg", reason));
        let section = request.root().sections().next().map(|(name, _)| name.as_str().to_owned());
        let named = section
            .or_else(|| request.text("name").or_else(|| request.text("id")).map(str::to_owned))
            .or_else(|| request.text("data").map(|data| data.trim_end().to_owned()))
            .unwrap_or_default();
        let list = |name: &str, items: &[String]| Some(Message::new().with_list(name, items));
        match command {
            "get-keys" => return list("keys", &self.keys),
            "get-shared" => return list("keys", &self.shared),
            "get-conns" => return list("conns", &self.conns),
            "get-vrouters" => return list("vrouters", self.vrouters.as_ref()?),
            "get-authorities" => return list("authorities", self.authorities.as_ref()?),
            "get-pools" => {
                let nothing = Message::new();
                return Some(
                    self.pools
                        .as_ref()?
                        .iter()
                        .fold(Message::new(), |reply, pool| reply.with_section(pool, &nothing)),
                );
            }
            _ => self.log.push(format!("{command} {named}").trim_end().to_owned()),
        }
        if named.starts_with("bad") {
            return failure("unknown option: foo, config discarded");
        }
        Some(if command == "load-key" { success.with("id", named) } else { success })
    }
}

fn read_frame(stream: &mut UnixStream) -> Option<Vec<u8>> {
    let mut len = [0; 4];
    stream.read_exact(&mut len).ok()?;
    let mut frame = vec![0; usize::try_from(u32::from_be_bytes(len)).expect("frames are small")];
    stream.read_exact(&mut frame).ok()?;
    Some(frame)
}

/// What a run of swanctl came to.
struct Run {
    daemon: Daemon,
    outcome: Result<Status, Failure>,
    out: String,
    err: String,
}

fn run(daemon: Daemon, directory: &Path, line: &[&str]) -> Run {
    let (ours, theirs) = UnixStream::pair().expect("a pair of sockets");
    let served = daemon.serve(theirs);
    let file = directory.join("swanctl.conf");
    let asks = !matches!(line, ["--load-conns" | "-c", ..]);
    let more = ["--file", file.to_str().expect("a text"), "--noprompt"];
    let arguments = line.iter().copied().chain(more.into_iter().take(if asks { 3 } else { 2 }));
    let invocation = args::parse(arguments.map(Into::into).collect()).ok().expect("the line is valid");
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let format = invocation.options.format();
    let client = Client::from_stream(ours);
    let mut session =
        Session { client, format, debug_level: 0, audience: Audience::Nobody, out: &mut out, err: &mut err };
    let outcome = match invocation.command.map(|command| &command.run) {
        Some(super::Run::Connected(run)) => run(&mut session, &invocation.options),
        _ => panic!("the test runs a command of the daemon"),
    };
    drop(session);
    let text = |bytes: Vec<u8>| {
        String::from_utf8(bytes).expect("the output is text").replace(&directory.display().to_string(), "DIR")
    };
    Run { daemon: served.join().expect("the daemon does not fail"), outcome, out: text(out), err: text(err) }
}

fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory for the test");
    for (name, content) in files {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().expect("below the directory")).expect("writable");
        std::fs::write(path, content).expect("writable");
    }
    directory
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The file of the recording `partial-file.txt`.
const PARTIAL: &str = "connections {\n ok1 { version = 2 }\n bad1 { version = 2\n  foo = 1 }\n}\n\
    secrets {\n foo-1 { secret = x }\n ike-2 { id = a }\n}\n";

#[test]
fn all_stages_run_in_order_and_what_is_gone_is_unloaded() {
    let files = [
        (
            "swanctl.conf",
            "authorities { a { crl_uris = x } }\npools { p { addrs = 10.0.0.0/24 } }\nconnections { c { } }\nsecrets { ike-1 { secret = s }\n private { file = k } }",
        ),
        ("x509/end", "end"),
        ("x509ca/ca", "ca"),
        ("private/k", "key"),
    ];
    let daemon = Daemon {
        keys: names(&["key", "oldkey"]),
        shared: names(&["ike-1", "ike-old"]),
        conns: names(&["c", "oldconn"]),
        pools: Some(names(&["oldpool"])),
        authorities: Some(names(&["oldca"])),
        ..Daemon::default()
    };
    let run = run(daemon, directory(&files).path(), &["--load-all"]);
    assert_eq!(
        run.daemon.log,
        [
            "load-cert end",
            "load-cert ca",
            "load-key key",
            "load-shared ike-1",
            "unload-key oldkey",
            "unload-shared ike-old",
            "load-authority a",
            "unload-authority oldca",
            "load-pool p",
            "unload-pool oldpool",
            "load-conn c",
            "unload-conn oldconn",
        ]
    );
    assert!(matches!(run.outcome, Ok(Status::SUCCESS)));
    let expected = "loaded certificate from 'DIR/x509/end'\n\
        loaded certificate from 'DIR/x509ca/ca'\n\
        loaded private key from 'DIR/private/k'\n\
        loaded ike secret 'ike-1'\n\
        unloaded private key with id 'oldkey'\n\
        unloaded shared key with id 'ike-old'\n\
        loaded authority 'a'\nsuccessfully loaded 1 authorities, 1 unloaded\n\
        loaded pool 'p'\nsuccessfully loaded 1 pools, 1 unloaded\n\
        loaded connection 'c'\nsuccessfully loaded 1 connections, 1 unloaded\n";
    assert_eq!((run.out.as_str(), run.err.as_str()), (expected, ""));
}

#[test]
fn a_partly_refused_file_is_told_as_recorded_and_where() {
    let daemon = Daemon { pools: Some(names(&["p"])), authorities: Some(names(&["a"])), ..Daemon::default() };
    let run = run(daemon, directory(&[("swanctl.conf", PARTIAL)]).path(), &["--load-all"]);
    assert!(matches!(run.outcome, Ok(Status::INVALID)));
    let expected = "no authorities found, 1 unloaded\nno pools found, 1 unloaded\nloaded connection 'ok1'\n";
    assert_eq!(run.out, expected);
    let expected = "ignoring unsupported secret 'foo-1'\n\
        missing secret in 'ike-2', ignored\n\
        loading connection 'bad1' failed: unknown option: foo, config discarded\n\
        DIR/swanctl.conf:4: connections.bad1.foo\n\
        loaded 1 of 2 connections, 1 failed to load, 0 unloaded\n";
    assert_eq!(run.err, expected);
}

#[test]
fn a_connection_that_is_refused_is_not_unloaded() {
    let daemon = Daemon { conns: names(&["bad1", "gone"]), ..Daemon::default() };
    let run = run(daemon, directory(&[("swanctl.conf", PARTIAL)]).path(), &["--load-conns"]);
    assert_eq!(run.daemon.log, ["load-conn ok1", "load-conn bad1", "unload-conn gone"]);
}

#[test]
fn a_broken_file_changes_nothing_in_any_format() {
    for format in [&["--load-all"][..], &["--load-all", "--raw"], &["--load-conns", "--pretty"]] {
        let daemon = Daemon { conns: names(&["c"]), keys: names(&["k"]), ..Daemon::default() };
        let files = directory(&[("swanctl.conf", "connections {\n c {\n version 2\n } }")]);
        let run = run(daemon, files.path(), format);
        assert_eq!(run.daemon.log, [""; 0]);
        let Err(Failure::Told { message, status }) = run.outcome else { panic!("the file is broken") };
        assert_eq!(status, Status::INVALID);
        let place = format!("{}:3:10: expected `=`", files.path().join("swanctl.conf").display());
        assert!(message.starts_with(&place), "{message}");
        assert!(message.ends_with("3 |  version 2\n  |          ^"), "{message}");
    }
}

#[test]
fn a_missing_file_changes_nothing() {
    let daemon = Daemon { conns: names(&["c"]), ..Daemon::default() };
    let run = run(daemon, directory(&[]).path(), &["--load-conns"]);
    assert_eq!(run.daemon.log, [""; 0]);
    assert!(matches!(run.outcome, Err(Failure::Told { status: Status::UNKNOWN, .. })));
}

#[test]
fn a_repeated_load_keeps_the_keys_just_loaded_in_any_format() {
    for format in ["--load-creds", "-sr", "-sP"] {
        let daemon = Daemon { keys: names(&["key"]), shared: names(&["ike-1"]), ..Daemon::default() };
        let files = [("swanctl.conf", "secrets { ike-1 { secret = s } }"), ("private/k", "key\n")];
        let run = run(daemon, directory(&files).path(), &[format]);
        assert_eq!(run.daemon.log, ["load-key key", "load-shared ike-1"], "{format}");
    }
}

#[test]
fn what_the_daemon_does_not_support_is_refused_only_if_the_file_has_it() {
    let files = directory(&[("swanctl.conf", "connections { c { } }")]);
    let without = run(Daemon::default(), files.path(), &["--load-all"]);
    assert!(matches!(without.outcome, Ok(Status::SUCCESS)));
    assert_eq!(without.daemon.log, ["load-conn c"]);

    let files =
        directory(&[("swanctl.conf", "pools {\n p { addrs = 10.0.0.0/24 } }\nconnections { c { } }")]);
    let with = run(Daemon::default(), files.path(), &["--load-all"]);
    assert!(matches!(with.outcome, Ok(Status::INVALID)));
    assert_eq!(with.daemon.log, [""; 0]);
    let expected = "loading pool 'p' failed: the daemon does not support pools\n\
        DIR/swanctl.conf:2: pools.p\n\
        loaded 0 of 1 pools, 1 failed to load, 0 unloaded\n";
    assert_eq!(with.err, expected);
}

#[test]
fn failures_count_for_programs_too() {
    let run = run(Daemon::default(), directory(&[("swanctl.conf", PARTIAL)]).path(), &["-c", "--raw"]);
    assert!(matches!(run.outcome, Ok(Status::INVALID)));
    let expected = "get-conns reply {conns=[]}\nload-conn reply {success=yes}\n\
        load-conn reply {success=no errmsg=unknown option: foo, config discarded}\n";
    assert_eq!(run.out, expected);
}

#[test]
fn clear_comes_first_and_its_failure_ends_the_load() {
    let files = directory(&[("swanctl.conf", ""), ("private/k", "key")]);
    let run = run(Daemon::default(), files.path(), &["--load-creds", "--clear"]);
    assert_eq!(run.daemon.log, ["clear-creds", "load-key key"]);
}

#[test]
fn an_encrypted_key_is_decrypted_with_the_secret_that_names_its_file() {
    let key = include_str!("../../tests/keys/ec-aes128.pem");
    let files = |secret: &str| {
        let conf = format!("secrets {{ private-x {{ file = moon.pem\n secret = {secret} }} }}");
        directory(&[("swanctl.conf", &conf), ("private/moon.pem", key)])
    };
    let right = run(Daemon::default(), files("geheim").path(), &["--load-creds"]);
    assert_eq!(right.out, "loaded ECDSA key from 'DIR/private/moon.pem'\n");
    let wrong = run(Daemon::default(), files("falsch").path(), &["--load-creds"]);
    assert_eq!(wrong.err, "loading 'DIR/private/moon.pem' failed: no passphrase decrypts it\n");
    assert_eq!(wrong.daemon.log, [""; 0]);
}

#[test]
fn a_container_gives_its_certificates_and_then_its_keys() {
    for container in ["modern.p12", "legacy.p12"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys").join(container);
        let directory =
            directory(&[("swanctl.conf", "secrets { pkcs12 { file = a.p12\n secret = geheim } }")]);
        std::fs::create_dir(directory.path().join("pkcs12")).expect("writable");
        std::fs::copy(path, directory.path().join("pkcs12/a.p12")).expect("the container is in the tree");
        let run = run(Daemon::default(), directory.path(), &["--load-creds"]);
        let expected = "loaded certificate from 'DIR/pkcs12/a.p12'\nloaded certificate from 'DIR/pkcs12/a.p12'\n\
            loaded ECDSA key from 'DIR/pkcs12/a.p12'\n";
        assert_eq!((run.out.as_str(), run.err.as_str()), (expected, ""), "{container}");
    }
}

#[test]
fn a_secret_that_cannot_be_decoded_is_told_with_its_line() {
    let files = directory(&[("swanctl.conf", "secrets {\n ike-1 {\n secret = 0xyz } }")]);
    let run = run(Daemon::default(), files.path(), &["--load-creds"]);
    assert_eq!(
        run.err,
        "loading ike secret 'ike-1' failed: DIR/swanctl.conf:3: the secret is not hexadecimal\n"
    );
}

#[test]
fn virtual_routers_are_loaded_last_and_nobody_hears_of_none() {
    let files = directory(&[("swanctl.conf", "vrouters {\n gw { vrid = 51 } bad { vrid = 1 } }")]);
    let daemon = Daemon { vrouters: Some(names(&["gw", "old"])), ..Daemon::default() };
    let loaded = run(daemon, files.path(), &["--load-all"]);
    assert_eq!(loaded.daemon.log, ["load-vrouter gw", "load-vrouter bad", "unload-vrouter old"]);
    assert!(matches!(loaded.outcome, Ok(Status::INVALID)));
    assert!(loaded.err.contains("loaded 1 of 2 vrouters, 1 failed to load, 1 unloaded"), "{}", loaded.err);

    let files = directory(&[("swanctl.conf", "")]);
    for vrouters in [None, Some(Vec::new())] {
        let silent = run(Daemon { vrouters, ..Daemon::default() }, files.path(), &["--load-all"]);
        assert!(!silent.out.contains("vrouter") && !silent.err.contains("vrouter"), "{}", silent.out);
    }
}
