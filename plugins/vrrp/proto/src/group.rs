//! Sync groups: virtual routers that have the same role, whatever their own networks say.
//!
//! A group is told of each member's [`crate::Transition`] and answers with orders to the other members, which the shell
//! hands to [`crate::VirtualRouter::handle_group`]. Transitions whose reason is [`Reason::Group`] are told as well.

use std::collections::BTreeMap;

use crate::machine::State;
use crate::output::{Reason, Transition};

/// What a group tells a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupOrder {
    /// Another member cannot run: neither may this one.
    Hold,
    /// All members could run.
    Release,
    /// Become Active with the others.
    Promote,
    /// Become Backup with the others.
    Demote,
}

/// A group whose members are named by `Id`.
#[derive(Clone, Debug)]
pub struct SyncGroup<Id> {
    members: BTreeMap<Id, Member>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Member {
    state: State,
    /// Whether it could run if the group let it.
    fit: Fitness,
    hold: Hold,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fitness {
    Fit,
    Unfit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    Free,
    Held,
}

impl<Id: Clone + Ord> SyncGroup<Id> {
    /// A group of routers that are in [`State::Initialize`]. All are held until each of them could run: hand out
    /// [`SyncGroup::initial_orders`] before anything else.
    pub fn new(members: impl IntoIterator<Item = Id>) -> Self {
        let member = Member { state: State::Initialize, fit: Fitness::Unfit, hold: Hold::Held };
        Self { members: members.into_iter().map(|id| (id, member)).collect() }
    }

    /// A hold for each member.
    pub fn initial_orders(&self) -> Vec<(Id, GroupOrder)> {
        self.members.keys().map(|id| (id.clone(), GroupOrder::Hold)).collect()
    }

    /// What [`crate::VirtualRouter::obstacle`] says of a member, after each of its inputs.
    pub fn handle_obstacle(&mut self, id: &Id, obstacle: Option<Reason>) -> Vec<(Id, GroupOrder)> {
        if let Some(member) = self.members.get_mut(id) {
            member.fit = match obstacle {
                None => Fitness::Fit,
                Some(_) => Fitness::Unfit,
            };
        }
        self.balance()
    }

    /// A member changed its role.
    pub fn handle_transition(&mut self, id: &Id, transition: Transition) -> Vec<(Id, GroupOrder)> {
        let Some(member) = self.members.get_mut(id) else { return Vec::new() };
        member.state = transition.to;
        let order = match (transition.to, transition.reason) {
            (_, Reason::Group) | (State::Initialize, _) => return Vec::new(),
            (State::Active, _) => GroupOrder::Promote,
            // A member that starts is no reason for the others to give up.
            (State::Backup, _) if transition.from == State::Initialize => return Vec::new(),
            (State::Backup, _) => GroupOrder::Demote,
        };
        self.others(id, order)
    }

    fn others(&self, id: &Id, order: GroupOrder) -> Vec<(Id, GroupOrder)> {
        let wanted = match order {
            GroupOrder::Promote => State::Backup,
            GroupOrder::Demote | GroupOrder::Hold | GroupOrder::Release => State::Active,
        };
        let others = self.members.iter().filter(|(other, member)| *other != id && member.state == wanted);
        others.map(|(other, _)| (other.clone(), order)).collect()
    }

    /// Holds everybody while somebody cannot run.
    fn balance(&mut self) -> Vec<(Id, GroupOrder)> {
        let all_fit = self.members.values().all(|member| member.fit == Fitness::Fit);
        let (hold, order) =
            if all_fit { (Hold::Free, GroupOrder::Release) } else { (Hold::Held, GroupOrder::Hold) };
        let mut orders = Vec::new();
        for (id, member) in &mut self.members {
            if member.hold != hold {
                member.hold = hold;
                orders.push((id.clone(), order));
            }
        }
        orders
    }
}
