//! What virtual routers say, carried out.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use charon_core::service::kernel_links::Link;
use charon_types::vrouter::{Vrouter, VrouterSnapshot};
use tracing::{debug, info, warn};
use vrrp_proto::output::Notice;
use vrrp_proto::{Advert, Output, Rejection, State, Transition, neighbour};

use super::now;
use crate::convert;
use crate::frames::Frames;
use crate::host::{Host, HostRole};
use crate::key::Key;
use crate::question::Question;
use crate::report::Report;
use crate::shared::Shared;
use crate::slot::{InterfaceThere, Slot};
use crate::unicast::UnicastSocket;

/// Where what virtual routers of an interface say goes.
pub(super) struct Outlet {
    /// The interface.
    pub(super) name: String,
    pub(super) shared: Arc<Shared>,
    pub(super) host: Host,
    pub(super) link: Option<Link>,
    pub(super) unicast: Option<UnicastSocket>,
    pub(super) frames: Frames,
    packet_id: u16,
    /// To be told when the frames are sent: a log may wait for a disk, an advert may not.
    news: Vec<News>,
}

/// What people and listeners want to know.
enum News {
    Rejected { router: Arc<str>, source: IpAddr, reason: Rejection },
    Notice { config: Arc<Vrouter>, state: State, notice: Notice },
    Transition { transition: Transition, snapshot: Arc<VrouterSnapshot>, group: Option<Report> },
}

impl Outlet {
    pub(super) fn new(name: String, shared: Arc<Shared>, host: Host) -> Self {
        Self {
            name,
            shared,
            host,
            link: None,
            unicast: None,
            frames: Frames::default(),
            packet_id: 0,
            news: Vec::new(),
        }
    }

    /// Carries out what a router said.
    pub(super) fn drain(&mut self, key: Key, slot: &mut Slot) {
        let mut transitions = Vec::new();
        while let Some(output) = slot.router.poll_output() {
            match output {
                Output::SendAdvert(advert) => self.send_advert(key, slot, advert),
                Output::AddAddresses(_) => self.want(key, slot, HostRole::Active),
                Output::RemoveAddresses(_) => {
                    // Some of an Active router's, by another definition, or all of one that is none any more.
                    if slot.router.state() == State::Active {
                        self.want(key, slot, HostRole::Active);
                    } else {
                        self.want(key, slot, HostRole::Standby);
                        slot.announcements.clear();
                    }
                }
                Output::Announce { addresses, repeat } => {
                    let at = now().mono;
                    slot.announcements.add(addresses, repeat, at);
                    self.announce(key, slot, at);
                }
                Output::Transition(transition) => transitions.push(transition),
                Output::Rejected { source, reason } => {
                    let router = Arc::clone(&slot.config.name);
                    self.news.push(News::Rejected { router, source, reason });
                }
                Output::Notice(notice) => {
                    let (config, state) = (Arc::clone(&slot.config), slot.router.state());
                    self.news.push(News::Notice { config, state, notice });
                }
            }
        }
        for transition in transitions {
            self.on_transition(key, slot, transition);
        }
        self.tell_obstacle(slot);
    }

    /// Announces what is due.
    pub(super) fn announce(&mut self, key: Key, slot: &mut Slot, at: Instant) {
        let due = slot.announcements.due(at);
        let Some(mac) = self.mac(key, slot).filter(|_| !due.is_empty()) else { return };
        for address in due {
            let frame = neighbour::announcement(mac, address, neighbour::Forwarding::Router);
            self.frames.push(&frame);
        }
    }

    pub(super) const fn there(&self) -> InterfaceThere {
        if self.link.is_some() { InterfaceThere::Yes } else { InterfaceThere::No }
    }

    /// The MAC address that frames of a router come from.
    fn mac(&self, key: Key, slot: &Slot) -> Option<[u8; 6]> {
        if slot.config.vmac.is_enabled() {
            return Some(key.vrid.mac(key.family));
        }
        self.link.as_ref()?.mac.map(|mac| mac.0)
    }

