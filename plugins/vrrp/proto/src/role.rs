//! Effects: what a decision of the machine does to the router and puts out.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use crate::advertise::adverts;
use crate::config::{OnHigherPriority, OnLowerPriority, RouterConfig};
use crate::forms::{Learnt, Occasion};
use crate::id::{Family, Now, Priority, Version};
use crate::interval::Interval;
use crate::machine::{Decision, State};
use crate::output::{Notice, Output, Reason, Transition};
use crate::prepared::{Kind, Repeats};
use crate::quiet::Quiet;
use crate::receive::Heard;
use crate::router::{Awaited, VirtualRouter};
use crate::snapshot::ActiveRouter;
use crate::timer::Timer;

/// An assertion that follows the last advertisement sooner than that is left out, so that a flood is not answered by a
/// flood: the shortest interval that the protocol knows.
const ASSERTIONS_APART: Interval = match Interval::from_centiseconds(1) {
    Some(interval) => interval,
    None => unreachable!(),
};

impl VirtualRouter {
    pub(crate) fn carry_out(&mut self, decision: Decision, reason: Reason, now: Now) {
        match decision {
            Decision::Stay => {}
            Decision::TakeOver => self.take_over(reason, now),
            Decision::StandBy => {
                self.active = None;
                self.active_interval = self.config.advert_interval;
                self.stand_by(reason, now);
            }
            Decision::Yield => {
                if self.config.on_higher_priority == OnHigherPriority::AdvertThenYield {
                    self.send(self.effective_priority(), now);
                }
                self.stand_by(reason, now);
            }
            Decision::Leave => self.leave(reason, now),
            Decision::Follow => self.follow(now),
            Decision::AwaitSkew => {
                // Never later than it would have been: a flood of these must not keep everybody waiting.
                let at = now.mono + self.skew_time();
                if self.timers.at(Timer::Down).is_none_or(|down| at < down) {
                    self.silent_since = now.mono;
                    self.awaited = Awaited::Skew;
                    self.arm_down();
                }
            }
            Decision::Advertise => self.advertise(now),
            Decision::Assert => self.assert(now),
        }
    }

    fn take_over(&mut self, reason: Reason, now: Now) {
        let from = self.state;
        self.state = State::Active;
        self.statistics.master_transitions += 1;
        self.timers.clear();
        self.forget_preemption();
        self.advertise(now);
        let addresses: Vec<IpAddr> = self.config.all_addresses().collect();
        self.outputs.push_back(Output::AddAddresses(addresses));
        self.announce(self.config.announce.repeat);
        if !self.config.announce.delay.is_zero() {
            self.timers.set(Timer::Announce, now.mono + self.config.announce.delay);
        }
        self.arm_refresh(now);
        self.changed(from, reason, now);
    }

    fn stand_by(&mut self, reason: Reason, now: Now) {
        let from = self.state;
        self.state = State::Backup;
        self.timers.clear();
        self.forget_preemption();
        self.withdraw(from);
        self.follow(now);
        self.changed(from, reason, now);
    }

    fn leave(&mut self, reason: Reason, now: Now) {
        let from = self.state;
        if from == State::Active {
            self.send(Priority::LEAVE, now);
        }
        self.state = State::Initialize;
        self.timers.clear();
        self.forget_preemption();
        self.active = None;
        self.active_interval = self.config.advert_interval;
        self.withdraw(from);
        self.changed(from, reason, now);
    }

    fn withdraw(&mut self, from: State) {
        match from {
            State::Active => {
                self.outputs.push_back(Output::RemoveAddresses(self.config.all_addresses().collect()))
            }
            State::Initialize | State::Backup => {}
        }
    }

    fn changed(&mut self, from: State, reason: Reason, now: Now) {
        self.reason = Some(reason);
        self.since = now.wall;
        self.quiet = Quiet::new();
        self.outputs.push_back(Output::Transition(Transition { from, to: self.state, reason }));
    }

    /// The Active router was heard: the full down interval from now.
    fn follow(&mut self, now: Now) {
        self.silent_since = now.mono;
        self.awaited = Awaited::Advert;
        self.arm_down();
    }

    /// Sets the down timer by what is known now.
    pub(crate) fn arm_down(&mut self) {
        let wait = match self.awaited {
            Awaited::Advert => self.down_interval(),
            Awaited::Skew => self.skew_time(),
        };
        match self.state {
            State::Backup => self.timers.set(Timer::Down, self.silent_since + wait),
            State::Initialize | State::Active => {}
        }
    }

    fn assert(&mut self, now: Now) {
        match self.config.on_lower_priority {
            OnLowerPriority::Ignore => {}
            OnLowerPriority::Assert => {
                let just_sent = self
                    .sent_at
                    .is_some_and(|at| now.mono.saturating_duration_since(at) < ASSERTIONS_APART.duration());
                if just_sent {
                    return;
                }
                self.advertise(now);
                // The other may have announced the addresses as its own last.
                let announce = self.config.announce;
                if announce.lower_priority_repeat > 0 && self.timers.at(Timer::Contention).is_none() {
                    self.announce(announce.lower_priority_repeat);
                    if !announce.lower_priority_delay.is_zero() {
                        self.timers.set(Timer::Contention, now.mono + announce.lower_priority_delay);
                    }
                }
            }
        }
    }

