//! Which SA an outbound packet takes: policies by closeness of their selectors.
//!
//! Policies of one shape (family and the two prefix lengths) lie in one hash table under their two networks, so that a
//! lookup costs a probe for each shape in use, however many policies there are. Ranges lie under the subnet that covers them
//! and are compared exactly afterwards.

use std::cmp::Reverse;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use charon_types::id::Reqid;
use charon_types::kernel_op::Policy;

use crate::clock::Millis;
use crate::flow::{Family, Flow, address_bits};
use crate::outbound::OutboundSa;
use crate::selector::Selector;
use crate::snapshot_map::SnapshotMap;

/// How long a policy without an SA is silent after a packet that it reported.
const ASK_INTERVAL: Duration = Duration::from_millis(500);

/// What becomes of packets that an outbound policy matches.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Sa(Arc<OutboundSa>),
    /// Whoever keeps that reqid is asked for an SA.
    NoSa(Reqid),
    Drop,
}

/// An outbound policy as lookups see it.
#[derive(Debug)]
pub(crate) struct OutboundPolicy {
    source: Selector,
    destination: Selector,
    shape: ShapeKey,
    networks: (u128, u128),
    priority: u32,
    target: ArcSwap<Target>,
    /// From when on an SA may be asked for again.
    quiet_until: AtomicU64,
}

impl OutboundPolicy {
    pub(crate) fn new(policy: &Policy, priority: u32) -> Self {
        let (source_net, source_prefix) = policy.source.covering_subnet();
        let (destination_net, destination_prefix) = policy.destination.covering_subnet();
        let (family, source_bits) = address_bits(source_net);
        Self {
            source: Selector::from(&policy.source),
            destination: Selector::from(&policy.destination),
            shape: ShapeKey { family, source_prefix, destination_prefix },
            networks: (source_bits, address_bits(destination_net).1),
            priority,
            target: ArcSwap::from_pointee(Target::Drop),
            quiet_until: AtomicU64::new(0),
        }
    }

    pub(crate) fn target(&self) -> arc_swap::Guard<Arc<Target>> {
        self.target.load()
    }

    pub(crate) fn set_target(&self, target: Target) {
        self.target.store(Arc::new(target));
    }

    /// Whether a packet without an SA is reported. At most one for a while: a flood of packets makes no flood of events.
    pub(crate) fn may_ask(&self, now: Millis) -> bool {
        let until = self.quiet_until.load(Ordering::Relaxed);
        let later = now.after(ASK_INTERVAL).0;
        now.0 >= until
            && self.quiet_until.compare_exchange(until, later, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn holds(&self, flow: &Flow) -> bool {
        self.source.holds_source(flow) && self.destination.holds_destination(flow)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ShapeKey {
    family: Family,
    source_prefix: u8,
    destination_prefix: u8,
}

struct Shape {
    key: ShapeKey,
    /// No policy of this shape has a smaller priority.
    best: u32,
    count: usize,
    entries: Arc<SnapshotMap<(u128, u128), Bucket>>,
}

/// Policies of one shape between the same two networks, the best first.
type Bucket = Arc<[Arc<OutboundPolicy>]>;

/// All outbound policies. Lookups take no lock; the caller sees to it that one thread changes it at a time.
pub(crate) struct PolicyTable {
    /// Those with the best policies first.
    shapes: ArcSwap<Vec<Arc<Shape>>>,
    generation: AtomicU64,
}

impl PolicyTable {
    pub(crate) fn new() -> Self {
        Self { shapes: ArcSwap::default(), generation: AtomicU64::new(0) }
    }

    /// Changes with every change of the table, so that a cached answer can be told to be stale.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(crate) fn lookup(&self, flow: &Flow) -> Option<Arc<OutboundPolicy>> {
        let mut found: Option<Arc<OutboundPolicy>> = None;
        for shape in self.shapes.load().iter() {
            if found.as_ref().is_some_and(|found| found.priority <= shape.best) {
                break;
            }
            let ShapeKey { family, source_prefix, destination_prefix } = shape.key;
            if family != flow.family {
                continue;
            }
            let networks = (
                flow.source & netmask(family, source_prefix),
                flow.destination & netmask(family, destination_prefix),
            );
            let Some(entries) = shape.entries.get(&networks) else { continue };
            let Some(candidate) = entries.iter().find(|policy| policy.holds(flow)) else { continue };
            if found.as_ref().is_none_or(|found| candidate.priority < found.priority) {
                found = Some(Arc::clone(candidate));
            }
        }
        found
    }

    pub(crate) fn insert(&self, policy: &Arc<OutboundPolicy>) {
        let mut shapes = Vec::clone(&self.shapes.load());
        let at = shapes.iter().position(|shape| shape.key == policy.shape);
        let shape = match at.map(|at| shapes.swap_remove(at)) {
            Some(shape) => Shape {
                key: shape.key,
                best: shape.best.min(policy.priority),
                count: shape.count.saturating_add(1),
                entries: Arc::clone(&shape.entries),
            },
            None => Shape {
                key: policy.shape,
                best: policy.priority,
                count: 1,
                entries: Arc::new(SnapshotMap::new()),
            },
        };
        let mut entries: Vec<_> = shape.entries.get(&policy.networks).unwrap_or_default().to_vec();
        entries.push(Arc::clone(policy));
        entries.sort_by_key(|held| held.priority);
        shape.entries.insert(policy.networks, entries.into());
        shapes.push(Arc::new(shape));
        self.publish(shapes);
    }

    pub(crate) fn remove(&self, policy: &Arc<OutboundPolicy>) {
        let mut shapes = Vec::clone(&self.shapes.load());
        let Some(at) = shapes.iter().position(|shape| shape.key == policy.shape) else { return };
        let shape = shapes.swap_remove(at);
        let mut entries: Vec<_> = shape.entries.get(&policy.networks).unwrap_or_default().to_vec();
        entries.retain(|held| !Arc::ptr_eq(held, policy));
        if entries.is_empty() {
            shape.entries.remove(&policy.networks);
        } else {
            shape.entries.insert(policy.networks, entries.into());
        }
        let count = shape.count.saturating_sub(1);
        if count > 0 {
            let entries = Arc::clone(&shape.entries);
            shapes.push(Arc::new(Shape { key: shape.key, best: shape.best, count, entries }));
        }
        self.publish(shapes);
    }

    fn publish(&self, mut shapes: Vec<Arc<Shape>>) {
        let closeness = |key: ShapeKey| u16::from(key.source_prefix) + u16::from(key.destination_prefix);
        shapes.sort_by_key(|shape| (shape.best, Reverse(closeness(shape.key))));
        self.shapes.store(Arc::new(shapes));
        self.generation.fetch_add(1, Ordering::Release);
    }
}

/// The bits of a prefix of that length.
fn netmask(family: Family, prefix: u8) -> u128 {
    let hosts = u32::from(family.width().saturating_sub(prefix));
    u128::MAX.checked_shl(hosts).unwrap_or(0)
}

#[cfg(test)]
mod tests;
