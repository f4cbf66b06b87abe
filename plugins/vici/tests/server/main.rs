//! Replays recorded conversations with strongSwan against this server: the same requests must get the same answers and
//! events, with the same keys in the same order and the same values, except those that must differ.
//!
//! What lies behind the server (the IKE_SAs) is played by [`engine`] from the same recording.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod behaviour;
mod compare;
mod counters;
mod daemon;
mod engine;
mod missing;
mod recording;
mod snapshot;

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use charon_types::Identity;
use daemon::Daemon;
use futures_util::FutureExt;
use missing::{DIFFERENT, MISSING};
use recording::Recording;
use vici::Message;

#[test]
fn every_recording_is_answered_as_strongswan_did() {
    daemon::run(async {
        let daemon = Daemon::start().await;
        let mut wrong = Vec::new();
        let recordings = Recording::all();
        for recording in &recordings {
            let listed = MISSING.iter().find(|(name, _)| *name == recording.name);
            // What waits for something need not be waited for.
            let patience = Duration::from_millis(if listed.is_some() { 200 } else { 2500 });
            let outcome = AssertUnwindSafe(replay(&daemon, recording, patience)).catch_unwind().await;
            let outcome = outcome.unwrap_or_else(|_| Err("panicked".to_owned()));
            if DIFFERENT.iter().any(|(name, _)| *name == recording.name) {
                assert!(outcome.is_err(), "{} is no different after all", recording.name);
                continue;
            }
            match (listed, outcome) {
                (None, Ok(())) | (Some(_), Err(_)) => {}
                (None, Err(difference)) => wrong.push(format!("{}: {difference}", recording.name)),
                (Some(_), Ok(())) => wrong.push(format!("{}: passes, take it off the list", recording.name)),
            }
        }
        for (name, missing) in MISSING {
            assert!(recordings.iter().any(|recording| recording.name == *name), "no recording {name}");
            if missing.is_built(&daemon).await {
                wrong.push(format!("{name}: {missing:?} is built, take it off the list"));
            }
        }
        assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), recordings.len(), wrong.join("\n"));
        eprintln!("{} recordings replayed, {} of them wait for something", recordings.len(), MISSING.len());
    });
}

async fn replay(daemon: &Daemon, recording: &Recording, patience: Duration) -> Result<(), String> {
    let mut client = daemon.connect().await;
    client.forget_everything().await;
    for (command, message) in setup(&recording.name) {
        let reply = client.request(&command, &message).await;
        if reply.text("success").is_some_and(|success| success != "yes") {
            return Err(format!("setup: {command}: {reply:?}"));
        }
    }
    drop(client);
    // A road warrior that is connected while this was recorded.
    let lease = (recording.name == "get-pools-leases").then(|| {
        let pool = vec!["rw_pool".into()];
        let any = [0, 0, 0, 0].into();
        let identity = Identity::parse("moon.example.org").unwrap();
        daemon.pools.lend(&pool, &identity, any, [192, 0, 2, 1].into()).expect("the pool is loaded")
    });
    let played = daemon.play(recording, patience).await;
    if let Some(lease) = lease {
        daemon.pools.give_back(&lease);
    }
    compare::compare(recording, &played?)
}

/// What had been loaded before the recording began, as far as it can be here.
fn setup(name: &str) -> Vec<(String, Message)> {
    let tunnel = || recording::requests("load-conn", "load-conn");
    match name {
        "list-conns-cert" | "initiate-cert-vip" => recording::requests("load-conn-cert", "load-conn"),
        "get-pools-leases" | "strongswan-6.0.1-get-pools" => vec![pool("rw_pool", "10.3.0.0/28")],
        "unload-pool" => vec![pool("p1", "10.5.0.0/24"), pool("p2", "10.6.0.10-10.6.0.19")],
        "list-certs" => ["load-cert-pubkey", "load-cert", "load-key"]
            .iter()
            .flat_map(|name| recording::loads(name))
            .collect(),
        "unload-authority" => recording::requests("load-authority", "load-authority"),
        "empty-lists" | "pipelined-requests" => empty_connections(&["x", "yy"]),
        "event-registered-twice" => recording::requests("load-conn-update", "load-conn"),
        "unload-conn" => {
            tunnel().into_iter().chain(empty_connections(&["shunts", "trapc", "x", "yy"])).collect()
        }
        "load-conn-cert" => tunnel(),
        "install-uninstall" | "list-policies" => recording::requests("load-conn-shunts", "load-conn"),
        "list-conns" => {
            let shunts = recording::requests("load-conn-shunts", "load-conn");
            let updated = recording::requests("load-conn-update", "load-conn");
            updated.into_iter().chain(shunts).chain(one_child("x", "c")).collect()
        }
        _ if name.contains("initiate") || name.contains("list-conns") => tunnel(),
        _ => Vec::new(),
    }
}

fn pool(name: &str, addrs: &str) -> (String, Message) {
    let pool = Message::new().with("addrs", addrs);
    ("load-pool".to_owned(), Message::new().with_section(name, &pool))
}

fn one_child(connection: &str, child: &str) -> Option<(String, Message)> {
    let local = Message::new().with_list("local_ts", ["10.0.0.0/32"]);
    let children = Message::new().with_section(child, &local);
    let content = Message::new().with_section("children", &children);
    Some(("load-conn".to_owned(), Message::new().with_section(connection, &content)))
}

fn empty_connections(names: &[&str]) -> Vec<(String, Message)> {
    let empty = |name: &&str| ("load-conn".to_owned(), Message::new().with_section(name, &Message::new()));
    names.iter().map(empty).collect()
}
