//! `--stats`: figures of the daemon.

use vici::Message;

use super::{Command, Run};
use crate::args::{JSON, Options, PRETTY, RAW};
use crate::failure::{Outcome, Status};
use crate::render::{self, raw::Format};
use crate::session::Session;

pub(super) const COMMAND: Command = Command {
    name: "stats",
    short: 'S',
    summary: "show daemon stats information",
    usage: &["[--raw|--pretty]"],
    options: &[RAW, PRETTY, JSON],
    run: Run::Connected(run),
};

fn run(session: &mut Session<'_>, _: &Options) -> Outcome {
    let reply = session.request("stats", &Message::new())?;
    if session.format == Format::Human {
        render::stats::write(session.out, reply.root())?;
    }
    Ok(Status::SUCCESS)
}
