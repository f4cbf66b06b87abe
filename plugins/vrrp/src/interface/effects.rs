//! What virtual routers say, carried out.

use std::sync::Arc;

use charon_types::vrouter::VrouterState;
use tracing::{debug, info, warn};
use vrrp_proto::output::Notice;
use vrrp_proto::{Advert, Output, State, Transition};

use super::{Interface, now};
use crate::convert;
use crate::host::HostRole;
use crate::key::Key;
use crate::report::Report;
use crate::unicast::UnicastSocket;

impl Interface {
    /// Carries out what a router said, then notes when it wants to be woken.
    pub(super) fn drain(&mut self, key: Key) {
        let mut transitions = Vec::new();
        while let Some(output) = self.slots.get_mut(&key).and_then(|slot| slot.router.poll_output()) {
            match output {
                Output::SendAdvert(advert) => self.send_advert(key, &advert),
                Output::AddAddresses(_) => self.want(key, HostRole::Active),
                Output::RemoveAddresses(_) => {
                    // Some of an Active router's, by another definition, or all of one that is none any more.
                    let active =
                        self.slots.get(&key).is_some_and(|slot| slot.router.state() == State::Active);
                    self.want(key, if active { HostRole::Active } else { HostRole::Standby });
                    if !active && let Some(slot) = self.slots.get_mut(&key) {
                        slot.announcements.clear();
                    }
                }
                Output::Announce { addresses, repeat } => {
                    let at = now().mono;
                    if let Some(slot) = self.slots.get_mut(&key) {
                        slot.announcements.add(addresses, repeat, at);
                        let due = slot.announcements.due(at);
                        self.announce(key, &due);
                    }
                }
                Output::Transition(transition) => transitions.push(transition),
                Output::Rejected { source, reason } => {
                    if let Some(slot) = self.slots.get(&key) {
                        info!(target: "NET", "vrouter {}: advert of {source} dropped: {reason}", slot.config.name);
                    }
                }
                Output::Notice(notice) => self.on_notice(key, &notice),
            }
        }
        self.rearm(key);
        for transition in transitions {
            self.on_transition(key, transition);
        }
        self.tell_obstacle(key);
    }

    fn rearm(&mut self, key: Key) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        let deadline = slot.deadline();
        if deadline != slot.armed {
            if let Some(armed) = slot.armed {
                self.deadlines.remove(&(armed, key));
            }
            if let Some(deadline) = deadline {
                self.deadlines.insert((deadline, key));
            }
            slot.armed = deadline;
        }
    }

    fn want(&self, key: Key, role: HostRole) {
        if let Some(slot) = self.slots.get(&key) {
            self.host.want(key, &slot.config, role);
        }
    }

    fn send_advert(&mut self, key: Key, advert: &Advert) {
        if self.slots.get(&key).is_some_and(|slot| !slot.config.peers.is_empty()) {
            return self.send_unicast(advert);
        }
        let Some(mac) = self.mac(key) else { return };
        self.packet_id = self.packet_id.wrapping_add(1);
        self.frames.push(advert.ethernet_frame(mac, None, self.packet_id));
    }

    /// By the kernel, which finds the way to the peer.
    fn send_unicast(&mut self, advert: &Advert) {
        let Some(link) = &self.link else { return };
        if self.unicast.is_none() {
            match UnicastSocket::open(&link.name) {
                Ok(socket) => self.unicast = Some(socket),
                Err(error) => {
                    warn!(target: "NET", "interface {}: no socket for unicast adverts: {error}", self.name);
                    return;
                }
            }
        }
        let sent = self.unicast.as_ref().map(|socket| socket.send(advert));
        if let Some(Err(error)) = sent {
            debug!(target: "NET", "interface {}: sending to {} failed: {error}", self.name, advert.destination);
        }
    }

    fn on_transition(&mut self, key: Key, transition: Transition) {
        let there = self.there();
        let Some(slot) = self.slots.get(&key) else { return };
        let snapshot = slot.snapshot(self.host.macvlan(key), there);
        let name = &slot.config.name;
        let to = convert::state(transition.to);
        info!(target: "IKE", "vrouter {name} on {}: {} became {}: {}",
            self.name, transition.from, transition.to, transition.reason);
        self.shared.roles.set(name, to);
        if let Some(group) = &slot.config.group {
            self.shared.groups.tell_transition(group, name, transition);
        }
        let former: VrouterState = convert::state(transition.from);
        self.shared.report(Report::Transition { snapshot: Arc::new(snapshot), former });
    }

    fn tell_obstacle(&mut self, key: Key) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        let obstacle = slot.router.obstacle();
        if slot.told_obstacle != Some(obstacle) {
            slot.told_obstacle = Some(obstacle);
            if let Some(group) = &slot.config.group {
                self.shared.groups.tell_obstacle(group, &slot.config.name, obstacle);
            }
        }
    }

    fn on_notice(&self, key: Key, notice: &Notice) {
        let Some(slot) = self.slots.get(&key) else { return };
        let name = &slot.config.name;
        match notice {
            Notice::SecondOwner { .. } => warn!(target: "IKE", "vrouter {name}: {notice}"),
            Notice::LowerPriorityHeard { .. } => {
                debug!(target: "IKE", "vrouter {name}: {notice}");
                self.shared.report(Report::LowerPriorityHeard { config: Arc::clone(&slot.config) });
            }
            Notice::PriorityChanged { to, .. } => {
                info!(target: "IKE", "vrouter {name}: {notice}");
                self.shared.report(Report::PriorityChanged {
                    config: Arc::clone(&slot.config),
                    state: convert::state(slot.router.state()),
                    priority: to.0,
                });
            }
            _ => info!(target: "IKE", "vrouter {name}: {notice}"),
        }
    }

    /// Answers a question for an address that the kernel does not have; whether it was one.
    pub(super) fn answer(&mut self, frame: &[u8]) -> bool {
        let Some(question) = crate::question::Question::parse(frame) else { return false };
        let answering = self.slots.iter().find(|(_, slot)| {
            slot.answers_itself()
                && slot.router.state() == State::Active
                && slot.config.addresses.iter().any(|held| held.address == question.target())
        });
        if let Some((key, _)) = answering {
            let key = *key;
            if let Some(mac) = self.mac(key) {
                self.frames.push(question.answer(mac));
            }
        }
        true
    }
}
