//! What all sessions share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime};

use charon_core::bus::Bus;
use charon_core::control::Control;
use charon_core::counters::Counters;
use charon_core::service::SettingsReload;
use charon_crypto::CryptoProvider;
use charon_types::proposal::AvailableAlgorithms;
use charon_types::services::ServiceNames;
use vici::Message;

use crate::listing::Turns;

/// The services that commands use, and what does not change while the daemon runs.
pub(crate) struct Server {
    pub(crate) control: Control,
    pub(crate) bus: Arc<Bus>,
    pub(crate) crypto: Arc<CryptoProvider>,
    pub(crate) available: AvailableAlgorithms,
    /// Absent in tests that have no settings file.
    pub(crate) reload: Option<Arc<dyn SettingsReload>>,
    /// Absent if the engine does not count.
    pub(crate) counters: Option<Arc<Counters>>,
    /// Names of protocols and ports.
    pub(crate) names: ServiceNames,
    /// Plugins loaded, in load order.
    pub(crate) plugins: Vec<&'static str>,
    /// What `version` answers; a running system keeps its name.
    pub(crate) version: Message,
    pub(crate) start: Start,
    pub(crate) rejected: Rejected,
    /// Of listings.
    pub(crate) turns: Turns,
}

/// When the daemon started.
pub(crate) struct Start {
    pub(crate) mono: Instant,
    pub(crate) wall: SystemTime,
}

impl Start {
    pub(crate) fn now() -> Self {
        Self { mono: Instant::now(), wall: SystemTime::now() }
    }
}

/// Packets that got no answer because they were none.
#[derive(Default)]
pub(crate) struct Rejected(AtomicU64);

impl Rejected {
    /// Counts one; how many there are now.
    pub(crate) fn count(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}
