//! One virtual router on its interface: the protocol's machine with what belongs to it here.

use std::sync::Arc;
use std::time::Instant;

use charon_types::vrouter::{Vrouter, VrouterReason, VrouterSnapshot};
use vrrp_proto::frame::renumber;
use vrrp_proto::tracking::{Health, TrackTable};
use vrrp_proto::{Advert, GlobalStatistics, InterfaceState, Priority, Reason, VirtualRouter};

use crate::announce::Announcements;
use crate::convert;

/// A virtual router.
pub(crate) struct Slot {
    pub(crate) config: Arc<Vrouter>,
    pub(crate) router: VirtualRouter,
    pub(crate) tracks: TrackTable,
    pub(crate) announcements: Announcements,
    /// What it sent last.
    pub(crate) sent: Sent,
    /// When its timer is set to, as the interface has noted it.
    pub(crate) armed: Option<Instant>,
    /// Packets that it dropped for reasons that the protocol counts for all routers together.
    pub(crate) dropped: GlobalStatistics,
    /// What it was told of its interface last.
    pub(crate) told_interface: Option<InterfaceState>,
    /// What its group was told last.
    pub(crate) told_obstacle: Option<Option<Reason>>,
}

impl Slot {
    pub(crate) fn new(config: Arc<Vrouter>, router: VirtualRouter) -> Self {
        let mut slot = Self {
            config,
            router,
            tracks: TrackTable::default(),
            announcements: Announcements::default(),
            sent: Sent::default(),
            armed: None,
            dropped: GlobalStatistics::default(),
            told_interface: None,
            told_obstacle: None,
        };
        slot.track(&[]);
        slot
    }

    /// Tracks what the configuration says; what was tracked `before` and still is keeps its health.
    pub(crate) fn track(&mut self, before: &[charon_types::vrouter::Track]) {
        for old in before {
            if !self.config.track.contains(old) {
                self.tracks.untrack(&old.name);
            }
        }
        for track in &self.config.track {
            if !before.contains(track) {
                // Good until known: a tracker that has not looked yet must hold nobody back.
                let rule = convert::track_rule(track);
                let well = if track.inverted.is_enabled() { Health::Failed } else { Health::Well };
                self.tracks.track(track.name.as_str().into(), rule, well);
            }
        }
    }

    /// Whether questions for its addresses are answered by us, since the kernel must not have them.
    pub(crate) fn answers_itself(&self) -> bool {
        !self.config.accept.is_enabled() && Priority(self.config.priority) != Priority::OWNER
    }

    /// When it has something to do.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        [self.router.next_timeout(), self.announcements.next()].into_iter().flatten().min()
    }

    /// How it is.
    pub(crate) fn snapshot(
        &self,
        vmac_interface: Option<String>,
        missing: InterfaceThere,
    ) -> VrouterSnapshot {
        let now = self.router.snapshot();
        let reason = match (now.reason, missing) {
            (Some(Reason::InterfaceDown) | None, InterfaceThere::No) => VrouterReason::InterfaceMissing,
            (Some(reason), _) => convert::reason(reason),
            (None, InterfaceThere::Yes) => VrouterReason::Startup,
        };
        let mut counters = now.statistics.leaves().to_vec();
        counters.extend(self.dropped.leaves());
        VrouterSnapshot {
            config: Arc::clone(&self.config),
            state: convert::state(now.state),
            reason,
            since: now.since,
            effective_priority: now.effective_priority.0,
            source: now.primary,
            active: now.active.map(|active| active.address),
            active_priority: now.active.map(|active| active.priority.0),
            active_interval: now.active_interval.duration(),
            down_interval: now.down_interval,
            skew_time: now.skew_time,
            vmac_interface,
            failing: self.tracks.failed().map(|name| name.to_string()).collect(),
            counters,
        }
    }
}

/// The frame of the last advert, to be sent again: the same advert again differs in its identification only.
#[derive(Default)]
pub(crate) struct Sent {
    of: Option<(Arc<Advert>, [u8; 6])>,
    frame: Vec<u8>,
}

impl Sent {
    /// The frame of an advert.
    pub(crate) fn frame(&mut self, advert: Arc<Advert>, mac: [u8; 6], id: u16) -> &[u8] {
        match &self.of {
            Some((last, from)) if Arc::ptr_eq(last, &advert) && *from == mac => renumber(&mut self.frame, id),
            _ => {
                self.frame = advert.ethernet_frame(mac, None, id);
                self.of = Some((advert, mac));
            }
        }
        &self.frame
    }
}

/// Whether the interface exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InterfaceThere {
    Yes,
    No,
}
