//! `--reload-settings`: the daemon reads strongswan.conf again.

use vici::Message;

use super::{Command, Run};
use crate::args::{Options, PRETTY, RAW};
use crate::failure::{Outcome, Status};
use crate::render::raw::Format;
use crate::session::Session;

pub(super) const COMMAND: Command = Command {
    name: "reload-settings",
    short: 'r',
    summary: "reload daemon strongswan.conf",
    usage: &["[--raw|--pretty]"],
    options: &[RAW, PRETTY],
    run: Run::Connected(run),
};

fn run(session: &mut Session<'_>, _: &Options) -> Outcome {
    let reply = session.request("reload-settings", &Message::new())?;
    if session.format != Format::Human {
        return Ok(Status::SUCCESS);
    }
    match reply.into_success() {
        Ok(_) => Ok(Status::SUCCESS),
        Err(refused) => {
            session.complain(&format!("reload-settings failed: {refused}"))?;
            Ok(Status::FAILED)
        }
    }
}
