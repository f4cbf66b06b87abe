//! `--list-sas --watch`: the SAs as a table, drawn every second until interrupted.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use terminal_size::{Height, Width, terminal_size};
use vici::Message;

use crate::failure::{Failure, Outcome};
use crate::render::raw::Format;
use crate::render::table::{Extent, Table};
use crate::session::Session;

/// Between two drawings.
const INTERVAL: Duration = Duration::from_secs(1);
/// To the top left, and clear what is below.
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

/// Draws until the output is closed or the process is ended. SAs that are busy are left out rather than waited for.
pub(super) fn watch(session: &mut Session<'_>, request: &Message) -> Outcome {
    if session.format != Format::Human {
        return Err(Failure::Misuse("--watch draws a table: it goes with no other form of output".into()));
    }
    let mut table = Table::default();
    let mut drawn = Instant::now();
    loop {
        let since = drawn.elapsed();
        drawn = Instant::now();
        let failed = |error| Failure::request("list-sas", &error);
        let mut events = session.client.stream("list-sas", "list-sa", request).map_err(failed)?;
        while let Some(event) = events.next_event().map_err(failed)? {
            table.add(event.root(), since);
        }
        let extent = if io::stdout().is_terminal() { terminal_size() } else { None };
        table = show(session.out, table, extent)?;
        std::thread::sleep(INTERVAL.saturating_sub(drawn.elapsed()));
    }
}

/// On a terminal the table takes the place of the last one; elsewhere it follows whole after an empty line.
fn show(out: &mut dyn Write, table: Table, terminal: Option<(Width, Height)>) -> io::Result<Table> {
    let (lines, table) = match terminal {
        Some((Width(columns), Height(rows))) => {
            let extent = Extent { columns: columns.into(), rows: usize::from(rows).saturating_sub(1) };
            let (lines, table) = table.draw(extent);
            write!(out, "{HOME}")?;
            lines.iter().try_for_each(|line| writeln!(out, "{line}{CLEAR_LINE}"))?;
            write!(out, "{CLEAR_BELOW}")?;
            (Vec::new(), table)
        }
        None => {
            let (mut lines, table) = table.draw(Extent { columns: usize::MAX, rows: usize::MAX });
            lines.push(String::new());
            (lines, table)
        }
    };
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    out.flush()?;
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_drawn_over_and_a_file_is_appended_to() {
        let drawn = |terminal| {
            let mut out = Vec::new();
            show(&mut out, Table::default(), terminal).expect("memory is writable");
            String::from_utf8(out).expect("the output is text")
        };
        let text = drawn(Some((Width(31), Height(10))));
        assert!(text.starts_with("\x1b[H0 IKE_SAs, 0 CHILD_SAs, 0/s in,\x1b[K\n"), "{text:?}");
        assert!(text.ends_with("\x1b[K\n\x1b[J"), "{text:?}");
        let text = drawn(None);
        assert!(
            text.starts_with("0 IKE_SAs, ") && text.ends_with("OUT/s\n\n") && !text.contains('\x1b'),
            "{text:?}"
        );
    }
}
