//! Policies with several owners: a kernel has one of each, and installs what the owner says that counts.
//!
//! Equal policies belong to an old and a new CHILD_SA during a rekeying, to a trap and the SA that it started, to two children with
//! one configuration. The owner of the lowest priority counts, of these the latest.

use std::collections::{HashMap, HashSet};

use charon_types::id::{IfId, Mark};
use charon_types::kernel_op::{KernelError, KernelOp, KernelSelector, Policy, PolicyDirection};

/// What makes two policies the same for a kernel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    direction: PolicyDirection,
    selector: KernelSelector,
    mark: Mark,
    if_id: IfId,
    interface: Option<String>,
}

impl From<&Policy> for Key {
    fn from(policy: &Policy) -> Self {
        Self {
            direction: policy.direction,
            selector: KernelSelector::between(&policy.source, &policy.destination),
            mark: policy.mark,
            if_id: policy.if_id,
            interface: policy.interface.clone(),
        }
    }
}

/// What a kernel is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A policy that is not there.
    Install(Box<Policy>),
    /// The policy that is there becomes this.
    Replace(Box<Policy>),
    /// The policy goes.
    Remove(Box<Policy>),
    /// Nothing: another owner counts, or says the same.
    Nothing,
}

/// All policies and their owners.
#[derive(Debug, Default)]
pub struct PolicyTable {
    entries: HashMap<Key, Vec<Policy>>,
}

impl PolicyTable {
    /// One more owner.
    pub fn add(&mut self, policy: &Policy) -> Change {
        let owners = self.entries.entry(Key::from(policy)).or_default();
        let before = active(owners).cloned();
        owners.push(policy.clone());
        match (before, active(owners)) {
            (None, Some(now)) => Change::Install(Box::new(now.clone())),
            (Some(before), Some(now)) if differ(&before, now) => Change::Replace(Box::new(now.clone())),
            _ => Change::Nothing,
        }
    }

    /// One owner less: the latest with the same action.
    ///
    /// # Errors
    /// [`KernelError::NotFound`] if nobody owns it with that action.
    pub fn remove(&mut self, policy: &Policy) -> Result<Change, KernelError> {
        let key = Key::from(policy);
        let owners = self.entries.get_mut(&key).ok_or(KernelError::NotFound)?;
        let before = active(owners).cloned();
        let mine = |owner: &Policy| owner.action == policy.action && owner.class == policy.class;
        let at = owners.iter().rposition(mine).ok_or(KernelError::NotFound)?;
        owners.remove(at);
        match (before, active(owners)) {
            (Some(before), Some(now)) if differ(&before, now) => Ok(Change::Replace(Box::new(now.clone()))),
            (Some(before), None) => {
                self.entries.remove(&key);
                Ok(Change::Remove(Box::new(before)))
            }
            _ => Ok(Change::Nothing),
        }
    }

    /// The places of operations that delete a policy which a later one of the batch adds again: it should stay until then, so that no
    /// packet passes in clear.
    #[must_use]
    pub fn returning(ops: &[KernelOp]) -> HashSet<usize> {
        let (mut added, mut returning) = (HashSet::new(), HashSet::new());
        for (at, op) in ops.iter().enumerate().rev() {
            match op {
                KernelOp::AddPolicy(policy) => drop(added.insert(Key::from(&**policy))),
                KernelOp::DeletePolicy(policy) if added.remove(&Key::from(&**policy)) => {
                    returning.insert(at);
                }
                _ => {}
            }
        }
        returning
    }

    /// Policies that are installed, one for each that a kernel has.
    pub fn installed(&self) -> impl Iterator<Item = &Policy> {
        self.entries.values().filter_map(|owners| active(owners))
    }
}

fn active(owners: &[Policy]) -> Option<&Policy> {
    owners.iter().rev().min_by_key(|owner| owner.effective_priority())
}

fn differ(one: &Policy, other: &Policy) -> bool {
    one.action != other.action || one.effective_priority() != other.effective_priority()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use charon_types::id::Reqid;
    use charon_types::kernel_op::{Mode, PolicyAction, PolicyClass};
    use charon_types::proposal::Protocol;
    use charon_types::selector::TrafficSelector;

    use super::*;

    fn policy(reqid: u32, class: PolicyClass) -> Policy {
        Policy {
            direction: PolicyDirection::Out,
            source: TrafficSelector::ANY_IPV4,
            destination: TrafficSelector::ANY_IPV4,
            action: PolicyAction::Protect {
                source: [192, 0, 2, 1].into(),
                destination: [192, 0, 2, 2].into(),
                protocol: Protocol::Esp,
                mode: Mode::Tunnel,
                reqid: Reqid(NonZeroU32::new(reqid).unwrap()),
                spi: None,
            },
            class,
            priority: 0,
            mark: Mark::default(),
            if_id: IfId::default(),
            interface: None,
        }
    }

    #[test]
    fn a_policy_stays_until_its_last_owner_has_gone() {
        let mut table = PolicyTable::default();
        let policy = policy(1, PolicyClass::Regular);
        assert_eq!(table.add(&policy), Change::Install(Box::new(policy.clone())));
        assert_eq!(table.add(&policy), Change::Nothing);
        assert_eq!(table.remove(&policy), Ok(Change::Nothing));
        assert_eq!(table.remove(&policy), Ok(Change::Remove(Box::new(policy.clone()))));
        assert_eq!(table.remove(&policy), Err(KernelError::NotFound));
    }

    #[test]
    fn the_sa_counts_before_the_trap_that_started_it() {
        let mut table = PolicyTable::default();
        let (trap, regular) = (policy(1, PolicyClass::Trap), policy(2, PolicyClass::Regular));
        assert!(matches!(table.add(&trap), Change::Install(_)));
        assert_eq!(table.add(&regular), Change::Replace(Box::new(regular.clone())));
        assert_eq!(table.remove(&regular), Ok(Change::Replace(Box::new(trap.clone()))));
        table.add(&regular);
        assert_eq!(table.remove(&trap), Ok(Change::Nothing));
        assert_eq!(table.installed().collect::<Vec<_>>(), [&regular]);
    }

    #[test]
    fn of_equal_owners_the_latest_counts() {
        let mut table = PolicyTable::default();
        let (old, new) = (policy(1, PolicyClass::Regular), policy(2, PolicyClass::Regular));
        table.add(&old);
        assert_eq!(table.add(&new), Change::Replace(Box::new(new.clone())));
        assert_eq!(table.remove(&old), Ok(Change::Nothing));
        assert_eq!(table.remove(&old), Err(KernelError::NotFound));
    }

    #[test]
    fn a_policy_that_is_added_again_in_the_same_batch_is_not_missed_in_between() {
        let delete = |reqid| KernelOp::DeletePolicy(Box::new(policy(reqid, PolicyClass::Regular)));
        let add = |reqid| KernelOp::AddPolicy(Box::new(policy(reqid, PolicyClass::Regular)));
        assert_eq!(PolicyTable::returning(&[delete(1), add(2)]), HashSet::from([0]));
        assert_eq!(PolicyTable::returning(&[add(1), delete(1)]), HashSet::new(), "it goes in the end");
        assert_eq!(
            PolicyTable::returning(&[delete(1), delete(1), add(2)]),
            HashSet::from([1]),
            "once for each"
        );
    }
}
