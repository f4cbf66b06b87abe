//! What is done to the routers and their link.

use std::time::Duration;

use vrrp_proto::InterfaceState;
use vrrp_proto::tracking::Tracked;

use super::fleet::{Fleet, Life};
use super::scenario::Scenario;
use crate::chance::Chance;

/// Troubles between two times of quiet.
const TROUBLES: u64 = 12;

pub(crate) struct Troubles {
    /// When the next one strikes.
    pub(crate) next: Duration,
    left: u64,
    phase: Phase,
    chance: Chance,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Trouble,
    /// All is well; the routers have until the next stroke to agree.
    Settling,
    /// They must agree, until the next stroke.
    Quiet,
}

impl Troubles {
    pub(crate) const fn new(chance: Chance) -> Self {
        Self { next: Duration::ZERO, left: TROUBLES, phase: Phase::Trouble, chance }
    }

    pub(crate) fn strike(&mut self, fleet: &mut Fleet, scenario: &Scenario) -> Result<(), String> {
        fleet.clock = self.next;
        fleet.tally.steps += 1;
        match self.phase {
            Phase::Trouble if self.left == 0 => {
                heal(fleet);
                self.phase = Phase::Settling;
                self.next += scenario.settles_within();
            }
            Phase::Trouble => {
                self.left -= 1;
                let longest = scenario.settles_within() / 3;
                self.next += Duration::from_millis(1) + self.chance.duration(longest);
                self.hurt(fleet, longest);
            }
            Phase::Settling => {
                self.phase = Phase::Quiet;
                fleet.promise.be_quiet(&fleet.nodes)?;
                self.next += scenario.settles_within() / 2;
            }
            Phase::Quiet => {
                fleet.promise.be_troubled();
                self.phase = Phase::Trouble;
                self.left = 1 + self.chance.below(TROUBLES);
            }
        }
        fleet.check()
    }

    fn hurt(&mut self, fleet: &mut Fleet, longest: Duration) {
        let count = fleet.nodes.len();
        let index = usize::try_from(self.chance.below(u64::try_from(count).unwrap_or(1))).unwrap_or(0);
        let now = fleet.now();
        match self.chance.below(10) {
            0 | 1 => {
                let bits = self.chance.word();
                fleet.parts = (0..count).map(|node| u8::from(bits >> node & 1 == 1)).collect();
                fleet.say(format!("parts {:?}", fleet.parts));
                fleet.promise.all_disturbed(fleet.clock);
            }
            2 => {
                fleet.parts = vec![0; count];
                fleet.say("one part".to_owned());
            }
            3 => {
                fleet.loss = self.chance.below(60);
                fleet.repeat = self.chance.below(30);
                fleet.say(format!("{} % are lost, {} % repeated", fleet.loss, fleet.repeat));
            }
            4 | 5 if fleet.nodes[index].life == Life::Running => {
                let until = fleet.clock + self.chance.duration(longest);
                fleet.nodes[index].life = Life::Paused(until);
                fleet.say(format!("{index} stands still"));
            }
            6 if fleet.nodes[index].life == Life::Running => {
                fleet.say(format!("{index} is killed"));
                fleet.kill(index);
            }
            7 if fleet.nodes[index].life == Life::Dead => {
                fleet.say(format!("{index} is started again"));
                fleet.revive(index);
            }
            7 if fleet.nodes[index].life == Life::Running => {
                fleet.say(format!("{index} is stopped and started"));
                fleet.nodes[index].router.stop(now);
                fleet.drain(index);
                fleet.nodes[index].router.start(now);
                fleet.drain(index);
            }
            8 if fleet.nodes[index].life == Life::Running => {
                fleet.say(format!("{index} has no link"));
                fleet.interface(index, InterfaceState::Down);
            }
            9 if fleet.nodes[index].life == Life::Running => {
                let by = i32::try_from(self.chance.below(120)).unwrap_or(0) - 60;
                fleet.say(format!("{index} has its priority changed by {by}"));
                fleet.nodes[index].router.set_tracked(Tracked::Adjust(by), now);
                fleet.drain(index);
                fleet.promise.all_disturbed(fleet.clock);
            }
            _ => {}
        }
    }
}

/// Ends every trouble.
fn heal(fleet: &mut Fleet) {
    fleet.say("all is well".to_owned());
    fleet.loss = 0;
    fleet.repeat = 0;
    fleet.parts = vec![0; fleet.nodes.len()];
    for index in 0..fleet.nodes.len() {
        match fleet.nodes[index].life {
            Life::Dead => fleet.revive(index),
            Life::Paused(_) => fleet.nodes[index].life = Life::Paused(fleet.clock),
            Life::Running => {
                fleet.interface(index, InterfaceState::Up { primary: Some(fleet.primaries[index]) });
            }
        }
    }
    fleet.promise.all_disturbed(fleet.clock);
}
