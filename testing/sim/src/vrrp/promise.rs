//! What must hold.
//!
//! Two routers that hear each other are not Active together for longer than it takes the better one to say so: its interval,
//! and the time that a packet is on its way (RFC 9568 §6.4.3). The time counts from the last trouble between the two: a
//! packet that was lost, a pause, a part of the network. And when all is quiet, exactly one is Active, and where all
//! preempt it is one of the highest priority.

use std::time::Duration;

use vrrp_proto::config::Preemption;

use super::Tally;
use super::fleet::{Life, Node};
use super::scenario::Scenario;

pub(crate) struct Promise {
    /// Since when two are Active with nothing wrong between them; by pairs, the lower first.
    overlaps: Vec<Option<Duration>>,
    count: usize,
    intervals: Vec<Duration>,
    delay: Duration,
    all_preempt: bool,
    mood: Mood,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Troubled,
    /// The one that is Active.
    Quiet(usize),
}

impl Promise {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let count = scenario.routers.len();
        Self {
            overlaps: vec![None; count * count],
            count,
            intervals: scenario.routers.iter().map(|config| config.advert_interval.duration()).collect(),
            delay: scenario.delay,
            all_preempt: scenario.routers.iter().all(|config| config.preemption != Preemption::Never),
            mood: Mood::Troubled,
        }
    }

    /// Something went wrong between two.
    pub(crate) fn disturbed(&mut self, one: usize, other: usize, clock: Duration) {
        let pair = self.pair(one.min(other), one.max(other));
        if let Some(since) = &mut self.overlaps[pair] {
            *since = clock;
        }
    }

    /// Something went wrong between all.
    pub(crate) fn all_disturbed(&mut self, clock: Duration) {
        self.overlaps.iter_mut().flatten().for_each(|since| *since = clock);
    }

    /// From now on one router is Active all the time.
    pub(crate) fn be_quiet(&mut self, nodes: &[Node]) -> Result<(), String> {
        let active = active(nodes);
        let [one] = active[..] else {
            return Err(format!("when all was quiet {active:?} were active"));
        };
        let best = nodes.iter().filter(|node| node.takes_part()).map(Node::priority).max();
        if self.all_preempt && best != Some(nodes[one].priority()) {
            return Err(format!(
                "{one} is active with priority {}, the best is {best:?}",
                nodes[one].priority()
            ));
        }
        self.mood = Mood::Quiet(one);
        Ok(())
    }

    /// The quiet ends.
    pub(crate) const fn be_troubled(&mut self) {
        self.mood = Mood::Troubled;
    }

    /// What must hold after every step.
    pub(crate) fn check(
        &mut self,
        clock: Duration,
        nodes: &[Node],
        parts: &[u8],
        tally: &mut Tally,
    ) -> Result<(), String> {
        if let Mood::Quiet(one) = self.mood {
            let active = active(nodes);
            if active != [one] {
                return Err(format!("{active:?} are active although nothing happened to {one}"));
            }
            tally.agreements += 1;
        }
        for one in 0..self.count {
            for other in one + 1..self.count {
                let pair = self.pair(one, other);
                let together = nodes[one].is_active() && nodes[other].is_active();
                let undisturbed = parts[one] == parts[other]
                    && [one, other].iter().all(|node| nodes[*node].life == Life::Running);
                if !together || !undisturbed {
                    self.overlaps[pair] = None;
                    continue;
                }
                let since = *self.overlaps[pair].get_or_insert(clock);
                let overlap = clock - since;
                tally.longest_overlap = tally.longest_overlap.max(overlap);
                let bound = self.intervals[one].max(self.intervals[other]) + self.delay;
                if overlap > bound {
                    return Err(format!(
                        "{one} and {other} are both active for {overlap:?}, the bound is {bound:?}"
                    ));
                }
            }
        }
        Ok(())
    }

    const fn pair(&self, one: usize, other: usize) -> usize {
        one * self.count + other
    }
}

fn active(nodes: &[Node]) -> Vec<usize> {
    nodes.iter().enumerate().filter(|(_, node)| node.is_active()).map(|(index, _)| index).collect()
}
