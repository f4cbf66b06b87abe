//! One interface: it owns the virtual routers there, feeds them and carries out what they say.
//!
//! ```text
//!   advert_socket ---> receive --+                    +--> frames (adverts, announcements)
//!   deadlines -------------------+--> VirtualRouter --+--> host (addresses, macvlan, routes)
//!   commands, net state ---------+                    +--> reports (bus, roles, notify), group
//! ```
//!
//! The [`crate::reactor`] serves it on a thread of its own with its siblings; nothing here waits for the kernel's configuration or for IKE.

mod outlet;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use charon_core::service::kernel_links::{Carrier, Link};
use charon_core::service::kernel_net::InterfaceIndex;
use charon_types::vrouter::{Vrouter, VrouterFault, VrouterSnapshot};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::{debug, info, warn};
use vrrp_proto::group::GroupOrder;
use vrrp_proto::tracking::Health;
use vrrp_proto::{InterfaceState, Now, Received, RouterConfig, State, VirtualRouter};

use crate::advert_socket::{AdvertSocket, Inbox};
use crate::convert;
use crate::filter::{Answering, Wanted};
use crate::host::{Host, HostRole};
use crate::key::Key;
use crate::net_state::NetState;
use crate::pace;
use crate::poller::Watch;
use crate::shared::Shared;
use crate::slot::Slot;

use outlet::Outlet;

/// How often the inbox is filled in one turn before timers and commands get theirs.
const FILLINGS: usize = 32;
/// And before a router takes over because it heard nothing: all that the socket can hold, so that a flood hides no advert.
const FILLINGS_ALL: usize = 512;
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

/// Whether an interface is served further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// Somebody may command it.
    GoesOn,
    /// Everybody who could command is gone; all its routers left.
    Ended,
}

/// The interface.
pub(crate) struct Interface {
    commands: mpsc::Receiver<Command>,
    net: watch::Receiver<NetState>,
    /// What was known of the link when it was looked at.
    seen: Option<(InterfaceIndex, u64)>,
    watch: Watch,
    socket: Option<AdvertSocket>,
    slots: BTreeMap<Key, Box<Slot>>,
    deadlines: BTreeSet<(Instant, Key)>,
    outlet: Outlet,
}

impl Interface {
    pub(crate) fn new(
        name: String,
        shared: Arc<Shared>,
        commands: mpsc::Receiver<Command>,
        host: Host,
        watch: Watch,
    ) -> Self {
        Self {
            commands,
            net: shared.state.clone(),
            seen: None,
            watch,
            socket: None,
            slots: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            outlet: Outlet::new(name, shared, host),
        }
    }

    /// Looks at the network for the first time.
    pub(crate) fn begin(&mut self) {
        self.on_net();
    }

