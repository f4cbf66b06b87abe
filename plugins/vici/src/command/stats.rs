//! `stats`: how the daemon is doing.

use std::time::{Duration, SystemTime};

use vici::Message;

use crate::clock;
use crate::server::Server;

pub(super) fn run(server: &Server) -> Message {
    let mut message = Message::new();
    message.nest("uptime", |section| {
        section.push("running", relative(server.start.mono.elapsed()));
        section.push("since", clock::local(server.start.wall).unwrap_or_else(|| seconds(server.start.wall)));
    });
    let metrics = tokio::runtime::Handle::current().metrics();
    // The runtime does not tell which of its workers sleep; whoever answers this is at work.
    let workers = metrics.num_workers();
    message.nest("workers", |section| {
        section.push("total", workers.to_string());
        section.push("idle", workers.saturating_sub(1).to_string());
        section.nest("active", |section| {
            for (priority, active) in [("critical", "0"), ("high", "0"), ("medium", "1"), ("low", "0")] {
                section.push(priority, active);
            }
        });
    });
    message.nest("queues", |section| {
        let queued = metrics.global_queue_depth().to_string();
        for (priority, depth) in [("critical", "0"), ("high", "0"), ("medium", &queued), ("low", "0")] {
            section.push(priority, depth);
        }
    });
    message.push("scheduled", "0");
    let sas = server.control.engine.counts();
    message.nest("ikesas", |section| {
        section.push("total", sas.total.to_string());
        section.push("half-open", sas.half_open.to_string());
    });
    let plugins = server.plugins.iter().filter(|name| **name != DAEMON);
    message.push_list("plugins", std::iter::once(&DAEMON).chain(plugins));
    #[cfg(target_env = "gnu")]
    message.nest("mallinfo", |section| {
        let heap = crate::sys::heap_usage();
        for (key, bytes) in
            [("sbrk", heap.sbrk), ("mmap", heap.mmap), ("used", heap.used), ("free", heap.free)]
        {
            section.push(key, bytes.to_string());
        }
    });
    message
}

/// The daemon's own part stands first among the plugins.
const DAEMON: &str = "charond";

/// A duration in its largest unit of which there are more than two.
fn relative(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (count, unit) = match seconds {
        0..=120 => (seconds, "second"),
        121..=7200 => (seconds / 60, "minute"),
        7201..=172_800 => (seconds / 3600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

/// Seconds since 1970, where the calendar fails.
fn seconds(time: SystemTime) -> String {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptime_is_told_in_the_largest_unit_that_counts_beyond_two() {
        for (seconds, text) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (120, "120 seconds"),
            (121, "2 minutes"),
            (7200, "120 minutes"),
            (7201, "2 hours"),
            (172_801, "2 days"),
        ] {
            assert_eq!(relative(Duration::from_secs(seconds)), text);
        }
    }
}
