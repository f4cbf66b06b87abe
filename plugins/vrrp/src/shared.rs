//! What all interfaces share.

use std::sync::Arc;
use std::time::Instant;

use charon_core::bus::Bus;
use charon_core::config::VrouterRoles;
use charon_crypto::CryptoProvider;
use charon_types::event::Event;
use tokio::sync::{mpsc, watch};
use tracing::warn;

use crate::group::Groups;
use crate::net_state::NetState;
use crate::report::Report;

/// The services that interfaces use.
pub(crate) struct Shared {
    pub(crate) crypto: Arc<CryptoProvider>,
    pub(crate) bus: Arc<Bus>,
    pub(crate) roles: Arc<VrouterRoles>,
    pub(crate) groups: Groups,
    pub(crate) state: watch::Receiver<NetState>,
    /// From when steps of adverts are counted.
    pub(crate) begin: Instant,
    pub(crate) reports: mpsc::Sender<Report>,
}

impl Shared {
    /// Tells the bus at once, and the notifier, which runs scripts in order.
    pub(crate) fn report(&self, report: Report) {
        if let Report::Transition { snapshot, former } = &report {
            self.bus.publish(&Event::VrouterState(Arc::clone(snapshot), *former));
        }
        if self.reports.try_send(report).is_err() {
            warn!(target: "IKE", "notifications of virtual routers fall behind, one is lost");
        }
    }
}
