//! Trap and shunt policies.

use std::io::{self, Write};

use vici::Section;

use super::text::{joined, shown};

/// Writes the policies of an event. Where strongSwan 6.0.6 prints `reqid (null)`, of a shunt, nothing is printed.
pub(crate) fn write(out: &mut dyn Write, event: Section<'_>) -> io::Result<()> {
    for (name, policy) in event.sections() {
        write!(out, "{name}, ")?;
        if let Some(reqid) = policy.text("reqid") {
            write!(out, "reqid {reqid}, ")?;
        }
        writeln!(out, "{}", shown(policy, "mode"))?;
        if let Some(label) = policy.text("label") {
            writeln!(out, "  label:  {label}")?;
        }
        for (list, side) in [("local-ts", "local: "), ("remote-ts", "remote:")] {
            writeln!(out, "  {side} {}", joined(policy, list).unwrap_or_default())?;
        }
    }
    Ok(())
}
