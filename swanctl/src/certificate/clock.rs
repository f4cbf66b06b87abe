//! Points in time and spans between them, as people read them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The time by which certificates are judged, and the zone in which times are shown.
pub(crate) struct Clock {
    pub(crate) now: Timestamp,
    pub(crate) zone: Zone,
}

/// The zone of shown times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zone {
    Local,
    Utc,
}

impl Clock {
    /// Seconds from now until then; negative if it is past.
    pub(crate) fn until(&self, then: Timestamp) -> i64 {
        then.as_second().saturating_sub(self.now.as_second())
    }

    /// A point in time, to the second.
    pub(crate) fn show(&self, time: Timestamp) -> String {
        let (zone, format) = match self.zone {
            Zone::Local => (TimeZone::system(), "%b %d %H:%M:%S %Y"),
            Zone::Utc => (TimeZone::UTC, "%b %d %H:%M:%S UTC %Y"),
        };
        time.to_zoned(zone).strftime(format).to_string()
    }
}

/// The seconds since 1970, for a time of a certificate.
pub(crate) fn timestamp(time: x509_cert::time::Time) -> Timestamp {
    i64::try_from(time.to_unix_duration().as_secs())
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .unwrap_or(Timestamp::MAX)
}

/// A span in the largest unit of which it holds more than two.
pub(crate) fn span(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..=120 => (seconds, "second"),
        121..=7_200 => (seconds / 60, "minute"),
        7_201..=172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_change_unit_above_two() {
        let cases = [
            (0, "0 seconds"),
            (1, "1 second"),
            (120, "120 seconds"),
            (121, "2 minutes"),
            (7_200, "120 minutes"),
            (7_201, "2 hours"),
            (172_800, "48 hours"),
            (172_801, "2 days"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(span(seconds), expected);
        }
    }
}
