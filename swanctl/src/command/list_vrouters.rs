//! `--list-vrouters`: virtual routers and their roles.

use vici::Message;

use super::initiate::add_names;
use super::{Command, Run};
use crate::args::{JSON, Options, PRETTY, RAW, value};
use crate::failure::{Outcome, Status};
use crate::render;
use crate::session::{Labels, Session};

pub(super) const COMMAND: Command = Command {
    name: "list-vrouters",
    short: 'o',
    summary: "list virtual routers and their roles",
    usage: &["[--name <name>] [--raw|--pretty]"],
    options: &[value("name", 'n', "filter by virtual router name"), RAW, PRETTY, JSON],
    run: Run::Connected(run),
};

fn run(session: &mut Session<'_>, options: &Options) -> Outcome {
    let mut request = Message::new();
    add_names(&mut request, options, ["name"]);
    let labels = Labels { event: "list-vrouter event", reply: "list-vrouters reply" };
    session.stream("list-vrouters", "list-vrouter", labels, &request, render::list_vrouters::write)?;
    Ok(Status::SUCCESS)
}
