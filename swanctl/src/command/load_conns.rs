//! `--load-conns`: connections.

use vici::Message;

use super::{Command, Run};
use crate::args::{Opt, Options, PRETTY, RAW, value};
use crate::config::Config;
use crate::convert::{Form, Inner};
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
    form: |key| Form::of("connections", key),
    inner: Inner::Sent,
    names: |reply| listed(reply, "conns"),
};

fn run(session: &mut Session<'_>, options: &Options) -> Outcome {
    stage::run(session, &Config::load(options)?, &STAGE)
}

/// The names in a list of a reply.
pub(super) fn listed(reply: &Message, list: &str) -> Vec<String> {
    reply.root().list(list).into_iter().flat_map(|items| items.texts()).map(str::to_owned).collect()
}
