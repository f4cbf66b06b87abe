//! Case 70: members of a sync group have the same role.

use std::time::Duration;

use vrrp_proto::group::{GroupOrder, SyncGroup};
use vrrp_proto::{InterfaceState, Output, Reason, RouterConfig, State, Version, Vrid};

use crate::bench::{Dut, Packet, config};

struct Pair {
    members: [Dut; 2],
    group: SyncGroup<usize>,
}

impl Pair {
    fn new() -> Self {
        let second =
            RouterConfig { vrid: Vrid::new(52).unwrap(), interface: "eth1".into(), ..config(Version::V3) };
        let mut pair = Self {
            members: [Dut::down(config(Version::V3)), Dut::down(second)],
            group: SyncGroup::new([0, 1]),
        };
        let orders = pair.group.initial_orders();
        pair.carry_out(orders);
        pair
    }

    fn carry_out(&mut self, orders: Vec<(usize, GroupOrder)>) {
        for (member, order) in orders {
            let dut = &mut self.members[member];
            dut.router.handle_group(order, dut.now);
            self.tell(member);
        }
    }

    /// Hands a member's changes to the group.
    fn tell(&mut self, member: usize) {
        let dut = &mut self.members[member];
        let at = dut.log.len();
        dut.drain();
        let transitions: Vec<_> = dut.log[at..]
            .iter()
            .filter_map(|(_, output)| match output {
                Output::Transition(transition) => Some(*transition),
                _ => None,
            })
            .collect();
        let obstacle = dut.router.obstacle();
        let mut orders = self.group.handle_obstacle(&member, obstacle);
        for transition in transitions {
            orders.extend(self.group.handle_transition(&member, transition));
        }
        self.carry_out(orders);
    }

    fn up(&mut self, member: usize) {
        let dut = &mut self.members[member];
        let primary = Some(crate::bench::ip(crate::bench::OWN));
        dut.router.handle_interface(InterfaceState::Up { primary }, dut.now);
        self.tell(member);
    }

    fn down(&mut self, member: usize) {
        let dut = &mut self.members[member];
        dut.router.handle_interface(InterfaceState::Down, dut.now);
        self.tell(member);
    }

    fn advance(&mut self, by: Duration) {
        for _ in 0..by.as_millis() / 10 {
            for member in 0..2 {
                let dut = &mut self.members[member];
                dut.now = dut.now.advance(Duration::from_millis(10));
                dut.router.handle_timeout(dut.now);
                self.tell(member);
            }
        }
    }

    fn states(&self) -> [State; 2] {
        [self.members[0].router.state(), self.members[1].router.state()]
    }
}

#[test]
fn group_leaves_active_when_one_member_loses_its_interface() {
    let mut pair = Pair::new();
    pair.up(0);
    pair.advance(Duration::from_secs(10));
    assert_eq!(pair.states(), [State::Initialize; 2], "one cannot run, so neither does the other");
    pair.up(1);
    assert_eq!(pair.states(), [State::Backup; 2]);
    pair.advance(Duration::from_secs(4));
    assert_eq!(pair.states(), [State::Active; 2]);
    pair.down(1);
    assert_eq!(pair.states(), [State::Initialize; 2]);
    assert_eq!(pair.members[0].router.snapshot().reason, Some(Reason::Group));
    // It tells its backups.
    assert_eq!(pair.members[0].adverts().last().map(|(_, priority)| *priority), Some(0));
    pair.up(1);
    assert_eq!(pair.states(), [State::Backup; 2]);
}

#[test]
fn group_yields_as_one_and_takes_over_as_one() {
    let mut pair = Pair::new();
    pair.up(0);
    pair.up(1);
    pair.advance(Duration::from_secs(4));
    pair.members[0].hear(&Packet::v3(150)).unwrap();
    // The log holds the change already: hand it over.
    let transition = pair.members[0].transitions().pop().unwrap();
    let orders = pair.group.handle_transition(&0, transition);
    assert_eq!(orders, [(1, GroupOrder::Demote)]);
    pair.carry_out(orders);
    assert_eq!(pair.states(), [State::Backup; 2]);
    // The other's network is silent: it takes over, and takes its fellow with it.
    pair.advance(Duration::from_secs(4));
    assert_eq!(pair.states(), [State::Active; 2]);
}
