//! `--load-pools`: pools of virtual addresses.

use super::load_conns::FILE;
use super::{Command, Run};
use crate::args::{Options, PRETTY, RAW};
use crate::config::Config;
use crate::convert::{Form, Inner};
use crate::failure::Outcome;
use crate::session::Session;
use crate::stage::{self, Stage};

pub(super) const COMMAND: Command = Command {
    name: "load-pools",
    short: 'a',
    summary: "(re-)load pool configuration",
    usage: &["[--raw|--pretty]"],
    options: &[RAW, PRETTY, FILE],
    run: Run::Connected(run),
};

pub(super) const STAGE: Stage = Stage {
    noun: "pool",
    plural: "pools",
    get: "get-pools",
    load: "load-pool",
    unload: "unload-pool",
    form: |key| if key == "addrs" { Form::Text } else { Form::List },
    inner: Inner::Ignored,
    names: |reply| reply.root().sections().map(|(name, _)| name.as_str().to_owned()).collect(),
};

fn run(session: &mut Session<'_>, options: &Options) -> Outcome {
    stage::run(session, &Config::load(options)?, &STAGE)
}
