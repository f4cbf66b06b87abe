//! `--list-authorities`: certification authorities and where their revocation lists are.

use vici::Message;

use super::initiate::add_names;
use super::{Command, Run};
use crate::args::{JSON, Options, PRETTY, RAW, value};
use crate::failure::{Outcome, Status};
use crate::render;
use crate::session::{Labels, Session};

pub(super) const COMMAND: Command = Command {
    name: "list-authorities",
    short: 'B',
    summary: "list loaded authority configurations",
    usage: &["[--raw|--pretty]"],
    options: &[value("name", 'n', "filter by authority name"), RAW, PRETTY, JSON],
    run: Run::Connected(run),
};

fn run(session: &mut Session<'_>, options: &Options) -> Outcome {
    let mut request = Message::new();
    add_names(&mut request, options, ["name"]);
    // The label of an event is in the plural, unlike the event itself: scripts know it so.
    let labels = Labels { event: "list-authorities event", reply: "list-authorities reply" };
    session.stream(
        "list-authorities",
        "list-authority",
        labels,
        &request,
        render::list_authorities::write,
    )?;
    Ok(Status::SUCCESS)
}
