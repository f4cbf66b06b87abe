//! Counters, by connection.

use std::io::{self, Write};

use vici::{Section, Value};

/// Writes the reply of `get-counters`. Counters that belong to no connection are those of the whole daemon.
pub(crate) fn write(out: &mut dyn Write, reply: Section<'_>) -> io::Result<()> {
    let Some(counters) = reply.section("counters") else { return Ok(()) };
    for (name, counters) in counters.sections() {
        writeln!(out, "{}:", if name == "" { "global" } else { name.as_str() })?;
        for (counter, value) in counters {
            if let Value::Data(value) = value {
                writeln!(out, "  {counter:<22}: {}", String::from_utf8_lossy(value))?;
            }
        }
    }
    Ok(())
}
