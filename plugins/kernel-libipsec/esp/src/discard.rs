//! Why packets are dropped, and how often.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a packet goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Discard {
    /// Shorter than its own fields.
    Short,
    /// No SA has its SPI.
    UnknownSpi,
    /// Its sequence number was seen, or lies before the window.
    Replayed,
    /// Its ICV does not match.
    Forged,
    /// Its padding is not as RFC 4303 §2.4 has it.
    Padding,
    /// What is inside is no IP packet by its next header.
    NextHeader,
    /// A dummy packet (RFC 4303 §2.6): no fault.
    Dummy,
    /// The inner packet is malformed.
    Malformed,
    /// The SA's selectors do not allow the inner packet.
    Selectors,
    /// The SA has reached a hard limit or used up its numbers.
    Expired,
    /// Outbound: no policy matches.
    NoPolicy,
    /// Outbound: a policy says so.
    Policy,
    /// Outbound: the policy has no SA.
    NoSa,
}

impl Discard {
    /// Every reason.
    pub const ALL: [Self; 13] = [
        Self::Short,
        Self::UnknownSpi,
        Self::Replayed,
        Self::Forged,
        Self::Padding,
        Self::NextHeader,
        Self::Dummy,
        Self::Malformed,
        Self::Selectors,
        Self::Expired,
        Self::NoPolicy,
        Self::Policy,
        Self::NoSa,
    ];

    const fn index(self) -> usize {
        match self {
            Self::Short => 0,
            Self::UnknownSpi => 1,
            Self::Replayed => 2,
            Self::Forged => 3,
            Self::Padding => 4,
            Self::NextHeader => 5,
            Self::Dummy => 6,
            Self::Malformed => 7,
            Self::Selectors => 8,
            Self::Expired => 9,
            Self::NoPolicy => 10,
            Self::Policy => 11,
            Self::NoSa => 12,
        }
    }
}

impl fmt::Display for Discard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Short => "too short",
            Self::UnknownSpi => "unknown SPI",
            Self::Replayed => "replayed or too old",
            Self::Forged => "ICV does not match",
            Self::Padding => "invalid padding",
            Self::NextHeader => "next header is not IP",
            Self::Dummy => "dummy",
            Self::Malformed => "malformed inner packet",
            Self::Selectors => "inner packet outside the selectors",
            Self::Expired => "SA has expired",
            Self::NoPolicy => "no policy matches",
            Self::Policy => "a policy discards it",
            Self::NoSa => "policy without SA",
        })
    }
}

/// How many packets were dropped for each reason.
#[derive(Debug, Default)]
pub struct DiscardCounters([AtomicU64; Discard::ALL.len()]);

impl DiscardCounters {
    pub(crate) fn count(&self, reason: Discard, packets: u64) {
        if let Some(counter) = self.0.get(reason.index()) {
            counter.fetch_add(packets, Ordering::Relaxed);
        }
    }

    /// Packets dropped for that reason.
    #[must_use]
    pub fn get(&self, reason: Discard) -> u64 {
        self.0.get(reason.index()).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_counter_of_its_own() {
        let counters = DiscardCounters::default();
        for (times, reason) in (1..).zip(Discard::ALL) {
            counters.count(reason, times);
        }
        assert!((1..).zip(Discard::ALL).all(|(times, reason)| counters.get(reason) == times));
    }
}
