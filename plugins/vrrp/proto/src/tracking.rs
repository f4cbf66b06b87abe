//! What is tracked, and what that does to a router's priority.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Largest weight, either way.
pub const WEIGHT_MAX: i32 = 254;

/// What everything that is tracked amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tracked {
    /// Something without a weight failed: the router may not run.
    Fault,
    /// Added to the base priority.
    Adjust(i32),
}

impl Default for Tracked {
    fn default() -> Self {
        Self::Adjust(0)
    }
}

impl Tracked {
    pub(crate) const fn adjustment(self) -> i32 {
        match self {
            Self::Fault => 0,
            Self::Adjust(by) => by,
        }
    }

    pub(crate) const fn is_fault(self) -> bool {
        matches!(self, Self::Fault)
    }
}

/// How a tracked object counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrackRule {
    /// 0: its failure is a fault. Positive: added while it is well. Negative: added while it failed.
    pub weight: i32,
    /// Whether well and failed change places.
    pub sense: Sense,
}

/// What counts as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sense {
    /// As it is.
    Direct,
    /// The opposite (keepalived's `reverse`).
    Reverse,
}

/// How a tracked object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Up, running, exit status 0.
    Well,
    /// Anything else.
    Failed,
    /// A number of its own: a tracked file's, multiplied by the weight.
    Value(i32),
}

/// Tracked objects of one router by name.
#[derive(Clone, Debug, Default)]
pub struct TrackTable {
    objects: BTreeMap<Arc<str>, (TrackRule, Health)>,
}

impl TrackTable {
    /// Tracks an object, or changes its rule.
    pub fn track(&mut self, name: Arc<str>, rule: TrackRule, health: Health) {
        self.objects.insert(name, (rule, health));
    }

    /// Tracks an object no longer.
    pub fn untrack(&mut self, name: &str) {
        self.objects.remove(name);
    }

    /// Takes note of how an object is; one that is not tracked is ignored.
    pub fn set(&mut self, name: &str, health: Health) {
        if let Some((_, known)) = self.objects.get_mut(name) {
            *known = health;
        }
    }

    /// What it all amounts to.
    #[must_use]
    pub fn tracked(&self) -> Tracked {
        let mut sum = 0_i32;
        for (rule, health) in self.objects.values() {
            match rule.effect(*health) {
                Tracked::Fault => return Tracked::Fault,
                Tracked::Adjust(by) => sum = sum.saturating_add(by),
            }
        }
        Tracked::Adjust(sum)
    }

    /// Names of objects that failed, for people.
    pub fn failed(&self) -> impl Iterator<Item = &Arc<str>> {
        self.objects.iter().filter(|(_, (rule, health))| rule.is_failed(*health)).map(|(name, _)| name)
    }
}

impl TrackRule {
    const fn is_failed(self, health: Health) -> bool {
        match (health, self.sense) {
            (Health::Failed, Sense::Direct) | (Health::Well, Sense::Reverse) => true,
            (Health::Well, Sense::Direct) | (Health::Failed, Sense::Reverse) | (Health::Value(_), _) => false,
        }
    }

    fn effect(self, health: Health) -> Tracked {
        if let Health::Value(value) = health {
            let weight = match self.sense {
                Sense::Direct => self.weight,
                Sense::Reverse => -self.weight,
            };
            let by = value.saturating_mul(weight);
            // keepalived: a sum of -254 or less is a fault.
            return if by < -WEIGHT_MAX { Tracked::Fault } else { Tracked::Adjust(by.min(WEIGHT_MAX)) };
        }
        match (self.weight, self.is_failed(health)) {
            (0, true) => Tracked::Fault,
            (weight, true) if weight < 0 => Tracked::Adjust(weight),
            (weight, false) if weight > 0 => Tracked::Adjust(weight),
            (_, _) => Tracked::Adjust(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(objects: &[(&str, i32, Sense, Health)]) -> Tracked {
        let mut table = TrackTable::default();
        for (name, weight, sense, health) in objects {
            table.track((*name).into(), TrackRule { weight: *weight, sense: *sense }, *health);
        }
        table.tracked()
    }

    #[test]
    fn a_failure_without_weight_is_a_fault() {
        assert_eq!(table(&[("eth1", 0, Sense::Direct, Health::Failed)]), Tracked::Fault);
        assert_eq!(table(&[("eth1", 0, Sense::Direct, Health::Well)]), Tracked::Adjust(0));
        assert_eq!(table(&[("eth1", 0, Sense::Reverse, Health::Well)]), Tracked::Fault);
    }

    #[test]
    fn positive_weights_reward_and_negative_ones_punish() {
        let both = [("a", 20, Sense::Direct, Health::Well), ("b", -30, Sense::Direct, Health::Failed)];
        assert_eq!(table(&both), Tracked::Adjust(-10));
        let none = [("a", 20, Sense::Direct, Health::Failed), ("b", -30, Sense::Direct, Health::Well)];
        assert_eq!(table(&none), Tracked::Adjust(0));
        assert_eq!(table(&[("f", 2, Sense::Direct, Health::Value(-7))]), Tracked::Adjust(-14));
    }
}
