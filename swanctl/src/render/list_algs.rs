//! Algorithms, by kind, each with the plugin that computes it.

use std::io::{self, Write};

use vici::{Section, Value};

/// Writes the reply of `get-algorithms`.
pub(crate) fn write(out: &mut dyn Write, reply: Section<'_>) -> io::Result<()> {
    for (kind, algorithms) in reply.sections() {
        writeln!(out, "{kind}:")?;
        for (name, plugin) in algorithms {
            if let Value::Data(plugin) = plugin {
                writeln!(out, "  {name}[{}]", String::from_utf8_lossy(plugin))?;
            }
        }
    }
    Ok(())
}
