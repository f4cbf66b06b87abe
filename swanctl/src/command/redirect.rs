//! `--redirect`: sends the peers of IKE SAs to another gateway (RFC 5685).

use vici::Message;

use super::initiate::{add_ids, add_names};
use super::{Command, Run};
use crate::args::{Options, PRETTY, RAW, value};
use crate::failure::Outcome;
use crate::session::Session;

pub(super) const COMMAND: Command = Command {
    name: "redirect",
    short: 'd',
    summary: "redirect an IKE_SA",
    usage: &[
        "--ike <name> | --ike-id <id> | --peer-ip <ip|subnet|range>",
        "--peer-id <id|wildcards> | --gateway <ip|fqdn> [--raw|--pretty]",
    ],
    options: &[
        value("ike", 'i', "redirect by IKE_SA name"),
        value("ike-id", 'I', "redirect by IKE_SA unique identifier"),
        value("peer-ip", 'p', "redirect by client IP"),
        value("peer-id", 'd', "redirect by IKE_SA name"),
        value("gateway", 'g', "target gateway (IP or FQDN)"),
        RAW,
        PRETTY,
    ],
    run: Run::Connected(run),
};

fn run(session: &mut Session<'_>, options: &Options) -> Outcome {
    let mut request = Message::new();
    add_names(&mut request, options, ["ike"]);
    add_ids(&mut request, options, ["ike-id"])?;
    add_names(&mut request, options, ["peer-ip", "peer-id", "gateway"]);
    let reply = session.request("redirect", &request)?;
    session.conclude("redirect", reply)
}
