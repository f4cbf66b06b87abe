//! `--list-pols`: trap and shunt policies.

use vici::Message;

use super::initiate::add_names;
use super::{Command, Run};
use crate::args::{Options, PRETTY, RAW, flag, value};
use crate::failure::{Outcome, Status};
use crate::render;
use crate::session::{Labels, Session};

const KINDS: [&str; 3] = ["trap", "drop", "pass"];

pub(super) const COMMAND: Command = Command {
    name: "list-pols",
    short: 'P',
    summary: "list currently installed policies",
    usage: &["[--child <name>] [--trap] [--drop] [--pass] [--raw|--pretty]"],
    options: &[
        value("child", 'c', "filter policies by CHILD_SA config name"),
        flag(KINDS[0], 't', "list trap policies"),
        flag(KINDS[1], 'd', "list drop policies"),
        flag(KINDS[2], 'p', "list bypass policies"),
        RAW,
        PRETTY,
    ],
    run: Run::Connected(run),
};

fn run(session: &mut Session<'_>, options: &Options) -> Outcome {
    let mut request = Message::new();
    add_names(&mut request, options, ["child"]);
    let none = !KINDS.iter().any(|kind| options.has(kind));
    for kind in KINDS.iter().filter(|kind| none || options.has(kind)) {
        request.push(kind, "yes");
    }
    let labels = Labels { event: "list-policy event", reply: "list-policies reply" };
    session.stream("list-policies", "list-policy", labels, &request, |out, event| {
        render::list_pols::write(out, event)
    })?;
    Ok(Status::SUCCESS)
}
