//! Loads a connection from types that derive serde's traits, sets it up and takes it down again:
//! `cargo run -p vici --features serde --example load_conn [URI]`.
#![expect(clippy::print_stdout, reason = "printing is what this example does")]

use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;
use vici::command::{Initiate, LoadConn, LoadShared, SharedKind, Terminate, UnloadConn, Wait};
use vici::{Uri, blocking::Client};

#[derive(Serialize)]
struct Connection {
    version: u8,
    remote_addrs: Vec<&'static str>,
    local: Side,
    remote: Side,
    children: BTreeMap<&'static str, Child>,
}

#[derive(Serialize)]
struct Side {
    auth: &'static str,
    id: &'static str,
}

#[derive(Serialize)]
struct Child {
    remote_ts: Vec<&'static str>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let uri = std::env::args().nth(1).map_or_else(|| Ok(Uri::default()), |uri| uri.parse())?;
    let mut client = Client::connect(&uri)?;
    let connection = Connection {
        version: 2,
        remote_addrs: vec!["192.0.2.2"],
        local: Side { auth: "psk", id: "moon" },
        remote: Side { auth: "psk", id: "sun" },
        children: BTreeMap::from([("net", Child { remote_ts: vec!["10.2.0.0/16"] })]),
    };
    client.call(&LoadShared {
        id: Some("example".into()),
        kind: SharedKind::Ike,
        secret: b"swordfish".to_vec(),
        owners: vec!["moon".into(), "sun".into()],
    })?;
    client.call(&LoadConn { name: "example".into(), connection: vici::serde::to_message(&connection)? })?;
    let wait = Wait::AtMost(Duration::from_secs(10));
    match client.call(&Initiate { child: Some("net".into()), wait, ..Initiate::default() }) {
        Ok(()) => println!("up"),
        Err(error) => println!("not up: {error}"),
    }
    let gone = client.call(&Terminate { ike: Some("example".into()), ..Terminate::default() });
    println!("taken down: {gone:?}");
    client.call(&UnloadConn { name: "example".into() })?;
    Ok(())
}