    fn want(&self, key: Key, slot: &Slot, role: HostRole) {
        self.host.want(key, &slot.config, role);
    }

    fn send_advert(&mut self, key: Key, slot: &mut Slot, advert: Arc<Advert>) {
        if !slot.config.peers.is_empty() {
            return self.send_unicast(&advert);
        }
        let Some(mac) = self.mac(key, slot) else { return };
        self.packet_id = self.packet_id.wrapping_add(1);
        self.frames.push(slot.sent.frame(advert, mac, self.packet_id));
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

    fn on_transition(&mut self, key: Key, slot: &Slot, transition: Transition) {
        let snapshot = slot.snapshot(self.host.macvlan(key), self.there());
        let name = &slot.config.name;
        self.shared.roles.set(name, convert::state(transition.to));
        let group = slot.config.group.as_ref().and_then(|group| {
            let state = self.shared.groups.tell_transition(group, name, transition)?;
            let (config, priority) = (Arc::clone(&slot.config), snapshot.effective_priority);
            Some(Report::Group { config, state: convert::state(state), priority })
        });
        self.news.push(News::Transition { transition, snapshot: Arc::new(snapshot), group });
    }

    /// Tells what is new.
    pub(super) fn tell(&mut self) {
        for news in std::mem::take(&mut self.news) {
            match news {
                News::Rejected { router, source, reason } => {
                    info!(target: "NET", "vrouter {router}: advert of {source} dropped: {reason}");
                }
                News::Notice { config, state, notice } => self.tell_notice(config, state, &notice),
                News::Transition { transition: Transition { from, to, reason }, snapshot, group } => {
                    info!(target: "IKE", "vrouter {} on {}: {from} became {to}: {reason}", snapshot.config.name, self.name);
                    self.shared.report(Report::Transition { snapshot, former: convert::state(from) });
                    if let Some(news) = group {
                        self.shared.report(news);
                    }
                }
            }
        }
    }

    fn tell_obstacle(&self, slot: &mut Slot) {
        let obstacle = slot.router.obstacle();
        if slot.told_obstacle != Some(obstacle) {
            slot.told_obstacle = Some(obstacle);
            if let Some(group) = &slot.config.group {
                self.shared.groups.tell_obstacle(group, &slot.config.name, obstacle);
            }
        }
    }

    fn tell_notice(&self, config: Arc<Vrouter>, state: State, notice: &Notice) {
        let name = &config.name;
        match notice {
            Notice::SecondOwner { .. } => warn!(target: "IKE", "vrouter {name}: {notice}"),
            Notice::LowerPriorityHeard { .. } => {
                debug!(target: "IKE", "vrouter {name}: {notice}");
                self.shared.report(Report::LowerPriorityHeard { config });
            }
            Notice::PriorityChanged { to, .. } => {
                info!(target: "IKE", "vrouter {name}: {notice}");
                self.shared.report(Report::PriorityChanged {
                    config,
                    state: convert::state(state),
                    priority: to.0,
                });
            }
            _ => info!(target: "IKE", "vrouter {name}: {notice}"),
        }
    }

    /// Answers a question for an address of one of these routers that the kernel does not have; whether it was a question.
    pub(super) fn answer(&mut self, slots: &BTreeMap<Key, Box<Slot>>, frame: &[u8]) -> bool {
        let Some(question) = Question::parse(frame) else { return false };
        let answering = slots.iter().find(|(_, slot)| {
            slot.answers_itself()
                && slot.router.state() == State::Active
                && slot.config.addresses.iter().any(|held| held.address == question.target())
        });
        if let Some((key, slot)) = answering
            && let Some(mac) = self.mac(*key, slot)
        {
            self.frames.push(&question.answer(mac));
        }
        true
    }
}
