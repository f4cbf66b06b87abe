//! `--log`: what the daemon logs, until interrupted or until the daemon goes away.

use std::io::{self, Write};

use vici::Section;

use super::follow::Followed;
use super::{Command, Run};
use crate::args::{JSON, PRETTY, RAW};
use crate::render::text::shown;

pub(super) const COMMAND: Command = Command {
    name: "log",
    short: 'T',
    summary: "trace logging output",
    usage: &["[--raw|--pretty]"],
    options: &[RAW, PRETTY, JSON],
    run: Run::Follow(Followed { command: "log", events: &[("log", "log")], show: lines }),
};

fn lines(out: &mut dyn Write, event: Section<'_>) -> io::Result<()> {
    for text in shown(event, "msg").lines() {
        writeln!(out, "{:0>2}[{}] {text}", shown(event, "thread"), shown(event, "group"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use vici::Message;

    #[test]
    fn each_line_of_a_message_carries_thread_and_group() {
        let event = Message::new().with("group", "IKE").with("thread", "7").with("msg", "one\ntwo");
        let mut out = Vec::new();
        lines(&mut out, event.root()).expect("memory is writable");
        assert_eq!(String::from_utf8_lossy(&out), "07[IKE] one\n07[IKE] two\n");
    }
}