    /// Sends an advertisement and sets the timer of the next.
    pub(crate) fn advertise(&mut self, now: Now) {
        self.send(self.effective_priority(), now);
        self.timers.set(Timer::Advert, now.mono + self.config.advert_interval.duration());
    }

    /// When an Active router advertises next if nothing happens before.
    #[must_use]
    pub fn next_advert(&self) -> Option<Instant> {
        self.timers.at(Timer::Advert)
    }

    /// Has the next advertisement go at `at`, if that is earlier than it would, and those after it at the interval from then on. So those of
    /// many routers can be sent together.
    pub fn hasten_advert(&mut self, at: Instant) {
        if self.timers.at(Timer::Advert).is_some_and(|due| at < due) {
            self.timers.set(Timer::Advert, at);
        }
    }

    /// An advertisement that was due then and is sent late does not delay those after it, unless it missed their time, too.
    pub(crate) fn keep_pace(&mut self, due: Instant, now: Now) {
        let next = due + self.config.advert_interval.duration();
        if next > now.mono && self.timers.at(Timer::Advert).is_some() {
            self.timers.set(Timer::Advert, next);
        }
    }

    fn send(&mut self, priority: Priority, now: Now) {
        let Some(source) = self.primary() else { return };
        self.sent_at = Some(now.mono);
        for form in self.forms.wanted() {
            let repeats = if self.auth.trailer().is_some() { Repeats::No } else { Repeats::Yes };
            let make = || adverts(&self.config, &mut self.auth, priority, form, source, now.wall);
            for advert in self.prepared.adverts(Kind { priority, form, source }, repeats, make) {
                self.statistics.advertisement_sent += 1;
                if priority == Priority::LEAVE {
                    self.statistics.priority_zero_pkts_sent += 1;
                }
                self.outputs.push_back(Output::SendAdvert(Arc::clone(advert)));
            }
        }
    }

    pub(crate) fn announce(&mut self, repeat: u8) {
        if repeat > 0 {
            self.outputs
                .push_back(Output::Announce { addresses: self.config.all_addresses().collect(), repeat });
        }
    }

    pub(crate) fn arm_refresh(&mut self, now: Now) {
        if !self.config.announce.refresh.is_zero() {
            self.timers.set(Timer::Refresh, now.mono + self.config.announce.refresh);
        }
    }

    /// The addresses of an Active router changed.
    pub(crate) fn on_addresses(&mut self, old: &RouterConfig) {
        let config = &self.config;
        let removed: Vec<IpAddr> =
            old.all_addresses().filter(|one| !config.all_addresses().any(|new| new == *one)).collect();
        let added: Vec<IpAddr> =
            config.all_addresses().filter(|one| !old.all_addresses().any(|old| old == *one)).collect();
        if !removed.is_empty() {
            self.outputs.push_back(Output::RemoveAddresses(removed));
        }
        if !added.is_empty() {
            self.outputs.push_back(Output::AddAddresses(added.clone()));
            let repeat = self.config.announce.repeat.max(1);
            self.outputs.push_back(Output::Announce { addresses: added, repeat });
        }
    }

    /// What people want to know about an advertisement, whatever becomes of it.
    pub(crate) fn remark(&mut self, heard: &Heard, now: Now) {
        let source = heard.source;
        if heard.interval != Some(self.config.advert_interval) {
            self.statistics.interval_errors += 1;
            self.notice(Notice::IntervalDiffers { source, interval: heard.interval }, now);
        }
        if heard.addresses_differ {
            self.statistics.address_list_errors += 1;
            self.notice(Notice::AddressesDiffer { source }, now);
        }
        if self.state == State::Active
            && heard.priority < self.effective_priority()
            && heard.priority != Priority::LEAVE
        {
            self.notice(Notice::LowerPriorityHeard { source, priority: heard.priority }, now);
        }
    }

    /// Takes over what the Active router tells of itself.
    pub(crate) fn learn(&mut self, decision: Decision, heard: &Heard, now: Now) {
        match decision {
            Decision::Follow | Decision::Yield => {
                if let (Version::V3, Some(interval)) = (self.config.version, heard.interval) {
                    self.active_interval = interval;
                }
                self.learn_form(heard, Occasion::Followed, now);
                let active = ActiveRouter { address: heard.source, priority: heard.priority };
                if self.active.is_none_or(|known| known != active) {
                    self.notice(
                        Notice::ActiveRouter { source: active.address, priority: active.priority },
                        now,
                    );
                }
                self.active = Some(active);
            }
            Decision::Stay if self.state == State::Backup => {
                self.learn_form(heard, Occasion::Followed, now);
                self.active = Some(ActiveRouter { address: heard.source, priority: heard.priority });
            }
            // A rival that takes our checksums for wrong would never yield.
            Decision::Assert => self.learn_form(heard, Occasion::Contended, now),
            Decision::Stay
            | Decision::TakeOver
            | Decision::StandBy
            | Decision::Leave
            | Decision::AwaitSkew
            | Decision::Advertise => {}
        }
    }

    fn learn_form(&mut self, heard: &Heard, occasion: Occasion, now: Now) {
        if self.config.version != Version::V3 || self.config.family() != Family::Ipv4 {
            return;
        }
        let (source, form) = (heard.source, heard.checksum);
        if self.forms.hear(source, form, occasion) == Learnt::Form {
            // What was sent just now was not understood: it must not hold back the answer.
            self.sent_at = None;
            self.notice(Notice::ChecksumForm { source, form }, now);
        }
    }
}
