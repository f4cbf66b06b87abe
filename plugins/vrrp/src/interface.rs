//! The task of one interface: it owns the virtual routers there, feeds them and carries out what they say.
//!
//! ```text
//!   advert_socket ---> receive --+                    +--> frames (adverts, announcements)
//!   alarm --------> timeouts ----+--> VirtualRouter --+--> host (addresses, macvlan, routes)
//!   commands, net state ---------+                    +--> reports (bus, roles, notify), group
//! ```
//!
//! It runs on a thread of its own with its siblings, and never waits for the kernel's configuration or for IKE.

mod effects;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use charon_core::service::kernel_links::{Carrier, Link};
use charon_types::vrouter::{Vrouter, VrouterFault, VrouterSnapshot};
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{debug, info, warn};
use vrrp_proto::group::GroupOrder;
use vrrp_proto::tracking::Health;
use vrrp_proto::{InterfaceState, Now, Received, RouterConfig, State, VirtualRouter};

use crate::advert_socket::{AdvertSocket, FRAME_LEN_MAX};
use crate::alarm::Alarm;
use crate::convert;
use crate::filter::{Answering, Wanted};
use crate::host::{Host, HostRole};
use crate::key::Key;
use crate::net_state::NetState;
use crate::shared::Shared;
use crate::slot::{InterfaceThere, Slot};
use crate::unicast::UnicastSocket;

/// Frames received in one turn before timers and commands get theirs.
const BATCH: usize = 512;
/// A deadline that was missed by less is served as if it had been met, so that small delays do not add up.
const LATE_MAX: Duration = Duration::from_millis(5);

/// What an interface is told.
pub(crate) enum Command {
    /// A virtual router comes, or its definition changes.
    Load { config: Arc<Vrouter>, router: Box<RouterConfig>, done: oneshot::Sender<Result<(), VrouterFault>> },
    /// A virtual router goes.
    Unload { key: Key, done: oneshot::Sender<()> },
    /// Something tracked was looked at.
    Track { key: Key, name: Arc<str>, health: Health },
    /// Its group says something to a virtual router.
    Group { key: Key, order: GroupOrder },
    /// All virtual routers go.
    StopAll { done: oneshot::Sender<()> },
    /// All of them as they stand.
    List { done: oneshot::Sender<Vec<VrouterSnapshot>> },
}

/// The task.
pub(crate) struct Interface {
    name: String,
    shared: Arc<Shared>,
    commands: mpsc::Receiver<Command>,
    net: watch::Receiver<NetState>,
    host: Host,
    link: Option<Link>,
    socket: Option<AdvertSocket>,
    unicast: Option<UnicastSocket>,
    slots: BTreeMap<Key, Slot>,
    deadlines: BTreeSet<(Instant, Key)>,
    frames: Vec<Vec<u8>>,
    packet_id: u16,
}

impl Interface {
    pub(crate) fn new(
        name: String,
        shared: Arc<Shared>,
        commands: mpsc::Receiver<Command>,
        host: Host,
    ) -> Self {
        let net = shared.state.clone();
        Self {
            name,
            shared,
            commands,
            net,
            host,
            link: None,
            socket: None,
            unicast: None,
            slots: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            frames: Vec::new(),
            packet_id: 0,
        }
    }

