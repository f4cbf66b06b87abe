//! `--load-vrouters`: virtual routers.

use super::load_conns::{FILE, listed};
use super::{Command, Run};
use crate::args::{Options, PRETTY, RAW};
use crate::config::Config;
use crate::convert::{Form, Inner};
use crate::failure::Outcome;
use crate::session::Session;
use crate::stage::{self, Stage};

pub(super) const COMMAND: Command = Command {
    name: "load-vrouters",
    short: 'O',
    summary: "(re-)load virtual router configuration",
    usage: &["[--raw|--pretty]"],
    options: &[RAW, PRETTY, FILE],
    run: Run::Connected(run),
};

pub(super) const STAGE: Stage = Stage {
    noun: "vrouter",
    plural: "vrouters",
    get: "get-vrouters",
    load: "load-vrouter",
    unload: "unload-vrouter",
    form: |key| Form::of("vrouters", key),
    inner: Inner::Sent,
    names: |reply| listed(reply, "vrouters"),
};

fn run(session: &mut Session<'_>, options: &Options) -> Outcome {
    stage::run(session, &Config::load(options)?, &STAGE)
}
