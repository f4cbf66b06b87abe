//! A map that is read without locks while another thread changes it.
//!
//! Each of its shards is an immutable map behind an atomic pointer. A change copies one shard, so that it costs little even
//! with 100,000 entries; the caller sees to it that one thread changes at a time.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use arc_swap::ArcSwap;

/// Number of shards, a power of two.
const SHARDS: usize = 256;

pub(crate) struct SnapshotMap<K, V> {
    shards: Box<[ArcSwap<HashMap<K, V, RandomState>>]>,
    hasher: RandomState,
}

impl<K: Hash + Eq + Clone, V: Clone> SnapshotMap<K, V> {
    pub(crate) fn new() -> Self {
        let hasher = RandomState::new();
        let empty = Arc::new(HashMap::with_hasher(hasher.clone()));
        Self { shards: (0..SHARDS).map(|_| ArcSwap::new(Arc::clone(&empty))).collect(), hasher }
    }

    pub(crate) fn get(&self, key: &K) -> Option<V> {
        self.shard(key).load().get(key).cloned()
    }

    /// Puts `value` in, in place of what was there.
    pub(crate) fn insert(&self, key: K, value: V) {
        let shard = self.shard(&key);
        let mut next = HashMap::clone(&shard.load());
        next.insert(key, value);
        shard.store(Arc::new(next));
    }

    pub(crate) fn remove(&self, key: &K) {
        let shard = self.shard(key);
        let mut next = HashMap::clone(&shard.load());
        next.remove(key);
        shard.store(Arc::new(next));
    }

    fn shard(&self, key: &K) -> &ArcSwap<HashMap<K, V, RandomState>> {
        // The map inside a shard uses the low and the topmost bits of the same hash: these are from the middle.
        let hash = self.hasher.hash_one(key).rotate_right(32);
        let shards = u64::try_from(SHARDS).expect("a small constant");
        let at = usize::try_from(hash % shards).expect("below the number of shards");
        self.shards.get(at).expect("a remainder by the number of shards is an index")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_entries_come_and_go() {
        let map = SnapshotMap::new();
        for key in 0..2000_u32 {
            map.insert(key, key * 2);
        }
        map.insert(7, 0);
        assert_eq!((map.get(&7), map.get(&1999), map.get(&2000)), (Some(0), Some(3998), None));
        for key in 0..2000 {
            map.remove(&key);
        }
        assert!((0..2000).all(|key| map.get(&key).is_none()));
    }
}
