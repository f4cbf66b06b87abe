//! `--load-authorities`: certification authorities and where their revocation lists are.

use super::load_conns::{FILE, listed};
use super::{Command, Run};
use crate::args::{Options, PRETTY, RAW};
use crate::config::Config;
use crate::convert::{Form, Inner};
use crate::failure::Outcome;
use crate::session::Session;
use crate::stage::{self, Stage};

pub(super) const COMMAND: Command = Command {
    name: "load-authorities",
    short: 'b',
    summary: "(re-)load authority configuration",
    usage: &["[--raw|--pretty]"],
    options: &[RAW, PRETTY, FILE],
    run: Run::Connected(run),
};

pub(super) const STAGE: Stage = Stage {
    noun: "authority",
    plural: "authorities",
    get: "get-authorities",
    load: "load-authority",
    unload: "unload-authority",
    form: |key| Form::of("authorities", key),
    inner: Inner::Ignored,
    names: |reply| listed(reply, "authorities"),
};

fn run(session: &mut Session<'_>, options: &Options) -> Outcome {
    stage::run(session, &Config::load(options)?, &STAGE)
}
