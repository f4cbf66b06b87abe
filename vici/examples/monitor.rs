//! Prints events as they come: `cargo run -p vici --example monitor [EVENT...]`, by default `ike-updown` and
//! `child-updown`.
#![expect(clippy::print_stdout, reason = "printing is what this example does")]

use vici::{Client, Uri};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut names: Vec<String> = std::env::args().skip(1).collect();
    if names.is_empty() {
        names.extend(["ike-updown".to_owned(), "child-updown".to_owned()]);
    }
    let mut client = Client::connect(&Uri::default()).await?;
    for name in &names {
        client.subscribe(name).await?;
    }
    loop {
        let event = client.next_event().await?;
        println!("{} {:#?}", event.name, event.message);
    }
}
