//! Retransmission of our requests (RFC 7296 §2.1, §2.4) by strongSwan's formula.

use std::time::Duration;

use charon_types::id::MessageId;

use crate::env::Retransmission;
use crate::wire::ExchangeType;

/// Longest single wait, whatever the settings say: a base of 10 reaches a year within nine rounds.
const WAIT_MAX: Duration = Duration::from_secs(24 * 3600);

/// Greatest jitter, percent.
const JITTER_PERCENT_MAX: u8 = 20;

/// A request of ours that has not been answered yet.
#[derive(Clone, Debug)]
pub(crate) struct Outstanding {
    /// Its message id.
    pub(crate) id: MessageId,
    /// Its exchange type.
    pub(crate) exchange: ExchangeType,
    /// Message or fragments as sent; sent again unchanged.
    pub(crate) datagrams: Vec<Vec<u8>>,
    /// How often it was sent again.
    pub(crate) resent: u32,
}

/// The wait after the request was resent `resent` times; `random` decides about jitter.
pub(crate) fn wait(settings: &Retransmission, resent: u32, random: u32) -> Duration {
    let exponent = i32::try_from(resent).unwrap_or(i32::MAX);
    let seconds = settings.timeout.as_secs_f64() * settings.base.powi(exponent);
    let cap = if settings.limit.is_zero() { WAIT_MAX } else { settings.limit.min(WAIT_MAX) };
    let wait = Duration::try_from_secs_f64(seconds).unwrap_or(cap).min(cap);
    let percent = settings.jitter_percent.min(JITTER_PERCENT_MAX);
    let share = f64::from(percent) / 100.0 * f64::from(random) / f64::from(u32::MAX);
    wait - wait.mul_f64(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenths(wait: Duration) -> u128 {
        (wait.as_millis() + 50) / 100
    }

    #[test]
    fn default_waits_are_those_of_strongswan() {
        let settings = Retransmission::default();
        let waits: Vec<_> = (0..6).map(|resent| tenths(wait(&settings, resent, 0))).collect();
        assert_eq!(waits, [40, 72, 130, 233, 420, 756]);
    }

    #[test]
    fn the_limit_caps_every_wait() {
        let settings = Retransmission { limit: Duration::from_secs(10), ..Retransmission::default() };
        assert_eq!(wait(&settings, 5, 0), Duration::from_secs(10));
        assert_eq!(wait(&settings, u32::MAX, 0), Duration::from_secs(10));
    }

    #[test]
    fn jitter_takes_off_at_most_a_fifth() {
        let settings = Retransmission { jitter_percent: 90, ..Retransmission::default() };
        assert_eq!(wait(&settings, 0, 0), Duration::from_secs(4));
        assert_eq!(tenths(wait(&settings, 0, u32::MAX)), 32);
    }
}
