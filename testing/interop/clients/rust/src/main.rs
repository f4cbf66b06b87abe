//! `client-executors rustici|rsvici|vici SOCKET [--listen EVENTS]`. See ../README.md.
#![forbid(unsafe_code)]

mod ours;
mod with_rsvici;
mod with_rustici;

use std::io::BufRead;

use serde_json::{Value, json};

/// What is to be done.
struct Order {
    command: String,
    message: Value,
    stream: Option<String>,
}

/// What came of it.
enum Outcome {
    Done { reply: Value, events: Vec<Value> },
    Refused(String),
}

/// A client library.
trait Executor {
    fn execute(&mut self, order: &Order) -> Outcome;
    /// Never returns but by an error.
    fn listen(&mut self, events: &[&str]);
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let (library, socket) = (&arguments[1], &arguments[2]);
    let mut executor: Box<dyn Executor> = match library.as_str() {
        "rustici" => Box::new(with_rustici::connect(socket)),
        "rsvici" => Box::new(with_rsvici::connect(socket)),
        "vici" => Box::new(ours::connect(socket)),
        other => panic!("no library {other}"),
    };
    if let Some(events) = arguments.get(4) {
        return executor.listen(&events.split(',').collect::<Vec<_>>());
    }
    for line in std::io::stdin().lock().lines() {
        let order: Value = serde_json::from_str(&line.unwrap()).unwrap();
        let order = Order {
            command: order["command"].as_str().unwrap().to_owned(),
            message: order["message"].clone(),
            stream: order["stream"].as_str().map(str::to_owned),
        };
        let outcome = match executor.execute(&order) {
            Outcome::Done { reply, events } => match reply["success"].as_str() {
                None | Some("yes") => json!({ "reply": reply, "events": events }),
                Some(_) => json!({ "refused": reply["errmsg"] }),
            },
            Outcome::Refused(reason) => json!({ "refused": reason }),
        };
        println!("{outcome}");
    }
}

fn tell(event: &str, message: Value) {
    println!("{}", json!({ "event": event, "message": message }));
}

/// Latin-1, in both directions.
fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

fn raw(value: &Value) -> Vec<u8> {
    value.as_str().unwrap().chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}
