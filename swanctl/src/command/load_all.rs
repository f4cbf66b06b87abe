//! `--load-all`: credentials, authorities, pools and connections, up to the first stage that fails.

use super::load_creds::{self, CLEAR, NOPROMPT};
use super::{Command, Run, load_authorities, load_conns, load_pools, load_vrouters};
use crate::args::{Options, PRETTY, RAW};
use crate::config::Config;
use crate::failure::{Outcome, Status};
use crate::session::Session;
use crate::stage;

pub(super) const COMMAND: Command = Command {
    name: "load-all",
    short: 'q',
    summary: "load credentials, authorities, pools and connections",
    usage: &["[--raw|--pretty] [--clear] [--noprompt]"],
    options: &[CLEAR, NOPROMPT, RAW, PRETTY, load_conns::FILE],
    run: Run::Connected(run),
};

fn run(session: &mut Session<'_>, options: &Options) -> Outcome {
    let config = Config::load(options)?;
    let status = load_creds::load(session, &config, options)?;
    if status != Status::SUCCESS {
        return Ok(status);
    }
    for stage in [load_authorities::STAGE, load_pools::STAGE, load_conns::STAGE] {
        let status = stage::run(session, &config, &stage)?;
        if status != Status::SUCCESS {
            return Ok(status);
        }
    }
    // strongSwan has none: nothing is said of what neither side has.
    stage::run_if_any(session, &config, &load_vrouters::STAGE)
}
