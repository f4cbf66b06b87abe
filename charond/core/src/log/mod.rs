//! The log: `tracing` events under strongSwan's groups and levels, to sinks, to the `log` event, and to whoever controls an SA.
//!
//! The target of an event is a [`LogGroup`]'s name; `ERROR` is level 0, `WARN` and `INFO` 1, `DEBUG` 2, `TRACE` 3. Lines within a
//! span [`IKE_SA_SPAN`] carry its IKE_SA. Text is formatted only if somebody takes it.

mod hub;
mod layer;
mod levels;
mod line;
mod sink;
mod syslog;
mod tap;

use charon_types::event::LogGroup;

pub use hub::{LogHub, LogSubscription};
pub use layer::{IKE_SA_SPAN, LogLayer, ike_sa_span};
pub use levels::Levels;
pub use line::Zone;
pub use sink::{LogFile, Sink, logger_faults, sinks_from_settings};
pub use tap::LogTap;

/// strongSwan's number of a tracing level.
pub(crate) const fn level_number(level: tracing::Level) -> i8 {
    match level {
        tracing::Level::ERROR => 0,
        tracing::Level::WARN | tracing::Level::INFO => 1,
        tracing::Level::DEBUG => 2,
        tracing::Level::TRACE => 3,
    }
}

/// The group of a target; what libraries log is `LIB`.
pub(crate) fn group_of(target: &str) -> LogGroup {
    if target.len() == 3 { LogGroup::from_name(target).unwrap_or(LogGroup::Lib) } else { LogGroup::Lib }
}
