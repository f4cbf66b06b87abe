//! `--load-conns`: connections.

use vici::Message;

use super::{Command, Run};
use crate::args::{Opt, Options, PRETTY, RAW, value};
use crate::config::Config;
use crate::convert::Form;
use crate::failure::Outcome;
use crate::session::Session;
use crate::stage::{self, Stage};

pub(super) const COMMAND: Command = Command {
    name: "load-conns",
    short: 'c',
    summary: "(re-)load connection configuration",
    usage: &["[--raw|--pretty]"],
    options: &[RAW, PRETTY, FILE],
    run: Run::Connected(run),
};

/// Of all commands that load.
pub(super) const FILE: Opt = value("file", 'f', "custom path to swanctl.conf");

pub(super) const STAGE: Stage = Stage {
    noun: "connection",
    plural: "connections",
    get: "get-conns",
    load: "load-conn",
    unload: "unload-conn",
    form,
    names: |reply| listed(reply, "conns"),
};

fn run(session: &mut Session<'_>, options: &Options) -> Outcome {
    stage::run(session, &Config::load(options)?, &STAGE)
}

fn form(key: &str) -> Form {
    const LISTS: [&str; 11] = [
        "local_addrs",
        "remote_addrs",
        "proposals",
        "esp_proposals",
        "ah_proposals",
        "local_ts",
        "remote_ts",
        "vips",
        "pools",
        "groups",
        "cert_policy",
    ];
    const FILES: [(&str, &str); 3] = [("certs", "x509"), ("cacerts", "x509ca"), ("pubkeys", "pubkey")];
    if LISTS.iter().any(|list| list.eq_ignore_ascii_case(key)) {
        return Form::List;
    }
    let files = FILES.iter().find(|(files, _)| files.eq_ignore_ascii_case(key));
    files.map_or(Form::Text, |(_, directory)| Form::Files(directory))
}

/// The names in a list of a reply.
pub(super) fn listed(reply: &Message, list: &str) -> Vec<String> {
    reply.root().list(list).into_iter().flat_map(|items| items.texts()).map(str::to_owned).collect()
}
