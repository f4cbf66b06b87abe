//! Sync groups across interfaces: who is in which, and how orders get to the interface of a member.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::warn;
use vrrp_proto::group::{GroupOrder, SyncGroup};
use vrrp_proto::{Reason, State, Transition};

use crate::commands::Commands;
use crate::interface::Command;
use crate::key::Key;

/// All groups.
#[derive(Default)]
pub(crate) struct Groups(Mutex<BTreeMap<String, Group>>);

struct Group {
    sync: SyncGroup<Arc<str>>,
    members: BTreeMap<Arc<str>, Member>,
    /// The state that all had when they last had one.
    told: State,
}

struct Member {
    key: Key,
    commands: Commands,
    /// What keeps it from running, the group aside; `None` until it said so.
    obstacle: Option<Option<Reason>>,
    state: State,
}

impl Groups {
    /// A router joins. It is held until it said whether it can run, and all are if it then cannot; those that run already go on until
    /// then, so that a further member disturbs nobody.
    pub(crate) fn join(&self, group: &str, name: &Arc<str>, key: Key, commands: &Commands) {
        let mut groups = self.0.lock();
        let known = groups.entry(group.to_owned()).or_insert_with(|| Group {
            sync: SyncGroup::new([]),
            members: BTreeMap::new(),
            told: State::Initialize,
        });
        let member = Member { key, commands: commands.clone(), obstacle: None, state: State::Initialize };
        known.members.insert(Arc::clone(name), member);
    }

    /// A router leaves; alone it is held by nobody.
    pub(crate) fn leave(&self, group: &str, name: &str) {
        let mut groups = self.0.lock();
        let Some(known) = groups.get_mut(group) else { return };
        if let Some(member) = known.members.remove(name) {
            member.send(GroupOrder::Release);
        }
        if known.members.is_empty() {
            groups.remove(group);
        } else {
            known.rebuild();
        }
    }

    /// What keeps a member from running, the group aside.
    pub(crate) fn tell_obstacle(&self, group: &str, name: &Arc<str>, obstacle: Option<Reason>) {
        let mut groups = self.0.lock();
        let Some(known) = groups.get_mut(group) else { return };
        let Some(member) = known.members.get_mut(name) else { return };
        match member.obstacle.replace(obstacle) {
            None => known.rebuild(),
            Some(before) if before == obstacle => {}
            Some(_) => {
                let orders = known.sync.handle_obstacle(name, obstacle);
                known.deliver(orders);
            }
        }
    }

    /// A member changed its role. Returns the state of the group if all members have the same now, and had another the last time.
    pub(crate) fn tell_transition(
        &self,
        group: &str,
        name: &Arc<str>,
        transition: Transition,
    ) -> Option<State> {
        let mut groups = self.0.lock();
        let known = groups.get_mut(group)?;
        if let Some(member) = known.members.get_mut(name) {
            member.state = transition.to;
        }
        let orders = known.sync.handle_transition(name, transition);
        known.deliver(orders);
        let one = transition.to;
        let news = known.told != one && known.members.values().all(|member| member.state == one);
        if news {
            known.told = one;
        }
        news.then_some(one)
    }
}

impl Group {
    /// Members changed: all are held, or let go if all can run.
    fn rebuild(&mut self) {
        self.sync = SyncGroup::new(self.members.keys().cloned());
        let mut orders = Vec::new();
        for (name, member) in &self.members {
            let obstacle = member.obstacle.unwrap_or(Some(Reason::Startup));
            orders.extend(self.sync.handle_obstacle(name, obstacle));
            // A change that the group itself made asks nothing of the others.
            let transition = Transition { from: State::Initialize, to: member.state, reason: Reason::Group };
            orders.extend(self.sync.handle_transition(name, transition));
        }
        let all_said = self.members.values().all(|member| member.obstacle.is_some());
        if orders.is_empty() && all_said {
            orders = self.sync.initial_orders();
        }
        self.deliver(orders);
    }

