//! Virtual routers in the order in which they came, found by name and by place however many there are.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use charon_types::vrouter::Vrouter;

use crate::key::Key;
use crate::track::Trackers;

/// A virtual router.
pub(crate) struct Router {
    pub(crate) config: Arc<Vrouter>,
    pub(crate) trackers: Trackers,
}

/// All of them. No two have the same name, nor the same interface, family and id.
#[derive(Default)]
pub(crate) struct Roster {
    routers: BTreeMap<u64, Router>,
    by_name: HashMap<Arc<str>, u64>,
    by_place: HashMap<(String, Key), u64>,
    next: u64,
}

impl Roster {
    pub(crate) fn len(&self) -> usize {
        self.routers.len()
    }

    /// In order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Router> {
        self.routers.values()
    }

    /// The definition of a name.
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<Vrouter>> {
        self.routers.get(self.by_name.get(name)?).map(|router| &router.config)
    }

    /// Whoever is where that one is or wants to be.
    pub(crate) fn at_place_of(&self, vrouter: &Vrouter) -> Option<&Arc<Vrouter>> {
        self.routers.get(self.by_place.get(&place(vrouter))?).map(|router| &router.config)
    }

    /// A definition, new or in place of that of its name. Its place must be free or its own.
    pub(crate) fn put(&mut self, config: Arc<Vrouter>) -> &mut Router {
        let number = match self.by_name.get(&config.name) {
            Some(number) => *number,
            None => {
                self.next += 1;
                self.by_name.insert(Arc::clone(&config.name), self.next);
                self.next
            }
        };
        if let Some(old) = self.routers.get(&number) {
            self.by_place.remove(&place(&old.config));
        }
        self.by_place.insert(place(&config), number);
        let router = self
            .routers
            .entry(number)
            .or_insert_with(|| Router { config: Arc::clone(&config), trackers: Trackers::default() });
        router.config = config;
        router
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<Router> {
        let router = self.routers.remove(&self.by_name.remove(name)?)?;
        self.by_place.remove(&place(&router.config));
        Some(router)
    }
}

fn place(vrouter: &Vrouter) -> (String, Key) {
    (vrouter.interface.clone(), Key::of(vrouter))
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU8;

    use super::*;

    fn vrouter(name: &str, interface: &str, vrid: u8) -> Arc<Vrouter> {
        Arc::new(Vrouter::new(name, interface, NonZeroU8::new(vrid).unwrap(), Vec::new()))
    }

    fn names(roster: &Roster) -> Vec<&str> {
        roster.iter().map(|router| &*router.config.name).collect()
    }

    #[test]
    fn routers_keep_their_order_and_leave_their_place_when_they_move_or_go() {
        let mut roster = Roster::default();
        for (name, vrid) in [("b", 1), ("a", 2), ("c", 3)] {
            roster.put(vrouter(name, "eth0", vrid));
        }
        let holder = |roster: &Roster, interface, vrid| {
            roster.at_place_of(&vrouter("x", interface, vrid)).map(|holder| holder.name.to_string())
        };
        assert_eq!(holder(&roster, "eth0", 1).as_deref(), Some("b"));
        roster.put(vrouter("b", "eth1", 1));
        assert_eq!(names(&roster), ["b", "a", "c"]);
        assert_eq!(holder(&roster, "eth0", 1), None);
        assert_eq!(holder(&roster, "eth1", 1).as_deref(), Some("b"));
        assert_eq!(roster.get("b").unwrap().interface, "eth1");
        assert!(roster.remove("a").is_some() && roster.remove("a").is_none());
        assert_eq!((names(&roster), roster.len()), (vec!["b", "c"], 2));
        assert_eq!(holder(&roster, "eth0", 2), None);
    }
}
