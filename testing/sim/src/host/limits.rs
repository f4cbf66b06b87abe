//! What must hold of a host at any moment: nothing is kept beyond its time, and nothing grows without bound.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use ikev2_proto::admission::AdmissionLimits;

use super::Host;

/// Children and waiting tasks of an IKE_SA, at most: as many commands were never given.
const CHILDREN_SEEN_MAX: usize = 64;

/// How long an SA without child may stay in the kernel: the time for packets on their way, and the kernel's own.
const ORPHANED_MAX: Duration = Duration::from_secs(15);

/// How long an answer may take: more than the kernel and all jobs in its queue do.
const OWING_MAX: Duration = Duration::from_secs(120);

impl Host {
    /// What must hold at any moment: nothing is kept beyond its time, and nothing grows without bound.
    pub fn examine(&mut self, now: Instant) {
        let mut used = BTreeSet::new();
        let mut half_open = BTreeMap::<IpAddr, usize>::new();
        for sa in &self.sas {
            let snapshot = sa.snapshot(now);
            if sa.is_half_open() {
                *half_open.entry(snapshot.path.remote.ip()).or_default() += 1;
            }
            let queued = snapshot.tasks_queued.len();
            if snapshot.children.len() > CHILDREN_SEEN_MAX || queued > CHILDREN_SEEN_MAX {
                let (children, id) = (snapshot.children.len(), snapshot.unique_id);
                self.violations.push(format!("IKE_SA {id} has {children} children and {queued} tasks"));
            }
            for installed in snapshot.children.iter().filter_map(|child| child.installed.as_ref()) {
                used.extend([installed.spi_in.get(), installed.spi_out.get()]);
            }
        }
        let block = usize::try_from(AdmissionLimits::default().block_threshold).unwrap_or(usize::MAX);
        for (source, count) in half_open.into_iter().filter(|(_, count)| *count > block) {
            self.violations.push(format!("{count} half-open IKE_SAs from {source}"));
        }
        for (id, since) in &self.owing {
            if now.saturating_duration_since(*since) > OWING_MAX {
                self.violations.push(format!("IKE_SA {id} does not answer a request"));
            }
        }
        let orphans = self.kernel.sas().filter(|sa| !used.contains(&sa.spi.get()));
        let orphans: Vec<_> = orphans.map(|sa| (sa.destination.ip(), sa.spi.get())).collect();
        self.orphans.retain(|orphan, _| orphans.contains(orphan));
        for orphan in orphans {
            let since = *self.orphans.entry(orphan).or_insert(now);
            if now.saturating_duration_since(since) > ORPHANED_MAX {
                self.violations.push(format!("SA {:08x} outlives its child", orphan.1));
            }
        }
    }
}
