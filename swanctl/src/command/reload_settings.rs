//! `--reload-settings`: the daemon reads strongswan.conf again.

use vici::Message;

use super::{Command, Run};
use crate::args::{PRETTY, RAW};
use crate::session::Session;

pub(super) const COMMAND: Command = Command {
    name: "reload-settings",
    short: 'r',
    summary: "reload daemon strongswan.conf",
    usage: &["[--raw|--pretty]"],
    options: &[RAW, PRETTY],
    run: Run::Connected(|session: &mut Session<'_>, _| {
        let reply = session.request("reload-settings", &Message::new())?;
        session.conclude_silently("reload-settings", reply)
    }),
};
