//! Commands that take their time: their log lines stream while their outcome is awaited.

use std::time::Duration;

use charon_core::control::{LogLevel, Patience, Running};

use crate::emit::{Emitter, Gone};
use crate::event::EventKind;
use crate::render;
use crate::request::Request;

/// `timeout` in milliseconds: none or 0 waits, a negative one does not.
pub(super) fn patience(request: &Request<'_>) -> Patience {
    match request.integer("timeout").unwrap_or(0) {
        0 => Patience::Forever,
        timeout => {
            u64::try_from(timeout).map_or(Patience::None, |ms| Patience::Limit(Duration::from_millis(ms)))
        }
    }
}

/// `loglevel`, as far as anybody listens.
pub(super) fn level(request: &Request<'_>, emitter: &Emitter, patience: Patience) -> LogLevel {
    if patience == Patience::None || !emitter.wants(EventKind::ControlLog) {
        return LogLevel(LEVEL_SILENT);
    }
    let level = request.integer("loglevel").unwrap_or_else(|| LEVEL_DEFAULT.into());
    LogLevel(i8::try_from(level.clamp(LEVEL_SILENT.into(), LEVEL_MAX.into())).unwrap_or(LEVEL_DEFAULT))
}

/// Sends the lines of a command under way and returns its outcome. All lines that were written before the end are sent
/// before it is told.
pub(super) async fn follow<T>(mut running: Running<T>, emitter: &Emitter) -> Result<T, Gone> {
    let outcome = loop {
        tokio::select! {
            biased;
            Some(line) = running.lines.recv() => {
                emitter.send(EventKind::ControlLog, &render::log::control_line(&line)).await?;
            }
            outcome = &mut running.outcome => break outcome,
        }
    };
    while let Ok(line) = running.lines.try_recv() {
        emitter.send(EventKind::ControlLog, &render::log::control_line(&line)).await?;
    }
    Ok(outcome)
}

const LEVEL_SILENT: i8 = -1;
const LEVEL_DEFAULT: i8 = 1;
const LEVEL_MAX: i8 = 4;