    /// When it has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Takes its commands, then what is new of the network.
    pub(crate) fn look_up(&mut self) -> Life {
        loop {
            match self.commands.try_recv() {
                Ok(command) => self.on_command(command),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    self.end();
                    return Life::Ended;
                }
            }
        }
        if self.net.has_changed().unwrap_or(false) {
            self.on_net();
        }
        Life::GoesOn
    }

    /// All routers leave.
    pub(crate) fn end(&mut self) {
        self.stop_all();
        self.flush();
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Load { config, router, done } => {
                let outcome = self.load(config, *router);
                self.flush();
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
                let there = self.outlet.there();
                let host = &self.outlet.host;
                let all =
                    self.slots.iter().map(|(key, slot)| slot.snapshot(host.macvlan(*key), there)).collect();
                let _ = done.send(all);
            }
        }
    }

    fn load(&mut self, config: Arc<Vrouter>, definition: RouterConfig) -> Result<(), VrouterFault> {
        let (key, now) = (Key::of(&config), now());
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.router
                .reconfigure(definition, &self.outlet.shared.crypto, now)
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
            let mut router = VirtualRouter::new(definition, &self.outlet.shared.crypto, now)
                .map_err(|error| convert::fault(&error))?;
            if config.group.is_some() {
                router.handle_group(GroupOrder::Hold, now);
            }
            self.slots.insert(key, Box::new(Slot::new(config, router)));
            self.want_frames();
            let state = self.interface_state(key);
            self.with(key, |slot, now| slot.router.handle_interface(state, now));
        }
        let Some(slot) = self.slots.get(&key) else { return Ok(()) };
        let role = if slot.router.state() == State::Active { HostRole::Active } else { HostRole::Standby };
        self.outlet.host.want(key, &slot.config, role);
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
        self.outlet.host.forget(key);
        self.want_frames();
    }

    fn stop_all(&mut self) {
        let keys: Vec<Key> = self.slots.keys().copied().collect();
        for key in keys {
            self.with(key, |slot, now| slot.router.stop(now));
        }
        self.slots.clear();
        self.deadlines.clear();
        self.outlet.host.close();
    }

    /// Feeds a router, then does what it says and sets its timer.
    fn with(&mut self, key: Key, feed: impl FnOnce(&mut Slot, Now)) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        feed(slot, now());
        self.outlet.drain(key, slot);
        rearm(&mut self.deadlines, self.outlet.shared.begin, key, slot);
    }

    /// Routers whose time has come do what they have to.
    pub(crate) fn serve_deadlines(&mut self, begin: Instant, inbox: &mut Inbox) {
        if self.deadline().is_none_or(|at| at > begin) {
            return;
        }
        if self.somebody_listens(begin) {
            // What arrived in time counts, however late it is read.
            self.take_frames(inbox, FILLINGS_ALL);
        }
        let wall = SystemTime::now();
        while let Some((at, key)) = self.deadlines.first().copied().filter(|(at, _)| *at <= begin) {
            self.deadlines.pop_first();
            let Some(slot) = self.slots.get_mut(&key) else { continue };
            slot.armed = None;
            let mono = if begin.duration_since(at) < LATE_MAX { at } else { begin };
            slot.router.handle_timeout(Now { mono, wall });
            self.outlet.announce(key, slot, begin);
            self.outlet.drain(key, slot);
            rearm(&mut self.deadlines, self.outlet.shared.begin, key, slot);
        }
    }

    /// Whether a router is due that becomes Active if nothing was heard.
    fn somebody_listens(&self, now: Instant) -> bool {
        let mut due = self.deadlines.iter().take_while(|(at, _)| *at <= now);
        due.any(|(_, key)| self.slots.get(key).is_some_and(|slot| slot.router.state() != State::Active))
    }

    /// Takes frames that have arrived.
    pub(crate) fn receive(&mut self, inbox: &mut Inbox) {
        self.take_frames(inbox, FILLINGS);
    }

    fn take_frames(&mut self, inbox: &mut Inbox, fillings: usize) {
        for _ in 0..fillings {
            let Some(socket) = &self.socket else { return };
            match socket.receive(inbox) {
                Ok(0) => return,
                Ok(count) => {
                    let now = now();
                    for frame in inbox.frames(count) {
                        self.on_frame(frame, now);
                    }
                    if count < Inbox::CAPACITY {
                        return;
                    }
                }
                Err(error) => return self.lose_socket(&error),
            }
        }
    }

    fn on_frame(&mut self, frame: &[u8], now: Now) {
        let received = match Received::from_ethernet(frame) {
            Ok(received) => received,
            Err(error) => {
                if !self.outlet.answer(&self.slots, frame) {
                    let name = &self.outlet.name;
                    debug!(target: "NET", "interface {name}: a packet that is no advert: {error}");
                }
                return;
            }
        };
        let Some(vrid) = received.payload.get(1).copied().and_then(vrrp_proto::Vrid::new) else { return };
        let key = Key { family: vrrp_proto::Family::of(received.source), vrid };
        let Some(slot) = self.slots.get_mut(&key) else { return };
        if let Err(rejection) = slot.router.handle_advert(&received, now) {
            slot.dropped.count(&rejection);
        }
        self.outlet.drain(key, slot);
        rearm(&mut self.deadlines, self.outlet.shared.begin, key, slot);
    }

    /// The network changed, possibly here.
    fn on_net(&mut self) {
        let (link, primaries) = {
            let state = self.net.borrow_and_update();
            let seen = state.link(&self.outlet.name).map(|link| (link.index, state.revision(link.index)));
            if seen.is_some() && seen == self.seen && self.socket.is_some() {
                return;
            }
            self.seen = seen;
            let link = state.link(&self.outlet.name).cloned();
            let primary = link.as_ref().map(|link| Primaries::of(&state, link)).unwrap_or_default();
            let told = self
                .slots
                .iter()
                .map(|(key, slot)| (*key, state_of(&state, link.as_ref(), &primary, *key, slot)));
            let primaries: Vec<(Key, InterfaceState)> = told.collect();
            (link, primaries)
        };
        let recreated =
            link.as_ref().map(|link| link.index) != self.outlet.link.as_ref().map(|link| link.index);
        if recreated {
            match (&self.outlet.link, &link) {
                (Some(_), None) => info!(target: "KNL", "interface {} is gone", self.outlet.name),
                (None, Some(_)) if !self.slots.is_empty() => {
                    info!(target: "KNL", "interface {} is there", self.outlet.name);
                }
                _ => {}
            }
            self.socket = None;
            self.outlet.unicast = None;
        }
        self.outlet.link = link;
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
        let state = {
            let net = self.net.borrow();
            let link = self.outlet.link.as_ref();
            let primaries = link.map(|link| Primaries::of(&net, link)).unwrap_or_default();
            state_of(&net, link, &primaries, key, slot)
        };
        slot.told_interface = Some(state);
        state
    }

    fn open_socket(&mut self) {
        let Some(link) = self.outlet.link.as_ref().filter(|_| !self.slots.is_empty()) else { return };
        match AdvertSocket::open(link.index, self.wanted(), &self.watch) {
            Ok(socket) => self.socket = Some(socket),
            Err(error) => {
                warn!(target: "NET", "interface {}: no socket for adverts: {error}", self.outlet.name)
            }
        }
    }

    /// The device went down or away; the next change of the network tells.
    fn lose_socket(&mut self, error: &io::Error) {
        debug!(target: "NET", "interface {}: receiving failed: {error}", self.outlet.name);
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
                    warn!(target: "NET", "interface {}: the filter cannot be set: {error}", self.outlet.name);
                }
            }
            None => self.open_socket(),
        }
    }

    /// Sends what waits, then tells what is new.
    pub(crate) fn flush(&mut self) {
        match &self.socket {
            Some(socket) if !self.outlet.frames.is_empty() => {
                if let Err(error) = socket.send(&mut self.outlet.frames) {
                    debug!(target: "NET", "interface {}: sending failed: {error}", self.outlet.name);
                }
            }
            Some(_) => {}
            None => self.outlet.frames.clear(),
        }
        self.outlet.tell();
    }
}

