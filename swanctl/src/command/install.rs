//! `--install` and `--uninstall`: the trap or shunt of a child.

use vici::Message;

use super::initiate::add_names;
use super::{Command, Run};
use crate::args::{Opt, Options, PRETTY, RAW, value};
use crate::failure::Outcome;
use crate::session::Session;

const IKE: Opt = value("ike", 'i', "name of the connection to which the child belongs");

pub(super) const INSTALL: Command = Command {
    name: "install",
    short: 'p',
    summary: "install a trap or shunt policy",
    usage: &["--child <name> [--ike <name>] [--raw|--pretty]"],
    options: &[value("child", 'c', "CHILD_SA configuration to install"), IKE, RAW, PRETTY],
    run: Run::Connected(|session, options| run(session, options, "install")),
};

pub(super) const UNINSTALL: Command = Command {
    name: "uninstall",
    short: 'U',
    summary: "uninstall a trap or shunt policy",
    usage: &["--child <name> [--ike <name>] [--raw|--pretty]"],
    options: &[value("child", 'c', "CHILD_SA configuration to uninstall"), IKE, RAW, PRETTY],
    run: Run::Connected(|session, options| run(session, options, "uninstall")),
};

fn run(session: &mut Session<'_>, options: &Options, command: &str) -> Outcome {
    let mut request = Message::new();
    add_names(&mut request, options, ["child", "ike"]);
    let reply = session.request(command, &request)?;
    session.conclude(command, reply)
}
