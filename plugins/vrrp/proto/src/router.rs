//! One virtual router: inputs, and what it knows. [`crate::role`] has the effects of a change of role.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, Instant, SystemTime};

use charon_crypto::CryptoProvider;

use crate::auth::Authenticator;
use crate::config::{ConfigError, Preemption, RouterConfig, Transport};
use crate::forms::Forms;
use crate::group::GroupOrder;
use crate::id::{Family, Now, Priority, Version};
use crate::interval::Interval;
use crate::machine::{Event, Facts, State, decide};
use crate::output::{Notice, Output, Reason};
use crate::prepared::Prepared;
use crate::quiet::Quiet;
use crate::receive::{Heard, Received, Receiver, Rejection};
use crate::snapshot::{ActiveRouter, Snapshot};
use crate::statistics::Statistics;
use crate::timer::{self, Timer, TimerTable};
use crate::tracking::Tracked;

/// Senders by multicast whose sequence numbers are remembered.
const REPLAY_SLOTS_MULTICAST: usize = 4;

/// What a virtual router is told of its interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InterfaceState {
    /// Down, without carrier, or gone.
    Down,
    /// Up.
    Up {
        /// The address to send from: the primary IPv4 address, or a link-local IPv6 address that left duplicate address
        /// detection.
        primary: Option<IpAddr>,
    },
}

/// A virtual router on an interface. See the crate's documentation for how it is driven.
pub struct VirtualRouter {
    pub(crate) config: RouterConfig,
    pub(crate) auth: Authenticator,
    pub(crate) state: State,
    pub(crate) reason: Option<Reason>,
    pub(crate) since: SystemTime,
    pub(crate) interface: InterfaceState,
    admin: Admin,
    tracked: Tracked,
    group_hold: Hold,
    pub(crate) timers: TimerTable,
    /// When the Active router was heard last, and what the down timer then was set to.
    pub(crate) silent_since: Instant,
    pub(crate) awaited: Awaited,
    pub(crate) active_interval: Interval,
    pub(crate) active: Option<ActiveRouter>,
    /// Since when a router of lower priority is let be, to preempt it after the delay.
    preempt_hold: Option<Instant>,
    pub(crate) forms: Forms,
    pub(crate) prepared: Prepared,
    pub(crate) sent_at: Option<Instant>,
    pub(crate) quiet: Quiet,
    pub(crate) outputs: VecDeque<Output>,
    pub(crate) statistics: Statistics,
    pub(crate) discontinuity: SystemTime,
}

/// Whether it shall run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Admin {
    Started,
    Stopped,
}

/// Whether its sync group holds it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    Free,
    Held,
}

/// What the down timer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// The next advertisement.
    Advert,
    /// Nothing: the Active router left, only the skew separates the candidates.
    Skew,
}

impl VirtualRouter {
    /// A router in [`State::Initialize`]. It starts as soon as it is told that its interface is up.
    ///
    /// # Errors
    /// What [`RouterConfig::check`] says, or that `crypto` lacks what the authentication needs.
    pub fn new(config: RouterConfig, crypto: &CryptoProvider, now: Now) -> Result<Self, ConfigError> {
        config.check()?;
        let auth = Authenticator::new(&config.authentication, replay_slots(&config), crypto)?;
        Ok(Self {
            active_interval: config.advert_interval,
            forms: Forms::new(config.checksum),
            prepared: Prepared::default(),
            config,
            auth,
            state: State::Initialize,
            reason: None,
            since: now.wall,
            interface: InterfaceState::Down,
            admin: Admin::Started,
            tracked: Tracked::default(),
            group_hold: Hold::Free,
            timers: TimerTable::default(),
            silent_since: now.mono,
            awaited: Awaited::Advert,
            active: None,
            preempt_hold: None,
            sent_at: None,
            quiet: Quiet::new(),
            outputs: VecDeque::new(),
            statistics: Statistics::default(),
            discontinuity: now.wall,
        })
    }

    /// A packet for this interface, family and VRID.
    ///
    /// # Errors
    /// Why it was dropped; it is counted here already, [`crate::GlobalStatistics::count`] takes the rest.
    pub fn handle_advert(&mut self, received: &Received<'_>, now: Now) -> Result<(), Rejection> {
        let mut receiver = Receiver {
            effective: self.effective_priority(),
            primary: self.primary(),
            config: &self.config,
            auth: &mut self.auth,
            wall: now.wall,
        };
        match receiver.check(received) {
            Ok(heard) => {
                self.on_advert(heard, now);
                Ok(())
            }
            Err(reason) => {
                self.statistics.count(&reason);
                let source = received.source;
                if matches!(reason, Rejection::OwnerConflict { priority: Priority::OWNER }) {
                    self.notice(Notice::SecondOwner { source }, now);
                }
                if self.quiet.may_say_rejection(&reason, now.mono) {
                    self.outputs.push_back(Output::Rejected { source, reason });
                }
                Err(reason)
            }
        }
    }

