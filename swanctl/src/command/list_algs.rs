//! `--list-algs`: what the daemon can compute, and which plugin does it.

use vici::Message;

use super::{Command, Run};
use crate::args::{JSON, Options, PRETTY, RAW};
use crate::failure::{Outcome, Status};
use crate::render::{self, raw::Format};
use crate::session::Session;

pub(super) const COMMAND: Command = Command {
    name: "list-algs",
    short: 'g',
    summary: "show loaded algorithms",
    usage: &["[--raw|--pretty]"],
    options: &[RAW, PRETTY, JSON],
    run: Run::Connected(run),
};

fn run(session: &mut Session<'_>, _: &Options) -> Outcome {
    let reply = session.request("get-algorithms", &Message::new())?;
    if session.format == Format::Human {
        render::list_algs::write(session.out, reply.root())?;
    }
    Ok(Status::SUCCESS)
}
