//! A map that is read without locks while another thread changes it.
//!
//! A table of buckets, each an immutable list behind an atomic pointer. A change copies one bucket of some entries, and the table
//! grows and shrinks with the number of entries, so that a change costs the same with ten entries and with 100,000. The caller
//! sees to it that one thread changes at a time.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};

/// Least number of buckets.
const BUCKETS_MIN: usize = 16;
/// Entries for each bucket above which there are to be twice as many buckets.
const CROWDED: usize = 2;
/// Buckets for each entry above which there are to be half as many.
const SPARSE: usize = 4;

pub(crate) struct SnapshotMap<K, V> {
    table: ArcSwap<Table<K, V>>,
    entries: AtomicUsize,
    hasher: RandomState,
}

struct Table<K, V> {
    buckets: Box<[ArcSwapOption<Bucket<K, V>>]>,
}

type Bucket<K, V> = Vec<(K, V)>;

impl<K: Hash + Eq + Clone, V: Clone> SnapshotMap<K, V> {
    pub(crate) fn new() -> Self {
        let table = ArcSwap::from_pointee(Table::of(BUCKETS_MIN));
        Self { table, entries: AtomicUsize::new(0), hasher: RandomState::new() }
    }

    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let table = self.table.load();
        let bucket = table.bucket(self.hasher.hash_one(key)).load();
        bucket.as_ref()?.iter().find(|(known, _)| known == key).map(|(_, value)| value.clone())
    }

    /// Puts `value` in, in place of what was there.
    pub(crate) fn insert(&self, key: K, value: V) {
        self.change(key, Some(value));
    }

    pub(crate) fn remove(&self, key: &K) {
        self.change(key.clone(), None);
    }

    fn change(&self, key: K, value: Option<V>) {
        let table = self.table.load_full();
        let bucket = table.bucket(self.hasher.hash_one(&key));
        let held = bucket.load();
        let others = held.as_deref().map_or(&[][..], |entries| entries);
        let mut next = Vec::with_capacity(others.len() + usize::from(value.is_some()));
        next.extend(others.iter().filter(|(known, _)| *known != key).cloned());
        let replaced = next.len() < others.len();
        let entries =
            self.entries.load(Ordering::Relaxed) - usize::from(replaced) + usize::from(value.is_some());
        next.extend(value.map(|value| (key, value)));
        next.shrink_to_fit();
        bucket.store((!next.is_empty()).then(|| Arc::new(next)));
        self.entries.store(entries, Ordering::Relaxed);
        let buckets = table.buckets.len();
        if entries > buckets * CROWDED {
            self.resize(&table, buckets * 2);
        } else if buckets > BUCKETS_MIN && entries < buckets / SPARSE {
            self.resize(&table, buckets / 2);
        }
    }

    /// Readers go on with the old table until the new one is complete.
    fn resize(&self, old: &Table<K, V>, buckets: usize) {
        let mut lists: Vec<Bucket<K, V>> = (0..buckets).map(|_| Vec::new()).collect();
        for bucket in &old.buckets {
            for (key, value) in bucket.load().iter().flat_map(|entries| entries.iter()) {
                let at = index(self.hasher.hash_one(key), buckets);
                lists[at].push((key.clone(), value.clone()));
            }
        }
        let pointer = |mut list: Bucket<K, V>| {
            list.shrink_to_fit();
            ArcSwapOption::new((!list.is_empty()).then(|| Arc::new(list)))
        };
        self.table.store(Arc::new(Table { buckets: lists.into_iter().map(pointer).collect() }));
    }
}

impl<K, V> Table<K, V> {
    fn of(buckets: usize) -> Self {
        Self { buckets: (0..buckets).map(|_| ArcSwapOption::empty()).collect() }
    }

    fn bucket(&self, hash: u64) -> &ArcSwapOption<Bucket<K, V>> {
        let at = index(hash, self.buckets.len());
        self.buckets.get(at).expect("a remainder by the number of buckets is an index")
    }
}

fn index(hash: u64, buckets: usize) -> usize {
    let buckets = u64::try_from(buckets).expect("a length has 64 bits at most");
    usize::try_from(hash % buckets).expect("below the number of buckets")
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

    #[test]
    fn the_table_follows_the_number_of_entries() {
        let map = SnapshotMap::new();
        let buckets = || map.table.load().buckets.len();
        for key in 0..10_000_u32 {
            map.insert(key, ());
            map.insert(key, ());
        }
        assert_eq!((map.entries.load(Ordering::Relaxed), buckets()), (10_000, 8192));
        for key in 0..10_000 {
            map.remove(&key);
            map.remove(&key);
        }
        assert_eq!((map.entries.load(Ordering::Relaxed), buckets()), (0, BUCKETS_MIN));
    }

    #[test]
    fn a_reader_finds_what_stays_while_the_table_changes() {
        let map = Arc::new(SnapshotMap::new());
        map.insert(u32::MAX, 7);
        let reader = Arc::clone(&map);
        std::thread::scope(|scope| {
            let reading = scope.spawn(move || (0..20_000).all(|_| reader.get(&u32::MAX) == Some(7)));
            for round in 0..4 {
                (0..1000).for_each(|key| map.insert(key, round));
                (0..1000).for_each(|key| map.remove(&key));
            }
            assert!(reading.join().expect("the reader does not panic"));
        });
    }
}
