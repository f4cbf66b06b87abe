//! Usage texts.

use std::fmt::Write;

use crate::args::{COMMON, HELP, Opt};
use crate::command::{self, Command};

/// How a command is used; without one, which commands there are.
pub(crate) fn usage(command: Option<&Command>) -> String {
    let mut text = format!("strongSwan {} swanctl", env!("CARGO_PKG_VERSION"));
    match command {
        Some(command) => of_command(&mut text, command),
        None => overview(&mut text),
    }
    text
}

fn overview(text: &mut String) {
    text.push_str("\nusage:\n  swanctl --<command> [options]\ncommands:\n");
    for command in command::ALL {
        line(text, command.name, command.short, command.summary);
    }
    text.push_str("options:\n");
    COMMON.iter().for_each(|option| option_line(text, option));
}

fn of_command(text: &mut String, command: &Command) {
    let Command { name, short, summary, .. } = command;
    let _ = write!(text, " (--{name}/-{short})\n{summary}\nusage:\n  swanctl --{name}");
    for (at, line) in command.usage.iter().enumerate() {
        text.push_str(if at == 0 { " " } else { "\n                 " });
        text.push_str(line);
    }
    text.push_str("\noptions:\n");
    std::iter::once(&HELP).chain(command.options).chain(&COMMON).for_each(|option| option_line(text, option));
}

fn option_line(text: &mut String, option: &Opt) {
    line(text, option.name, option.short, option.help);
}

fn line(text: &mut String, name: &str, short: char, explanation: &str) {
    let _ = writeln!(text, "  --{name:<16} (-{short})  {explanation}");
}

#[cfg(test)]
mod tests;
