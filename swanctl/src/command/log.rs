//! `--log`: what the daemon logs, until interrupted or until the daemon goes away.

use std::io::{self, Write};

use vici::{Client, Section, Uri};

use super::{Command, Run};
use crate::args::{PRETTY, RAW};
use crate::failure::{Failure, Outcome, Status};
use crate::render::raw::{self, Format};
use crate::render::text::shown;

pub(super) const COMMAND: Command = Command {
    name: "log",
    short: 'T',
    summary: "trace logging output",
    usage: &["[--raw|--pretty]"],
    options: &[RAW, PRETTY],
    run: Run::Log,
};

/// Shows log events as they come. Waits for the daemon and for SIGINT at once, hence the runtime.
pub(crate) fn follow(uri: &Uri, format: Format, out: &mut dyn Write, err: &mut dyn Write) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let failed = |error| Failure::request("log", &error);
        let mut client = Client::connect(uri).await.map_err(failed)?;
        client.subscribe("log").await.map_err(failed)?;
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
                Ok(event) => line(out, format, event.message.root())?,
                Err(vici::ClientError::Closed) => {
                    writeln!(err, "connection closed")?;
                    return Ok(Status::CLOSED);
                }
                Err(error) => return Err(failed(error)),
            }
        }
    })
}

fn line(out: &mut dyn Write, format: Format, event: Section<'_>) -> io::Result<()> {
    if format != Format::Human {
        raw::dump(out, format, "log", event)?;
        return out.flush();
    }
    for text in shown(event, "msg").lines() {
        writeln!(out, "{:0>2}[{}] {text}", shown(event, "thread"), shown(event, "group"))?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vici::Message;

    #[test]
    fn each_line_of_a_message_carries_thread_and_group() {
        let event = Message::new().with("group", "IKE").with("thread", "7").with("msg", "one\ntwo");
        let mut out = Vec::new();
        line(&mut out, Format::Human, event.root()).expect("memory is writable");
        assert_eq!(String::from_utf8_lossy(&out), "07[IKE] one\n07[IKE] two\n");
    }
}
