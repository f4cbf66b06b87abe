//! `--version`: of this program, or with `--daemon` of the daemon.

use vici::Message;

use super::{Command, Run};
use crate::args::{JSON, PRETTY, RAW, flag};
use crate::failure::{Outcome, Status};
use crate::render::{self, raw::Format};
use crate::session::Session;

pub(super) const COMMAND: Command = Command {
    name: "version",
    short: 'V',
    summary: "show version information",
    usage: &["[--raw|--pretty]"],
    options: &[flag("daemon", 'd', "query daemon version"), RAW, PRETTY, JSON],
    run: Run::Version,
};

/// Shows the version of the daemon.
pub(crate) fn daemon_version(session: &mut Session<'_>) -> Outcome {
    let reply = session.request("version", &Message::new())?;
    if session.format == Format::Human {
        render::version::write(session.out, reply.root())?;
    }
    Ok(Status::SUCCESS)
}
