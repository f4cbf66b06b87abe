//! Commands that show events until they are interrupted or the daemon goes away.

use std::io::{self, Write};

use vici::{Client, Section, Uri};

use crate::failure::{Failure, Outcome, Status};
use crate::render::raw::{self, Format};

/// What a command follows.
pub(crate) struct Followed {
    /// The name of the command, for errors.
    pub(super) command: &'static str,
    /// Events, each with its label in raw output.
    pub(super) events: &'static [(&'static str, &'static str)],
    /// Writes an event for humans.
    pub(super) show: fn(&mut dyn Write, Section<'_>) -> io::Result<()>,
}

/// Shows events as they come. Waits for the daemon and for SIGINT at once, hence the runtime.
pub(crate) fn follow(
    followed: &Followed,
    uri: &Uri,
    format: Format,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let failed = |error| Failure::request(followed.command, &error);
        let mut client = Client::connect(uri).await.map_err(failed)?;
        for (event, _) in followed.events {
            client.subscribe(event).await.map_err(failed)?;
        }
        loop {
            let event = tokio::select! {
                interrupted = tokio::signal::ctrl_c() => {
                    interrupted?;
                    writeln!(err, "disconnecting...")?;
                    return Ok(Status::SUCCESS);
                }
                event = client.next_event() => event,
            };
            match event {
                Ok(event) => {
                    let root = event.message.root();
                    match format {
                        Format::Human => (followed.show)(out, root)?,
                        Format::Json => {
                            let told = vici::Message::new().with_section(&event.name, &event.message);
                            raw::dump(out, format, "", told.root())?;
                        }
                        Format::Raw | Format::Pretty => {
                            let labels = followed.events.iter().find(|(name, _)| *name == event.name);
                            raw::dump(out, format, labels.map_or("", |(_, label)| label), root)?;
                        }
                    }
                    out.flush()?;
                }
                Err(vici::ClientError::Closed) => {
                    writeln!(err, "connection closed")?;
                    return Ok(Status::CLOSED);
                }
                Err(error) => return Err(failed(error)),
            }
        }
    })
}
