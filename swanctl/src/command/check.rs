//! `--check`: whether swanctl.conf is what it should be, without a daemon.

use std::io::Write;

use super::load_conns::FILE;
use super::{Command, Run};
use crate::args::Options;
use crate::check::{self, SECTIONS};
use crate::config::Config;
use crate::failure::{Outcome, Status};

pub(super) const COMMAND: Command = Command {
    name: "check",
    short: 'k',
    summary: "check swanctl.conf without a daemon",
    usage: &["[--file <file>]"],
    options: &[FILE],
    run: Run::Alone(run),
};

fn run(options: &Options, out: &mut dyn Write, err: &mut dyn Write) -> Outcome {
    let config = Config::load(options)?;
    let findings = check::check(&config.settings, &config.directory);
    for finding in &findings {
        writeln!(err, "{finding}")?;
    }
    if !findings.is_empty() {
        let errors = if findings.len() == 1 { "error" } else { "errors" };
        writeln!(err, "{} {errors} in '{}'", findings.len(), config.path.display())?;
        return Ok(Status::INVALID);
    }
    let counted = SECTIONS.map(|name| {
        let count = config.settings.section(name).map_or(0, |section| section.sections().count());
        format!("{count} {name}")
    });
    writeln!(out, "'{}' is valid: {}", config.path.display(), counted.join(", "))?;
    Ok(Status::SUCCESS)
}
