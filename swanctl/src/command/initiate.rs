//! `--initiate`: sets up a CHILD SA, or an IKE SA without one.

use vici::Message;

use super::{Command, Run};
use crate::args::{Options, PRETTY, RAW, value};
use crate::failure::Outcome;
use crate::render::text::shown;
use crate::session::{Labels, Session};

pub(super) const COMMAND: Command = Command {
    name: "initiate",
    short: 'i',
    summary: "initiate a connection",
    usage: &["[--child <name>] [--ike <name>] [--timeout <s>] [--raw|--pretty]"],
    options: &[
        value("child", 'c', "initiate a CHILD_SA configuration"),
        value("ike", 'i', "initiate an IKE_SA, or name of child's parent"),
        value("timeout", 't', "timeout in seconds before detaching"),
        RAW,
        PRETTY,
        value("loglevel", 'l', "verbosity of redirected log"),
    ],
    run: Run::Connected(run),
};

fn run(session: &mut Session<'_>, options: &Options) -> Outcome {
    let mut request = Message::new();
    add_names(&mut request, options, ["child", "ike"]);
    add_control(&mut request, options)?;
    controlled(session, "initiate", &request)
}

/// Adds the options that name something.
pub(super) fn add_names<const N: usize>(request: &mut Message, options: &Options, names: [&str; N]) {
    for name in names {
        if let Some(value) = options.value(name) {
            request.push(name, value);
        }
    }
}

/// Adds the options that select something by a number.
pub(super) fn add_ids<const N: usize>(
    request: &mut Message,
    options: &Options,
    names: [&str; N],
) -> Result<(), String> {
    for name in names {
        if let Some(id) = options.id(name)? {
            request.push(name, id.to_string());
        }
    }
    Ok(())
}

/// Adds how long to wait, in milliseconds on the wire, and how much to tell meanwhile.
pub(super) fn add_control(request: &mut Message, options: &Options) -> Result<(), String> {
    if let Some(seconds) = options.number("timeout")?.filter(|seconds| *seconds != 0) {
        request.push("timeout", (i64::from(seconds) * 1000).to_string());
    }
    request.push("loglevel", options.number("loglevel")?.unwrap_or(1).to_string());
    Ok(())
}

/// Runs a command that tells its progress in control-log events.
pub(super) fn controlled(session: &mut Session<'_>, command: &str, request: &Message) -> Outcome {
    let reply_label = format!("{command} reply");
    let labels = Labels { event: "log", reply: &reply_label };
    let reply = session.stream(command, "control-log", labels, request, |out, event| {
        writeln!(out, "[{}] {}", shown(event, "group"), shown(event, "msg"))
    })?;
    session.conclude(command, reply)
}
