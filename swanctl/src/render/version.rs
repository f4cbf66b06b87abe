//! The version of the daemon.

use std::io::{self, Write};

use vici::Section;

use super::text::shown;

/// Writes the reply of `version`.
pub(crate) fn write(out: &mut dyn Write, reply: Section<'_>) -> io::Result<()> {
    let get = |key| shown(reply, key);
    writeln!(
        out,
        "strongSwan {} {} ({}, {}, {})",
        get("version"),
        get("daemon"),
        get("sysname"),
        get("release"),
        get("machine")
    )
}
