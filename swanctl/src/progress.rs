//! How far a long load has come, on a terminal only.

use std::io::{self, Write};
use std::time::{Duration, Instant};

/// Fewer items are loaded before anybody looks.
const ITEMS_MIN: usize = 100;
/// Between two drawings.
const INTERVAL: Duration = Duration::from_millis(100);
/// To the start of the line, and clear it.
const ERASE: &str = "\r\x1b[K";

/// Whether standard error is watched by somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    Terminal,
    Nobody,
}

/// The progress of loading many things of a kind.
pub(crate) struct Progress {
    what: &'static str,
    total: usize,
    /// When it was last drawn; `None` if it never will be.
    drawn: Option<Instant>,
    /// Whether the line is on the screen.
    visible: bool,
}

impl Progress {
    /// Of so many things of that name in the plural.
    pub(crate) fn new(audience: Audience, what: &'static str, total: usize) -> Self {
        let shows = audience == Audience::Terminal && total >= ITEMS_MIN;
        Self { what, total, drawn: shows.then(Instant::now), visible: false }
    }

    /// Draws that so many are done, if it is time. What was said on standard output comes out before.
    pub(crate) fn step(&mut self, done: usize, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<()> {
        if self.drawn.is_some_and(|drawn| drawn.elapsed() >= INTERVAL) {
            self.erase(err)?;
            out.flush()?;
            write!(err, "loading {}: {done} of {}", self.what, self.total)?;
            err.flush()?;
            self.visible = true;
            self.drawn = Some(Instant::now());
        }
        Ok(())
    }

    /// Makes room for another line.
    pub(crate) fn erase(&mut self, err: &mut dyn Write) -> io::Result<()> {
        if std::mem::take(&mut self.visible) {
            write!(err, "{ERASE}")?;
            err.flush()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(audience: Audience, total: usize) -> String {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut progress = Progress::new(audience, "connections", total);
        if let Some(drawn) = &mut progress.drawn {
            *drawn -= INTERVAL;
        }
        progress.step(7, &mut out, &mut err).expect("memory is writable");
        progress.step(8, &mut out, &mut err).expect("memory is writable");
        progress.erase(&mut err).expect("memory is writable");
        assert!(out.is_empty());
        String::from_utf8(err).expect("the output is text")
    }

    #[test]
    fn only_a_long_load_on_a_terminal_shows_its_progress_and_leaves_no_trace() {
        assert_eq!(drawn(Audience::Terminal, 1000), "loading connections: 7 of 1000\r\x1b[K");
        assert_eq!(drawn(Audience::Terminal, 99), "");
        assert_eq!(drawn(Audience::Nobody, 1000), "");
    }
}
