//! `--terminate`: closes CHILD SAs or IKE SAs.

use vici::Message;

use super::initiate::{add_control, add_ids, add_names, controlled};
use super::{Command, Run};
use crate::args::{Options, PRETTY, RAW, flag, value};
use crate::failure::Outcome;
use crate::session::Session;

pub(super) const COMMAND: Command = Command {
    name: "terminate",
    short: 't',
    summary: "terminate a connection",
    usage: &[
        "--child <name> | --ike <name> | --child-id <id> | --ike-id <id>",
        "[--timeout <s>] [--raw|--pretty]",
    ],
    options: &[
        value("child", 'c', "terminate by CHILD_SA name"),
        value("ike", 'i', "terminate by IKE_SA name"),
        value("child-id", 'C', "terminate by CHILD_SA unique identifier"),
        value("ike-id", 'I', "terminate by IKE_SA unique identifier"),
        flag("force", 'f', "terminate IKE_SA without waiting, unless timeout is set"),
        value("timeout", 't', "timeout in seconds before detaching"),
        RAW,
        PRETTY,
        value("loglevel", 'l', "verbosity of redirected log"),
    ],
    run: Run::Connected(run),
};

fn run(session: &mut Session<'_>, options: &Options) -> Outcome {
    let mut request = Message::new();
    add_names(&mut request, options, ["child", "ike"]);
    add_ids(&mut request, options, ["child-id", "ike-id"])?;
    if options.has("force") {
        request.push("force", "yes");
    }
    add_control(&mut request, options)?;
    controlled(session, "terminate", &request)
}
