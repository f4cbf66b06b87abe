//! Who takes which lines.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI8, AtomicU64, Ordering};

use charon_types::UniqueId;
use charon_types::event::{Event, LogGroup, LogRecord};
use parking_lot::{Mutex, RwLock};
use tokio::sync::mpsc;

use super::sink::Sink;
use super::tap::{Attached, LogTap, TAP_DEPTH};
use crate::bus::{Bus, Overflow, Subscription};

/// Highest level of the `log` event, whatever the settings say.
const EVENT_LEVEL_MAX: i8 = 1;

/// The takers of the log. Clones share them.
#[derive(Clone)]
pub struct LogHub(pub(super) Arc<Inner>);

pub(super) struct Inner {
    bus: Arc<Bus>,
    sinks: RwLock<Vec<Sink>>,
    /// Those that no logger of the settings is for.
    kept: RwLock<Vec<Sink>>,
    taps: Mutex<HashMap<UniqueId, Vec<Attached>>>,
    /// Levels that taps and subscriptions ask of every group, one entry each.
    wanted: Mutex<Vec<i8>>,
    thresholds: [AtomicI8; LogGroup::ALL.len()],
    serial: AtomicU64,
}

/// A subscription to the `log` event, which raises what is formatted while it lives.
pub struct LogSubscription {
    events: Subscription,
    hub: Arc<Inner>,
}

impl LogHub {
    /// A hub that takes nothing yet.
    #[must_use]
    pub fn new(bus: Arc<Bus>) -> Self {
        Self(Arc::new(Inner {
            bus,
            sinks: RwLock::default(),
            kept: RwLock::default(),
            taps: Mutex::default(),
            wanted: Mutex::default(),
            thresholds: std::array::from_fn(|_| AtomicI8::new(-1)),
            serial: AtomicU64::new(0),
        }))
    }

    /// Replaces the sinks.
    pub fn set_sinks(&self, sinks: Vec<Sink>) {
        *self.0.sinks.write() = sinks;
        self.0.refresh();
    }

    /// Replaces the sinks that stay when those of the settings are replaced.
    pub fn keep_sinks(&self, sinks: Vec<Sink>) {
        *self.0.kept.write() = sinks;
        self.0.refresh();
    }

    /// The log as events, lossy.
    #[must_use]
    pub fn subscribe(&self, depth: usize) -> LogSubscription {
        let events =
            self.0.bus.subscribe(depth, Overflow::DropOldest, |event| matches!(event, Event::Log(_)));
        self.0.want_level(EVENT_LEVEL_MAX);
        LogSubscription { events, hub: Arc::clone(&self.0) }
    }

    /// A tap for lines up to `level` of one IKE_SA, and the stream of its lines.
    #[must_use]
    pub fn tap(&self, level: i8) -> (LogTap, mpsc::Receiver<Arc<LogRecord>>) {
        let (sender, receiver) = mpsc::channel(TAP_DEPTH);
        self.0.want_level(level);
        (LogTap::new(Arc::clone(&self.0), level, sender), receiver)
    }
}

impl LogSubscription {
    /// The next line. Cancel safe.
    pub async fn recv(&mut self) -> Option<Arc<LogRecord>> {
        loop {
            if let Event::Log(record) = self.events.recv().await? {
                return Some(record);
            }
        }
    }
}

impl Drop for LogSubscription {
    fn drop(&mut self) {
        self.hub.forget_level(EVENT_LEVEL_MAX);
    }
}

impl Inner {
    pub(super) fn enabled(&self, group: LogGroup, level: i8) -> bool {
        level <= self.thresholds[group as usize].load(Ordering::Relaxed)
    }

    /// Whether anybody takes anything.
    pub(super) fn listens(&self) -> bool {
        self.thresholds.iter().any(|threshold| threshold.load(Ordering::Relaxed) >= 0)
    }

    pub(super) fn take(&self, record: LogRecord) {
        let record = Arc::new(record);
        for sink in self.sinks.read().iter().chain(self.kept.read().iter()) {
            if sink.takes(record.group, record.level) {
                sink.write(&record);
            }
        }
        if let Some((_, ike_sa)) = &record.ike_sa {
            for tap in self.taps.lock().get(ike_sa).into_iter().flatten() {
                if record.level <= tap.level {
                    // A client that reads too slowly loses lines, never the SA its time.
                    drop(tap.lines.try_send(Arc::clone(&record)));
                }
            }
        }
        if record.level <= EVENT_LEVEL_MAX {
            self.bus.publish(&Event::Log(record));
        }
    }

    pub(super) fn attach(&self, ike_sa: UniqueId, level: i8, lines: mpsc::Sender<Arc<LogRecord>>) -> u64 {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        self.taps.lock().entry(ike_sa).or_default().push(Attached { serial, level, lines });
        serial
    }

    pub(super) fn detach(&self, ike_sa: UniqueId, serial: u64) {
        let mut taps = self.taps.lock();
        if let Some(attached) = taps.get_mut(&ike_sa) {
            attached.retain(|tap| tap.serial != serial);
            if attached.is_empty() {
                taps.remove(&ike_sa);
            }
        }
    }

    pub(super) fn want_level(&self, level: i8) {
        self.wanted.lock().push(level);
        self.refresh();
    }

    pub(super) fn forget_level(&self, level: i8) {
        let mut wanted = self.wanted.lock();
        if let Some(position) = wanted.iter().position(|&other| other == level) {
            wanted.swap_remove(position);
        }
        drop(wanted);
        self.refresh();
    }

    /// Recomputes what anybody takes; call sites that nobody takes cost a load and a branch.
    fn refresh(&self) {
        let wanted = self.wanted.lock().iter().copied().max().unwrap_or(-1);
        let (sinks, kept) = (self.sinks.read(), self.kept.read());
        let mut changed = false;
        for &group in LogGroup::ALL {
            let all = sinks.iter().chain(kept.iter());
            let level = all.map(|sink| sink.levels.get(group)).max().unwrap_or(-1).max(wanted);
            changed |= self.thresholds[group as usize].swap(level, Ordering::Relaxed) != level;
        }
        drop((sinks, kept));
        if changed {
            tracing::callsite::rebuild_interest_cache();
        }
    }
}
