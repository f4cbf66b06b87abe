//! Prints the security associations of the daemon, one line each: `cargo run -p vici --example list_sas [URI]`.
#![expect(clippy::print_stdout, reason = "printing is what this example does")]

use vici::blocking::Client;
use vici::{Message, Uri};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let uri = std::env::args().nth(1).map_or_else(|| Ok(Uri::default()), |uri| uri.parse())?;
    let mut client = Client::connect(&uri)?;
    let mut events = client.stream("list-sas", "list-sa", &Message::new())?;
    while let Some(event) = events.next_event()? {
        for (name, sa) in event.root().sections() {
            let text = |key| sa.text(key).unwrap_or("?");
            println!(
                "{}: #{} {}, {} ... {}",
                name,
                text("uniqueid"),
                text("state"),
                text("local-host"),
                text("remote-host")
            );
        }
    }
    Ok(())
}
