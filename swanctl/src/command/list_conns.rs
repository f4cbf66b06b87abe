//! `--list-conns`: the connections that the daemon knows.

use vici::Message;

use super::{Command, Run};
use crate::args::{JSON, Options, PRETTY, RAW};
use crate::failure::{Outcome, Status};
use crate::render;
use crate::session::{Labels, Session};

pub(super) const COMMAND: Command = Command {
    name: "list-conns",
    short: 'L',
    summary: "list loaded configurations",
    usage: &["[--raw|--pretty]"],
    options: &[RAW, PRETTY, JSON],
    run: Run::Connected(run),
};

fn run(session: &mut Session<'_>, _: &Options) -> Outcome {
    let labels = Labels { event: "list-conn event", reply: "list-conns reply" };
    session.stream("list-conns", "list-conn", labels, &Message::new(), |out, event| {
        render::list_conns::write(out, event)
    })?;
    Ok(Status::SUCCESS)
}
