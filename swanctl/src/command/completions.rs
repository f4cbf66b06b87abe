//! `--completions`: a script that teaches a shell these commands and options.

use std::io::Write;

use super::{Command, Run};
use crate::args::Options;
use crate::completions::Shell;
use crate::failure::{Failure, Outcome, Status};

pub(super) const COMMAND: Command = Command {
    name: "completions",
    short: 'e',
    summary: "print a completion script for a shell",
    usage: &["bash|zsh|fish"],
    options: &[],
    run: Run::Alone(run),
};

fn run(options: &Options, out: &mut dyn Write, _: &mut dyn Write) -> Outcome {
    let shell = options.word().and_then(Shell::named);
    let shell = shell.ok_or_else(|| Failure::Misuse("the shell must be bash, zsh or fish".into()))?;
    out.write_all(shell.script().as_bytes())?;
    Ok(Status::SUCCESS)
}