/// Notes when a router wants to be served.
fn rearm(deadlines: &mut BTreeSet<(Instant, Key)>, begin: Instant, key: Key, slot: &mut Slot) {
    if let Some(due) = slot.router.next_advert() {
        slot.router.hasten_advert(pace::step_before(begin, due, slot.config.advert_interval));
    }
    let deadline = slot.deadline();
    if deadline != slot.armed {
        if let Some(armed) = slot.armed {
            deadlines.remove(&(armed, key));
        }
        if let Some(deadline) = deadline {
            deadlines.insert((deadline, key));
        }
        slot.armed = deadline;
    }
}

/// Where adverts of a link come from, looked up once for all its routers.
#[derive(Default)]
struct Primaries {
    ipv4: Option<IpAddr>,
    ipv6: Option<IpAddr>,
}

impl Primaries {
    fn of(net: &NetState, link: &Link) -> Self {
        Self { ipv4: net.primary(link.index, true), ipv6: net.primary(link.index, false) }
    }
}

/// What a router of that family is told of the interface.
fn state_of(
    net: &NetState,
    link: Option<&Link>,
    primaries: &Primaries,
    key: Key,
    slot: &Slot,
) -> InterfaceState {
    let Some(link) = link else { return InterfaceState::Down };
    if link.carrier == Carrier::Down && slot.config.track_primary.is_enabled() {
        return InterfaceState::Down;
    }
    let primary = match slot.config.source {
        Some(source) => {
            let held = net.addresses(link.index).iter().any(|known| known.held.address == source);
            Some(source).filter(|_| held)
        }
        None => match key.family {
            vrrp_proto::Family::Ipv4 => primaries.ipv4,
            vrrp_proto::Family::Ipv6 => primaries.ipv6,
        },
    };
    InterfaceState::Up { primary }
}

/// Both clocks.
fn now() -> Now {
    Now { mono: Instant::now(), wall: SystemTime::now() }
}