    /// Runs until everybody who could command is gone; then all routers leave.
    pub(crate) async fn run(mut self) {
        let mut alarm = match Alarm::new() {
            Ok(alarm) => alarm,
            Err(error) => {
                warn!(target: "IKE", "interface {}: no timer: {error}", self.name);
                return;
            }
        };
        let mut buffer = vec![0; FRAME_LEN_MAX];
        self.on_net();
        loop {
            if let Err(error) = alarm.set(self.deadlines.first().map(|(at, _)| *at)) {
                warn!(target: "IKE", "interface {}: the timer cannot be set: {error}", self.name);
            }
            let readable = async {
                match &self.socket {
                    Some(socket) => socket.readable().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                command = self.commands.recv() => {
                    let Some(command) = command else { break };
                    self.on_command(command);
                }
                changed = self.net.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    self.on_net();
                }
                result = readable => match result {
                    Ok(()) => self.receive(&mut buffer),
                    Err(error) => self.lose_socket(&error),
                },
                result = alarm.rings() => {
                    if let Err(error) = result {
                        warn!(target: "IKE", "interface {}: the timer failed: {error}", self.name);
                    }
                    // What arrived in time counts, however late it is read.
                    self.receive(&mut buffer);
                    self.on_alarm();
                }
            }
            self.flush();
        }
        self.stop_all();
        self.flush();
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Load { config, router, done } => {
                let outcome = self.load(config, *router);
                // Whoever asked may have left, here and below.
                let _ = done.send(outcome);
            }
            Command::Unload { key, done } => {
                self.unload(key);
                let _ = done.send(());
            }
            Command::Track { key, name, health } => {
                self.with(key, |slot, now| {
                    slot.tracks.set(&name, health);
                    slot.router.set_tracked(slot.tracks.tracked(), now);
                });
            }
            Command::Group { key, order } => self.with(key, |slot, now| slot.router.handle_group(order, now)),
            Command::StopAll { done } => {
                self.stop_all();
                self.flush();
                let _ = done.send(());
            }
            Command::List { done } => {
                let there = self.there();
                let all = self
                    .slots
                    .iter()
                    .map(|(key, slot)| slot.snapshot(self.host.macvlan(*key), there))
                    .collect();
                let _ = done.send(all);
            }
        }
    }

    fn load(&mut self, config: Arc<Vrouter>, definition: RouterConfig) -> Result<(), VrouterFault> {
        let (key, now) = (Key::of(&config), now());
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.router
                .reconfigure(definition, &self.shared.crypto, now)
                .map_err(|error| convert::fault(&error))?;
            let before = std::mem::replace(&mut slot.config, config);
            if before.group != slot.config.group {
                // Another group has heard nothing yet.
                slot.told_obstacle = None;
            }
            slot.track(&before.track);
            slot.router.set_tracked(slot.tracks.tracked(), now);
            let state = self.interface_state(key);
            self.with(key, |slot, now| slot.router.handle_interface(state, now));
            self.want_frames();
        } else {
            let mut router = VirtualRouter::new(definition, &self.shared.crypto, now)
                .map_err(|error| convert::fault(&error))?;
            if config.group.is_some() {
                router.handle_group(GroupOrder::Hold, now);
            }
            self.slots.insert(key, Slot::new(config, router));
            self.want_frames();
            let state = self.interface_state(key);
            self.with(key, |slot, now| slot.router.handle_interface(state, now));
        }
        let Some(slot) = self.slots.get(&key) else { return Ok(()) };
        let role = if slot.router.state() == State::Active { HostRole::Active } else { HostRole::Standby };
        self.host.want(key, &slot.config, role);
        Ok(())
    }

    fn unload(&mut self, key: Key) {
        self.with(key, |slot, now| slot.router.stop(now));
        self.flush();
        if let Some(slot) = self.slots.remove(&key)
            && let Some(armed) = slot.armed
        {
            self.deadlines.remove(&(armed, key));
        }
        self.host.forget(key);
        self.want_frames();
    }

    fn stop_all(&mut self) {
        let keys: Vec<Key> = self.slots.keys().copied().collect();
        for key in keys {
            self.with(key, |slot, now| slot.router.stop(now));
        }
        self.slots.clear();
        self.deadlines.clear();
        self.host.close();
    }

    /// Feeds a router, then does what it says and sets its timer.
    fn with(&mut self, key: Key, feed: impl FnOnce(&mut Slot, Now)) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        feed(slot, now());
        self.drain(key);
    }

    fn on_alarm(&mut self) {
        let begin = Instant::now();
        while let Some((at, key)) = self.deadlines.first().copied() {
            if at > begin {
                break;
            }
            let Some(slot) = self.slots.get_mut(&key) else {
                self.deadlines.remove(&(at, key));
                continue;
            };
            let mono = if begin.duration_since(at) < LATE_MAX { at } else { begin };
            slot.router.handle_timeout(Now { mono, wall: SystemTime::now() });
            let due = slot.announcements.due(begin);
            self.announce(key, &due);
            self.drain(key);
        }
    }

    fn receive(&mut self, buffer: &mut [u8]) {
        for _ in 0..BATCH {
            let Some(socket) = &self.socket else { return };
            match socket.receive(buffer) {
                Ok(Some(len)) => {
                    let frame = buffer.get(..len).unwrap_or_default();
                    self.on_frame(frame);
                }
                Ok(None) => return,
                Err(error) => return self.lose_socket(&error),
            }
        }
    }

    fn on_frame(&mut self, frame: &[u8]) {
        let received = match Received::from_ethernet(frame) {
            Ok(received) => received,
            Err(error) => {
                if !self.answer(frame) {
                    debug!(target: "NET", "interface {}: a packet that is no advert: {error}", self.name);
                }
                return;
            }
        };
        let Some(vrid) = received.payload.get(1).copied().and_then(vrrp_proto::Vrid::new) else { return };
        let key = Key { family: vrrp_proto::Family::of(received.source), vrid };
        let Some(slot) = self.slots.get_mut(&key) else { return };
        if let Err(rejection) = slot.router.handle_advert(&received, now()) {
            slot.dropped.count(&rejection);
        }
        self.drain(key);
    }

    /// The network changed, possibly here.
    fn on_net(&mut self) {
        let (link, primaries) = {
            let state = self.net.borrow_and_update();
            let link = state.link(&self.name).cloned();
            let told =
                self.slots.iter().map(|(key, slot)| (*key, state_of(&state, link.as_ref(), *key, slot)));
            let primaries: Vec<(Key, InterfaceState)> = told.collect();
            (link, primaries)
        };
        let recreated = link.as_ref().map(|link| link.index) != self.link.as_ref().map(|link| link.index);
        if recreated {
            match (&self.link, &link) {
                (Some(_), None) => info!(target: "KNL", "interface {} is gone", self.name),
                (None, Some(_)) if !self.slots.is_empty() => {
                    info!(target: "KNL", "interface {} is there", self.name);
                }
                _ => {}
            }
            self.socket = None;
            self.unicast = None;
        }
        self.link = link;
        if self.socket.is_none() {
            self.open_socket();
        }
        for (key, state) in primaries {
            let differs = self.slots.get(&key).is_some_and(|slot| slot.told_interface != Some(state));
            if differs {
                self.with(key, |slot, now| {
                    slot.told_interface = Some(state);
                    slot.router.handle_interface(state, now);
                });
            }
        }
    }

    fn interface_state(&mut self, key: Key) -> InterfaceState {
        let Some(slot) = self.slots.get_mut(&key) else { return InterfaceState::Down };
        let state = state_of(&self.net.borrow(), self.link.as_ref(), key, slot);
        slot.told_interface = Some(state);
        state
    }

    fn open_socket(&mut self) {
        let Some(link) = self.link.as_ref().filter(|_| !self.slots.is_empty()) else { return };
        match AdvertSocket::open(link.index, self.wanted()) {
            Ok(socket) => self.socket = Some(socket),
            Err(error) => warn!(target: "NET", "interface {}: no socket for adverts: {error}", self.name),
        }
    }

    /// The device went down or away; the next change of the network tells.
    fn lose_socket(&mut self, error: &io::Error) {
        debug!(target: "NET", "interface {}: receiving failed: {error}", self.name);
    }

    fn wanted(&self) -> Wanted {
        let mut wanted = Wanted::default();
        for (key, slot) in &self.slots {
            wanted.add(key.family, key.vrid);
            if slot.answers_itself() {
                match key.family {
                    vrrp_proto::Family::Ipv4 => wanted.arp = Answering::Yes,
                    vrrp_proto::Family::Ipv6 => wanted.solicitations = Answering::Yes,
                }
            }
        }
        wanted
    }

    fn want_frames(&mut self) {
        if self.slots.is_empty() {
            self.socket = None;
            return;
        }
        let wanted = self.wanted();
        match &mut self.socket {
            Some(socket) => {
                if let Err(error) = socket.want(wanted) {
                    warn!(target: "NET", "interface {}: the filter cannot be set: {error}", self.name);
                }
            }
            None => self.open_socket(),
        }
    }

    const fn there(&self) -> InterfaceThere {
        if self.link.is_some() { InterfaceThere::Yes } else { InterfaceThere::No }
    }

    /// The MAC address that frames of a router come from.
    fn mac(&self, key: Key) -> Option<[u8; 6]> {
        let slot = self.slots.get(&key)?;
        if slot.config.vmac.is_enabled() {
            return Some(key.vrid.mac(key.family));
        }
        self.link.as_ref()?.mac.map(|mac| mac.0)
    }

    fn flush(&mut self) {
        if self.frames.is_empty() {
            return;
        }
        match &self.socket {
            Some(socket) => {
                if let Err(error) = socket.send(&mut self.frames) {
                    debug!(target: "NET", "interface {}: sending failed: {error}", self.name);
                }
            }
            None => self.frames.clear(),
        }
    }

    fn announce(&mut self, key: Key, addresses: &[IpAddr]) {
        let Some(mac) = self.mac(key) else { return };
        let frames = addresses.iter().map(|address| {
            vrrp_proto::neighbour::announcement(mac, *address, vrrp_proto::neighbour::Forwarding::Router)
        });
        self.frames.extend(frames);
    }
}

/// What a router of that family is told of the interface.
fn state_of(net: &NetState, link: Option<&Link>, key: Key, slot: &Slot) -> InterfaceState {
    let Some(link) = link else { return InterfaceState::Down };
    if link.carrier == Carrier::Down && slot.config.track_primary.is_enabled() {
        return InterfaceState::Down;
    }
    let primary = match slot.config.source {
        Some(source) => {
            let held = net.addresses(link.index).iter().any(|known| known.held.address == source);
            Some(source).filter(|_| held)
        }
        None => net.primary(link.index, key.family == vrrp_proto::Family::Ipv4),
    };
    InterfaceState::Up { primary }
}

/// Both clocks.
fn now() -> Now {
    Now { mono: Instant::now(), wall: SystemTime::now() }
}
