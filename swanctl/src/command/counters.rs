//! `--counters`: what was counted of IKE messages and rekeyings, or a reset of it.

use vici::Message;

use super::initiate::add_names;
use super::{Command, Run};
use crate::args::{JSON, Options, PRETTY, RAW, flag, value};
use crate::failure::{Outcome, Status};
use crate::render::{self, raw::Format};
use crate::session::Session;

pub(super) const COMMAND: Command = Command {
    name: "counters",
    short: 'C',
    summary: "list or reset IKE event counters",
    usage: &["[--name <name>|--all] [--reset] [--raw|--pretty]"],
    options: &[
        value("name", 'n', "connection name, omit for global counters"),
        flag("all", 'a', "get/reset counters for all tracked connections"),
        flag("reset", 'R', "reset the counters"),
        RAW,
        PRETTY,
        JSON,
    ],
    run: Run::Connected(run),
};

fn run(session: &mut Session<'_>, options: &Options) -> Outcome {
    let mut request = Message::new();
    if options.has("all") {
        request.push("all", "yes");
    } else {
        add_names(&mut request, options, ["name"]);
    }
    let reset = options.has("reset");
    let command = if reset { "reset-counters" } else { "get-counters" };
    let reply = session.request_labelled(command, "counters reply", &request)?;
    if reset || session.format != Format::Human {
        return session.conclude(command, reply);
    }
    match reply.into_success() {
        Ok(reply) => {
            render::counters::write(session.out, reply.root())?;
            Ok(Status::SUCCESS)
        }
        Err(refused) => {
            session.complain(&format!("{command} failed: {refused}"))?;
            Ok(Status::FAILED)
        }
    }
}
