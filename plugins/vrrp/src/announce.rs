//! Announcements of addresses, spread: one at once, the others with growing gaps. Switches drop bursts, and the first may come before
//! the kernel has the addresses.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, Instant};

const FIRST_GAP: Duration = Duration::from_millis(30);
const GAP_MAX: Duration = Duration::from_secs(1);

/// What is still to be announced.
#[derive(Debug, Default)]
pub(crate) struct Announcements(VecDeque<Round>);

#[derive(Debug)]
struct Round {
    at: Instant,
    gap: Duration,
    left: u8,
    addresses: Vec<IpAddr>,
}

impl Announcements {
    /// Announces addresses that often from now on.
    pub(crate) fn add(&mut self, addresses: Vec<IpAddr>, repeat: u8, now: Instant) {
        if repeat > 0 {
            self.0.push_back(Round { at: now, gap: FIRST_GAP, left: repeat, addresses });
        }
    }

    /// Announces nothing more.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// When there is something to announce.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.iter().map(|round| round.at).min()
    }

    /// Addresses to announce now.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<IpAddr> {
        let mut due = Vec::new();
        for round in self.0.iter_mut().filter(|round| round.at <= now) {
            due.extend_from_slice(&round.addresses);
            round.left -= 1;
            round.at = now + round.gap;
            round.gap = (round.gap * 3).min(GAP_MAX);
        }
        self.0.retain(|round| round.left > 0);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_grow_and_the_count_is_kept() {
        let begin = Instant::now();
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let mut announcements = Announcements::default();
        announcements.add(vec![address], 5, begin);
        announcements.add(vec![address], 0, begin);
        let mut at = Vec::new();
        while let Some(next) = announcements.next() {
            assert_eq!(announcements.due(next), [address]);
            at.push(next.duration_since(begin).as_millis());
        }
        assert_eq!(at, [0, 30, 120, 390, 1200]);
    }
}
