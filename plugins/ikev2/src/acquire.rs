//! Packets that met a trap: each brings its child up.

use std::collections::HashSet;
use std::sync::Arc;

use charon_core::service::ike_engine::Initiate;
use charon_types::id::Reqid;
use charon_types::selector::PacketSelectors;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tracing::{debug, info};

use crate::engine;
use crate::shared::Shared;

/// Traps whose children are being brought up. Bounded by the number of traps.
#[derive(Debug, Default)]
pub(crate) struct Acquires(Mutex<HashSet<Reqid>>);

impl Acquires {
    /// `false` if it was begun already.
    fn begin(&self, reqid: Reqid) -> bool {
        self.0.lock().insert(reqid)
    }

    fn end(&self, reqid: Reqid) {
        self.0.lock().remove(&reqid);
    }
}

/// Brings the child of a trap up, unless that is under way. Only one at a time: its answer decides whether the next packet
/// needs a child of its own.
pub(crate) fn on_acquire(shared: &Arc<Shared>, reqid: Reqid, packet: PacketSelectors) {
    let Some((connection, child)) = shared.policies.trap(reqid) else {
        debug!(target: "KNL", "an acquire with reqid {{{reqid}}}, which no trap has");
        return;
    };
    let PacketSelectors { local, remote } = packet;
    if !shared.acquires.begin(reqid) {
        debug!(target: "CFG", "ignoring acquire for reqid {{{reqid}}}, connection attempt pending");
        return;
    }
    info!(target: "KNL", "creating acquire job for policy {local} === {remote} with reqid {{{reqid}}}");
    let packet = Some(packet).filter(|_| !shared.options.current().ignore_acquire_ts.is_enabled());
    let shared = Arc::clone(shared);
    // Touches nothing but the set: abandoning it when the daemon ends is safe.
    tokio::spawn(async move {
        let (done, outcome) = oneshot::channel();
        let request = Initiate { connection, child: Some(child), packet, tap: None };
        engine::initiate(Arc::clone(&shared), request, done).await;
        // Whether it came up or not, the next packet may ask again.
        drop(outcome.await);
        shared.acquires.end(reqid);
    });
}
