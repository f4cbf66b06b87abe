//! The swanctl command: configures and controls an IKE daemon over VICI.
#![forbid(unsafe_code)]

mod args;
mod certificate;
mod check;
mod command;
mod completions;
mod config;
mod convert;
mod credentials;
mod failure;
#[cfg(test)]
mod manual;
mod progress;
mod render;
mod session;
mod stage;
mod usage;

use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::ExitCode;

use vici::ClientError;
use vici::blocking::Client;

use crate::args::{Misuse, Options};
use crate::command::{Command, Run};
use crate::failure::{Failure, Outcome, Status, errno, words};
use crate::progress::Audience;
use crate::session::Session;

/// What may be held back of the output: more than comes between two drawings of a load's progress.
const OUTPUT_BYTES: usize = 256 * 1024;

fn main() -> ExitCode {
    let mut out = BufWriter::with_capacity(OUTPUT_BYTES, io::stdout().lock());
    let mut err = io::stderr().lock();
    let outcome = invoke(&mut out, &mut err);
    let flushed = out.flush().map_err(Failure::Output);
    let status = match outcome.and_then(|status| flushed.map(|()| status)) {
        Ok(status) => status,
        Err(Failure::Told { message, status }) => {
            let _ = writeln!(err, "{message}");
            status
        }
        // Whoever read the output has seen enough.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Status::SUCCESS,
        Err(Failure::Output(error)) => {
            let _ = writeln!(err, "writing the output failed: {}", words(&error));
            errno(&error)
        }
        Err(Failure::Misuse(what)) => {
            let _ = writeln!(err, "error: {what}");
            Status::FAILED
        }
    };
    ExitCode::from(status.0)
}

fn invoke(out: &mut dyn Write, err: &mut dyn Write) -> Outcome {
    let invocation = match args::parse(std::env::args_os().skip(1).collect()) {
        Ok(invocation) => invocation,
        Err(Misuse { command, detail, what }) => {
            if let Some(detail) = detail {
                writeln!(err, "{detail}")?;
            }
            write!(err, "{}", usage::usage(command))?;
            return Err(Failure::Misuse(what));
        }
    };
    let Some(command) = invocation.command else {
        write!(out, "{}", usage::usage(None))?;
        return Ok(Status::SUCCESS);
    };
    let outcome = run(command, &invocation.options, out, err);
    if let Err(Failure::Misuse(_)) = outcome {
        out.flush()?;
        write!(err, "{}", usage::usage(Some(command)))?;
    }
    outcome
}

fn run(command: &Command, options: &Options, out: &mut dyn Write, err: &mut dyn Write) -> Outcome {
    if matches!(command.run, Run::Help) || options.has("help") {
        let shown = if matches!(command.run, Run::Help) { None } else { Some(command) };
        write!(out, "{}", usage::usage(shown))?;
        return Ok(Status::SUCCESS);
    }
    if matches!(command.run, Run::Version) && !options.has("daemon") {
        writeln!(out, "strongSwan swanctl {}", env!("CARGO_PKG_VERSION"))?;
        return Ok(Status::SUCCESS);
    }
    if let Run::Alone(run) = command.run {
        return run(options, out, err);
    }
    let debug_level = options.number("debug")?.unwrap_or(1);
    let uri = config::uri(options.value("uri"), err)?;
    let client = match Client::connect(&uri) {
        Ok(client) => client,
        Err(error) => return unreachable_daemon(command, &error, err),
    };
    let audience = if io::stderr().is_terminal() { Audience::Terminal } else { Audience::Nobody };
    let mut session = Session { client, format: options.format(), debug_level, audience, out, err };
    match command.run {
        Run::Connected(run) => run(&mut session, options),
        Run::Version => command::daemon_version(&mut session),
        Run::Follow(ref followed) => {
            let Session { client, format, out, err, .. } = session;
            drop(client);
            command::follow(followed, &uri, format, out, err)
        }
        Run::Help | Run::Alone(_) => Ok(Status::SUCCESS),
    }
}

/// No daemon at that address: told before and after the usage, with the system's error number as status.
fn unreachable_daemon(command: &Command, error: &ClientError, err: &mut dyn Write) -> Outcome {
    let ClientError::Connect { uri, source } = error else {
        return Err(Failure::request(command.name, error));
    };
    let words = words(source);
    writeln!(err, "connecting to '{uri}' failed: {words}")?;
    write!(err, "{}", usage::usage(Some(command)))?;
    Err(Failure::Told {
        message: format!("error: connecting to '{uri}' URI failed: {words}"),
        status: errno(source),
    })
}
