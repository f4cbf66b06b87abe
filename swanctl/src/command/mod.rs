//! The commands, a file each.

mod check;
mod completions;
mod counters;
mod flush_certs;
mod follow;
mod initiate;
mod install;
mod list_algs;
mod list_authorities;
mod list_certs;
mod list_conns;
mod list_pols;
mod list_pools;
mod list_sas;
mod list_vrouters;
mod load_all;
mod load_authorities;
mod load_conns;
mod load_creds;
mod load_pools;
mod load_vrouters;
mod log;
mod monitor_sa;
mod redirect;
mod rekey;
mod reload_settings;
mod stats;
mod terminate;
mod version;
mod watch;

#[cfg(test)]
mod load_tests;

use std::io::Write;

use crate::args::{Opt, Options};
use crate::failure::Outcome;
use crate::session::Session;

/// A command: how it is called, explained and run.
pub(crate) struct Command {
    pub(crate) name: &'static str,
    pub(crate) short: char,
    pub(crate) summary: &'static str,
    /// What may follow the command, for the usage; a line each.
    pub(crate) usage: &'static [&'static str],
    /// Its own options.
    pub(crate) options: &'static [Opt],
    pub(crate) run: Run,
}

/// How a command does its work.
pub(crate) enum Run {
    /// Over a connection to the daemon.
    Connected(fn(&mut Session<'_>, &Options) -> Outcome),
    /// Without a daemon.
    Alone(fn(&Options, &mut dyn Write, &mut dyn Write) -> Outcome),
    /// The usage, without a daemon.
    Help,
    /// The version of this program without a daemon, or that of the daemon.
    Version,
    /// Events, until interrupted.
    Follow(Followed),
}

/// All commands, in the order of the usage.
pub(crate) const ALL: &[Command] = &[
    counters::COMMAND,
    initiate::COMMAND,
    terminate::COMMAND,
    rekey::COMMAND,
    redirect::COMMAND,
    install::UNINSTALL,
    install::INSTALL,
    list_sas::COMMAND,
    monitor_sa::COMMAND,
    list_pols::COMMAND,
    list_authorities::COMMAND,
    list_conns::COMMAND,
    list_certs::COMMAND,
    list_pools::COMMAND,
    list_algs::COMMAND,
    list_vrouters::COMMAND,
    flush_certs::COMMAND,
    load_all::COMMAND,
    load_authorities::COMMAND,
    load_conns::COMMAND,
    load_creds::COMMAND,
    load_pools::COMMAND,
    load_vrouters::COMMAND,
    log::COMMAND,
    version::COMMAND,
    stats::COMMAND,
    reload_settings::COMMAND,
    check::COMMAND,
    completions::COMMAND,
    Command {
        name: "help",
        short: 'h',
        summary: "show usage information",
        usage: &[],
        options: &[],
        run: Run::Help,
    },
];

pub(crate) use follow::{Followed, follow};
pub(crate) use version::daemon_version;

/// The command of that name.
pub(crate) fn named(name: &str) -> Option<&'static Command> {
    ALL.iter().find(|command| command.name == name)
}

/// The command that an argument means, for showing its usage when the rest of the line makes no sense.
pub(crate) fn meant_by(argument: &str) -> Option<&'static Command> {
    if let Some(long) = argument.strip_prefix("--").filter(|long| !long.is_empty()) {
        let mut fitting = ALL.iter().filter(|command| command.name.starts_with(long));
        return named(long).or_else(|| fitting.next().filter(|_| fitting.next().is_none()));
    }
    if let Some(letters) = argument.strip_prefix('-') {
        return ALL.iter().find(|command| letters.starts_with(command.short));
    }
    named(argument)
}
