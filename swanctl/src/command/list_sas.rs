//! `--list-sas`: the IKE SAs and CHILD SAs there are.

use vici::Message;

use super::initiate::{add_ids, add_names};
use super::{Command, Run, watch};
use crate::args::{JSON, Options, PRETTY, RAW, flag, value};
use crate::failure::{Outcome, Status};
use crate::render;
use crate::session::{Labels, Session};

pub(super) const COMMAND: Command = Command {
    name: "list-sas",
    short: 'l',
    summary: "list currently active IKE_SAs",
    usage: &["[--ike <name>|--ike-id <id>] [--child <name>|--child-id <id>]", "[--raw|--pretty]"],
    options: &[
        value("ike", 'i', "filter IKE_SAs by name"),
        value("ike-id", 'I', "filter IKE_SAs by unique identifier"),
        value("child", 'c', "filter CHILD_SAs by name"),
        value("child-id", 'C', "filter CHILD_SAs by unique identifier"),
        flag("noblock", 'n', "don't wait for IKE_SAs in use"),
        RAW,
        PRETTY,
        JSON,
        flag("watch", 'w', "show a table, again every second"),
    ],
    run: Run::Connected(run),
};

fn run(session: &mut Session<'_>, options: &Options) -> Outcome {
    let mut request = Message::new();
    add_names(&mut request, options, ["ike", "child"]);
    add_ids(&mut request, options, ["ike-id", "child-id"])?;
    let watched = options.has("watch");
    if watched || options.has("noblock") {
        request.push("noblock", "yes");
    }
    if watched {
        return watch::watch(session, &request);
    }
    let labels = Labels { event: "list-sa event", reply: "list-sas reply" };
    session
        .stream("list-sas", "list-sa", labels, &request, |out, event| render::list_sas::write(out, event))?;
    Ok(Status::SUCCESS)
}
