//! `--monitor-sa`: IKE SAs and CHILD SAs as they come and go.

use std::io::{self, Write};

use vici::Section;

use super::follow::Followed;
use super::{Command, Run};
use crate::args::{JSON, PRETTY, RAW};
use crate::render::list_sas;

pub(super) const COMMAND: Command = Command {
    name: "monitor-sa",
    short: 'm',
    summary: "monitor for IKE_SA and CHILD_SA changes",
    usage: &["[--raw|--pretty]"],
    options: &[RAW, PRETTY, JSON],
    run: Run::Follow(Followed {
        command: "monitor-sa",
        events: &[("ike-updown", "ike-updown event"), ("child-updown", "child-updown event")],
        show: changed,
    }),
};

/// An IKE SA is shown with the CHILD SA that changed; its own changes come without one and show in raw output only.
fn changed(out: &mut dyn Write, event: Section<'_>) -> io::Result<()> {
    if event.sections().any(|(_, sa)| sa.section("child-sas").is_some()) {
        return list_sas::write(out, event);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use vici::Message;

    #[test]
    fn only_changes_of_child_sas_show_for_humans() {
        let shown = |event: &Message| {
            let mut out = Vec::new();
            changed(&mut out, event.root()).expect("memory is writable");
            String::from_utf8(out).expect("the output is text")
        };
        let ike = Message::new().with("uniqueid", "1").with("state", "ESTABLISHED");
        assert_eq!(shown(&Message::new().with("up", "yes").with_section("gw", &ike)), "");
        let child = Message::new().with_section("net-2", &Message::new().with("name", "net"));
        let ike = ike.with_section("child-sas", &child);
        let text = shown(&Message::new().with("up", "yes").with_section("gw", &ike));
        assert!(text.starts_with("gw: #1, ESTABLISHED") && text.contains("\n  net: #"), "{text}");
    }
}