    /// Some of the timers may be due.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some((timer, due)) = self.timers.take_due(now.mono) {
            match timer {
                Timer::Down => {
                    let reason = match (self.awaited, &self.active) {
                        (Awaited::Skew, _) => Reason::ActiveLeft,
                        (Awaited::Advert, Some(active)) if active.priority < self.effective_priority() => {
                            Reason::Preempted
                        }
                        (Awaited::Advert, _) => Reason::NoResponse,
                    };
                    self.on_event(Event::DownTimer, reason, now);
                }
                Timer::Advert => {
                    self.on_event(Event::AdvertTimer, Reason::Startup, now);
                    self.keep_pace(due, now);
                }
                Timer::Announce => self.announce(self.config.announce.repeat),
                Timer::Contention => self.announce(self.config.announce.lower_priority_repeat),
                Timer::Refresh => {
                    self.announce(self.config.announce.refresh_repeat);
                    self.arm_refresh(now);
                }
            }
        }
    }

    /// The interface came up, went down, or changed the address that it sends from.
    pub fn handle_interface(&mut self, interface: InterfaceState, now: Now) {
        let before = (self.state, self.primary());
        self.interface = interface;
        self.settle(Reason::Startup, now);
        if before.0 == State::Active && self.state == State::Active && before.1 != self.primary() {
            self.advertise(now);
        }
    }

    /// What is tracked changed: see [`crate::tracking::TrackTable`].
    pub fn set_tracked(&mut self, tracked: Tracked, now: Now) {
        let before = self.effective_priority();
        self.tracked = tracked;
        self.on_priority(before, now);
        self.settle(Reason::Startup, now);
    }

    /// The sync group says what to do: see [`crate::group::SyncGroup`].
    pub fn handle_group(&mut self, order: GroupOrder, now: Now) {
        match order {
            GroupOrder::Hold => {
                self.group_hold = Hold::Held;
                self.settle(Reason::Group, now);
            }
            GroupOrder::Release => {
                self.group_hold = Hold::Free;
                self.settle(Reason::Group, now);
            }
            GroupOrder::Promote => self.on_event(Event::Promote, Reason::Group, now),
            GroupOrder::Demote => self.on_event(Event::Demote, Reason::Group, now),
        }
    }

    /// Takes another definition of the same router. Whatever did not change goes on undisturbed.
    ///
    /// # Errors
    /// As [`VirtualRouter::new`], and [`ConfigError::OtherRouter`]; then nothing changed.
    pub fn reconfigure(
        &mut self,
        config: RouterConfig,
        crypto: &CryptoProvider,
        now: Now,
    ) -> Result<(), ConfigError> {
        config.check()?;
        let same = (&*config.interface, config.vrid, config.family());
        if same != (&*self.config.interface, self.config.vrid, self.config.family()) {
            return Err(ConfigError::OtherRouter);
        }
        if config == self.config {
            return Ok(());
        }
        let old = &self.config;
        if config.authentication != old.authentication || config.transport != old.transport {
            self.auth = Authenticator::new(&config.authentication, replay_slots(&config), crypto)?;
        }
        if config.checksum != old.checksum || config.version != old.version {
            self.forms = Forms::new(config.checksum);
        }
        self.prepared.clear();
        let before = self.effective_priority();
        if self.active.is_none() || self.state == State::Active || config.version == Version::V2 {
            self.active_interval = config.advert_interval;
        }
        let old = std::mem::replace(&mut self.config, config);
        if self.state == State::Active {
            self.on_addresses(&old);
            self.advertise(now);
        }
        self.on_priority(before, now);
        self.arm_down();
        Ok(())
    }

    /// Stops: leaves its role, with an advertisement of priority 0 if it was Active. [`VirtualRouter::start`] undoes it.
    pub fn stop(&mut self, now: Now) {
        self.admin = Admin::Stopped;
        self.settle(Reason::Stopped, now);
    }

    /// Starts again what was stopped. A new router needs no start.
    pub fn start(&mut self, now: Now) {
        self.admin = Admin::Started;
        self.settle(Reason::Startup, now);
    }

    /// When [`VirtualRouter::handle_timeout`] has something to do.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The next thing to do, until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Its role.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// Its definition.
    #[must_use]
    pub const fn config(&self) -> &RouterConfig {
        &self.config
    }

    /// Counters.
    #[must_use]
    pub const fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    /// Sets the counters to zero.
    pub fn reset_statistics(&mut self, now: Now) {
        self.statistics = Statistics::default();
        self.discontinuity = now.wall;
    }

    /// Base priority with everything that is tracked: what it advertises.
    #[must_use]
    pub fn effective_priority(&self) -> Priority {
        self.config.priority.adjusted(self.tracked.adjustment())
    }

    /// Announces all addresses now if it is Active (keepalived's SendGarp).
    pub fn announce_now(&mut self) {
        if self.state == State::Active {
            self.announce(1);
        }
    }

    /// How it is.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let effective_priority = self.effective_priority();
        let own = |address| ActiveRouter { address, priority: effective_priority };
        Snapshot {
            name: self.config.name.clone(),
            interface: self.config.interface.clone(),
            vrid: self.config.vrid,
            version: self.config.version,
            family: self.config.family(),
            state: self.state,
            reason: self.reason,
            since: self.since,
            priority: self.config.priority,
            effective_priority,
            addresses: self.config.addresses.clone(),
            excluded: self.config.excluded.clone(),
            advert_interval: self.config.advert_interval,
            active_interval: self.active_interval,
            skew_time: self.skew_time(),
            down_interval: self.down_interval(),
            preemption: self.config.preemption,
            accept: self.config.accept,
            authentication: self.config.authentication.name(),
            primary: self.primary(),
            active: match self.state {
                State::Initialize => None,
                State::Backup => self.active,
                State::Active => self.primary().map(own),
            },
            statistics: self.statistics,
            discontinuity: self.discontinuity,
        }
    }

    pub(crate) fn primary(&self) -> Option<IpAddr> {
        match self.interface {
            InterfaceState::Down => None,
            InterfaceState::Up { primary } => {
                primary.filter(|address| Family::of(*address) == self.config.family())
            }
        }
    }

    pub(crate) fn skew_time(&self) -> Duration {
        timer::skew_time(self.config.version, self.effective_priority(), self.active_interval)
    }

    pub(crate) fn down_interval(&self) -> Duration {
        timer::down_interval(
            self.config.version,
            self.effective_priority(),
            self.active_interval,
            self.config.down_timer_adverts,
        )
    }

    /// What keeps it from running, its sync group aside: see [`crate::group::SyncGroup::handle_obstacle`].
    #[must_use]
    pub fn obstacle(&self) -> Option<Reason> {
        match (self.admin, self.interface) {
            (Admin::Stopped, _) => Some(Reason::Stopped),
            (Admin::Started, InterfaceState::Down) => Some(Reason::InterfaceDown),
            (Admin::Started, InterfaceState::Up { .. }) if self.primary().is_none() => {
                Some(Reason::NoPrimaryAddress)
            }
            (Admin::Started, InterfaceState::Up { .. }) if self.tracked.is_fault() => {
                Some(Reason::TrackedFault)
            }
            (Admin::Started, InterfaceState::Up { .. }) => None,
        }
    }

    /// Starts or leaves, as everything that may hold it back says.
    fn settle(&mut self, reason: Reason, now: Now) {
        let held = || match self.group_hold {
            Hold::Free => None,
            Hold::Held => Some(Reason::Group),
        };
        match self.obstacle().or_else(held) {
            Some(obstacle) => {
                self.on_event(Event::Shutdown, obstacle, now);
                self.reason = Some(obstacle);
            }
            None => self.on_event(Event::Startup, reason, now),
        }
    }

    fn on_event(&mut self, event: Event, reason: Reason, now: Now) {
        let facts = Facts { own: self.effective_priority(), preempts: false };
        let reason = match (event, facts.own.is_owner()) {
            (Event::Startup, true) => Reason::Owner,
            _ => reason,
        };
        self.carry_out(decide(self.state, event, facts), reason, now);
    }

    fn on_advert(&mut self, heard: Heard, now: Now) {
        let Heard { source, priority, .. } = heard;
        let Some(primary) = self.primary() else { return };
        self.statistics.advertisement_rcvd += 1;
        if priority == Priority::LEAVE {
            self.statistics.priority_zero_pkts_rcvd += 1;
        }
        self.remark(&heard, now);
        let own = self.effective_priority();
        let facts = Facts { own, preempts: self.preempts(priority, own, now.mono) };
        let decision = decide(self.state, Event::Heard { priority, sender: source.cmp(&primary) }, facts);
        self.learn(decision, &heard, now);
        self.carry_out(decision, Reason::HigherPriority { by: source, priority }, now);
    }

    /// Whether a router of that priority is taken over from; starts and ends the time that it is let be.
    fn preempts(&mut self, priority: Priority, own: Priority, now: Instant) -> bool {
        if priority >= own || self.state != State::Backup {
            self.preempt_hold = None;
            return true;
        }
        match self.config.preemption {
            _ if own.is_owner() || priority == Priority::LEAVE => true,
            Preemption::Never => false,
            Preemption::After(delay) => {
                let since = *self.preempt_hold.get_or_insert(now);
                now.saturating_duration_since(since) >= delay
            }
        }
    }

    /// The effective priority may have changed.
    fn on_priority(&mut self, before: Priority, now: Now) {
        let priority = self.effective_priority();
        if before == priority {
            return;
        }
        self.notice(Notice::PriorityChanged { from: before, to: priority }, now);
        match self.state {
            State::Backup if priority.is_owner() => self.on_event(Event::Promote, Reason::Owner, now),
            State::Backup => self.arm_down(),
            State::Initialize | State::Active => {}
        }
    }

    pub(crate) fn notice(&mut self, notice: Notice, now: Now) {
        if self.quiet.may_say_notice(&notice, now.mono) {
            self.outputs.push_back(Output::Notice(notice));
        }
    }

    pub(crate) const fn forget_preemption(&mut self) {
        self.preempt_hold = None;
    }
}

fn replay_slots(config: &RouterConfig) -> usize {
    match &config.transport {
        Transport::Multicast => REPLAY_SLOTS_MULTICAST,
        Transport::Unicast { peers } => peers.len(),
    }
}
