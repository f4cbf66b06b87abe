//! `--rekey`: new keys for CHILD SAs or IKE SAs.

use vici::Message;

use super::initiate::{add_ids, add_names};
use super::{Command, Run};
use crate::args::{Options, PRETTY, RAW, flag, value};
use crate::failure::Outcome;
use crate::session::Session;

pub(super) const COMMAND: Command = Command {
    name: "rekey",
    short: 'R',
    summary: "rekey an SA",
    usage: &[
        "--child <name> | --ike <name> | --child-id <id> | --ike-id <id>",
        "[--reauth] [--raw|--pretty]",
    ],
    options: &[
        value("child", 'c', "rekey by CHILD_SA name"),
        value("ike", 'i', "rekey by IKE_SA name"),
        value("child-id", 'C', "rekey by CHILD_SA unique identifier"),
        value("ike-id", 'I', "rekey by IKE_SA unique identifier"),
        flag("reauth", 'a', "reauthenticate instead of rekey an IKEv2 SA"),
        RAW,
        PRETTY,
    ],
    run: Run::Connected(run),
};

fn run(session: &mut Session<'_>, options: &Options) -> Outcome {
    let mut request = Message::new();
    add_names(&mut request, options, ["child", "ike"]);
    add_ids(&mut request, options, ["child-id", "ike-id"])?;
    if options.has("reauth") {
        request.push("reauth", "yes");
    }
    let reply = session.request("rekey", &request)?;
    session.conclude("rekey", reply)
}
