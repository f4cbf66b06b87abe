//! Reqids: equal policies share one, so that SAs of one child and its successors serve the same policies.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use charon_types::id::Reqid;
use charon_types::selector::TrafficSelector;
use charon_types::tag::{TagNumbers, Tags};
use parking_lot::Mutex;

/// What policies have in common when they share a reqid.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PolicyKey {
    /// Our side.
    pub local_ts: Vec<TrafficSelector>,
    /// The peer's side.
    pub remote_ts: Vec<TrafficSelector>,
    /// Marks and XFRM interface ids.
    pub tags: Tags,
}

/// The reqids in use, and the numbers of `%unique` marks and interface ids.
#[derive(Debug)]
pub struct Reqids {
    inner: Mutex<Inner>,
    marks: AtomicU32,
    if_ids: AtomicU32,
}

#[derive(Debug)]
struct Inner {
    by_key: HashMap<Arc<PolicyKey>, Reqid>,
    uses: HashMap<Reqid, Use>,
    next: NonZeroU32,
}

#[derive(Debug)]
struct Use {
    count: usize,
    key: Option<Arc<PolicyKey>>,
}

impl Reqids {
    /// Automatic reqids count from `base` (`charon.reqid_base`).
    #[must_use]
    pub fn new(base: NonZeroU32) -> Self {
        let inner = Inner { by_key: HashMap::new(), uses: HashMap::new(), next: base };
        Self { inner: Mutex::new(inner), marks: AtomicU32::new(1), if_ids: AtomicU32::new(1) }
    }

    /// The reqid of these policies, one more use of it. A fixed one is returned as it is.
    #[must_use]
    pub fn acquire(&self, fixed: Option<Reqid>, key: PolicyKey) -> Reqid {
        let mut inner = self.inner.lock();
        if let Some(reqid) = fixed.or_else(|| inner.by_key.get(&key).copied()) {
            inner.uses.entry(reqid).or_insert(Use { count: 0, key: None }).count += 1;
            return reqid;
        }
        while inner.uses.contains_key(&Reqid(inner.next)) {
            inner.next = inner.next.checked_add(1).unwrap_or(NonZeroU32::MIN);
        }
        let reqid = Reqid(inner.next);
        inner.next = inner.next.checked_add(1).unwrap_or(NonZeroU32::MIN);
        let key = Arc::new(key);
        inner.by_key.insert(Arc::clone(&key), reqid);
        inner.uses.insert(reqid, Use { count: 1, key: Some(key) });
        reqid
    }

    /// Ends one use.
    pub fn release(&self, reqid: Reqid) {
        let mut inner = self.inner.lock();
        let Some(used) = inner.uses.get_mut(&reqid) else { return };
        used.count -= 1;
        if used.count == 0
            && let Some(Use { key: Some(key), .. }) = inner.uses.remove(&reqid)
        {
            inner.by_key.remove(&key);
        }
    }
}

impl TagNumbers for Reqids {
    fn mark(&self) -> u32 {
        self.marks.fetch_add(1, Ordering::Relaxed)
    }

    fn if_id(&self) -> u32 {
        self.if_ids.fetch_add(1, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(octet: u8) -> PolicyKey {
        PolicyKey {
            local_ts: vec![TrafficSelector::host([10, 0, 0, octet].into())],
            remote_ts: vec![TrafficSelector::ANY_IPV4],
            tags: Tags::default(),
        }
    }

    #[test]
    fn equal_policies_share_a_reqid_until_the_last_use_ends() {
        let reqids = Reqids::new(NonZeroU32::MIN);
        let first = reqids.acquire(None, key(1));
        assert_eq!(reqids.acquire(None, key(1)), first);
        assert_ne!(reqids.acquire(None, key(2)), first);
        reqids.release(first);
        assert_eq!(reqids.acquire(None, key(1)), first);
        reqids.release(first);
        reqids.release(first);
        assert_ne!(reqids.acquire(None, key(1)), first);
    }

    #[test]
    fn an_automatic_reqid_avoids_fixed_ones() {
        let reqids = Reqids::new(NonZeroU32::MIN);
        let fixed = Reqid(NonZeroU32::new(1).unwrap());
        assert_eq!(reqids.acquire(Some(fixed), key(1)), fixed);
        assert_ne!(reqids.acquire(None, key(2)), fixed);
    }
}