    fn deliver(&self, orders: Vec<(Arc<str>, GroupOrder)>) {
        for (name, order) in orders {
            if let Some(member) = self.members.get(&name) {
                member.send(order);
            }
        }
    }
}

impl Member {
    fn send(&self, order: GroupOrder) {
        if self.commands.try_send(Command::Group { key: self.key, order }).is_err() {
            warn!(target: "IKE", "an interface does not take the orders of a group");
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;
    use vrrp_proto::{Family, Vrid};

    use super::*;
    use crate::poller::Poller;

    fn channel() -> (Commands, mpsc::Receiver<Command>) {
        Commands::channel(Poller::new().unwrap().waker())
    }

    fn key(vrid: u8) -> Key {
        Key { family: Family::Ipv4, vrid: Vrid::new(vrid).unwrap() }
    }

    fn orders(commands: &mut mpsc::Receiver<Command>) -> Vec<(u8, GroupOrder)> {
        let mut all = Vec::new();
        while let Ok(command) = commands.try_recv() {
            if let Command::Group { key, order } = command {
                all.push((key.vrid.get(), order));
            }
        }
        all
    }

    #[test]
    fn members_run_when_all_can_and_stop_when_one_cannot() {
        let (sender, mut commands) = channel();
        let groups = Groups::default();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        groups.join("g", &a, key(1), &sender);
        groups.join("g", &b, key(2), &sender);
        groups.tell_obstacle("g", &a, None);
        assert_eq!(orders(&mut commands), []);
        groups.tell_obstacle("g", &b, None);
        assert_eq!(orders(&mut commands), [(1, GroupOrder::Release), (2, GroupOrder::Release)]);
        groups.tell_obstacle("g", &b, Some(Reason::InterfaceDown));
        assert_eq!(orders(&mut commands), [(1, GroupOrder::Hold), (2, GroupOrder::Hold)]);
    }

    #[test]
    fn one_that_becomes_active_takes_the_others_along() {
        let (sender, mut commands) = channel();
        let groups = Groups::default();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        for (name, vrid) in [(&a, 1), (&b, 2)] {
            groups.join("g", name, key(vrid), &sender);
            groups.tell_obstacle("g", name, None);
        }
        let up = |to, reason| Transition { from: State::Initialize, to, reason };
        groups.tell_transition("g", &a, up(State::Backup, Reason::Group));
        groups.tell_transition("g", &b, up(State::Backup, Reason::Group));
        orders(&mut commands);
        let active = Transition { from: State::Backup, to: State::Active, reason: Reason::NoResponse };
        groups.tell_transition("g", &a, active);
        assert_eq!(orders(&mut commands), [(2, GroupOrder::Promote)]);
        groups.leave("g", "a");
        assert!(orders(&mut commands).contains(&(1, GroupOrder::Release)));
    }

    #[test]
    fn a_group_has_a_state_when_all_have_it_and_tells_it_once() {
        let (sender, _commands) = channel();
        let groups = Groups::default();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        groups.join("g", &a, key(1), &sender);
        groups.join("g", &b, key(2), &sender);
        let change = |name: &Arc<str>, from, to| {
            groups.tell_transition("g", name, Transition { from, to, reason: Reason::Group })
        };
        assert_eq!(change(&a, State::Initialize, State::Backup), None);
        assert_eq!(change(&b, State::Initialize, State::Backup), Some(State::Backup));
        assert_eq!(change(&a, State::Backup, State::Active), None);
        assert_eq!(change(&b, State::Backup, State::Active), Some(State::Active));
        // One that comes back without the other having moved is no news.
        assert_eq!(change(&a, State::Active, State::Backup), None);
        assert_eq!(change(&a, State::Backup, State::Active), None);
        assert_eq!(
            groups.tell_transition(
                "h",
                &a,
                Transition { from: State::Backup, to: State::Active, reason: Reason::Group }
            ),
            None
        );
    }
}
