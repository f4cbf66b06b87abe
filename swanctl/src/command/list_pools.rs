//! `--list-pools`: pools of virtual addresses, with their leases if asked for.

use vici::Message;

use super::{Command, Run};
use crate::args::{Options, PRETTY, RAW, flag, value};
use crate::failure::{Outcome, Status};
use crate::render::{self, raw::Format};
use crate::session::Session;

pub(super) const COMMAND: Command = Command {
    name: "list-pools",
    short: 'A',
    summary: "list loaded pool configurations",
    usage: &["[--leases] [--raw|--pretty]"],
    options: &[
        RAW,
        PRETTY,
        flag("leases", 'l', "list leases of each pool"),
        value("name", 'n', "filter pools by name"),
    ],
    run: Run::Connected(run),
};

fn run(session: &mut Session<'_>, options: &Options) -> Outcome {
    let mut request = Message::new();
    if options.has("leases") {
        request.push("leases", "yes");
    }
    if let Some(name) = options.value("name") {
        request.push("name", name);
    }
    let reply = session.request("get-pools", &request)?;
    if session.format == Format::Human {
        render::list_pools::write(session.out, reply.root())?;
    }
    Ok(Status::SUCCESS)
}
