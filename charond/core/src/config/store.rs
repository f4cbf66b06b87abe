//! The connections that are loaded, as immutable snapshots.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use charon_types::connection::{ChildConfig, Connection};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;

/// What loading a connection changed.
#[derive(Clone, Debug)]
pub enum Loading {
    /// There was none of that name.
    Added,
    /// The same as before; nothing happened.
    Unchanged,
    /// This one was replaced.
    Replaced(Arc<Connection>),
}

/// The connections, in the order in which their names were first loaded.
///
/// Loading one costs the same whatever their number: the list that readers see is made when one asks for it after a change.
#[derive(Default)]
pub struct Connections {
    loaded: Mutex<Loaded>,
    /// The list as last asked for; `None` when it has changed since.
    current: ArcSwapOption<Vec<Arc<Connection>>>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct Loaded {
    /// `None` where one was unloaded.
    places: Vec<Option<Arc<Connection>>>,
    by_name: HashMap<Arc<str>, usize>,
    /// The place of each child's connection, by the child's name: of those of one name the first is the one that was loaded first.
    children: BTreeSet<(Arc<str>, usize)>,
}

impl Connections {
    /// All of them. The snapshot does not change under its holder.
    #[must_use]
    pub fn all(&self) -> Arc<Vec<Arc<Connection>>> {
        if let Some(current) = &*self.current.load() {
            return Arc::clone(current);
        }
        let loaded = self.loaded.lock();
        let current = Arc::new(loaded.places.iter().flatten().cloned().collect());
        self.current.store(Some(Arc::clone(&current)));
        current
    }

    /// Tells that the connections are others than they were.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// The one of that name.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<Arc<Connection>> {
        let loaded = self.loaded.lock();
        loaded.places[*loaded.by_name.get(name)?].clone()
    }

    /// The child of that name in the connection named, or the first of that name in any, in the order of the connections.
    #[must_use]
    pub fn child(&self, connection: Option<&str>, name: &str) -> Option<(Arc<Connection>, Arc<ChildConfig>)> {
        let connection = match connection {
            Some(connection) => self.by_name(connection)?,
            None => self.first_with_child(name)?,
        };
        let child = Arc::clone(connection.child(name)?);
        Some((connection, child))
    }

    fn first_with_child(&self, name: &str) -> Option<Arc<Connection>> {
        let from = (Arc::from(name), 0);
        let loaded = self.loaded.lock();
        let (_, place) = loaded.children.range(from..).next().filter(|(found, _)| **found == *name)?;
        loaded.places[*place].clone()
    }

    /// Adds a connection, or replaces the one of its name in its place.
    pub fn load(&self, connection: Connection) -> Loading {
        let mut loaded = self.loaded.lock();
        let loading = match loaded.by_name.get(&connection.name).copied() {
            Some(place) => {
                // `by_name` leads to filled places only: unloading takes the name and the content under the same lock.
                let old = loaded.places[place].take().expect("what has a name is there");
                if *old == connection {
                    loaded.places[place] = Some(old);
                    return Loading::Unchanged;
                }
                loaded.forget_children(&old, place);
                loaded.put(place, connection);
                Loading::Replaced(old)
            }
            None => {
                let place = loaded.places.len();
                loaded.by_name.insert(Arc::clone(&connection.name), place);
                loaded.places.push(None);
                loaded.put(place, connection);
                Loading::Added
            }
        };
        self.tell_of_change(loaded);
        loading
    }

    /// Removes the connection of that name.
    pub fn unload(&self, name: &str) -> Option<Arc<Connection>> {
        let mut loaded = self.loaded.lock();
        let place = loaded.by_name.remove(name)?;
        let removed = loaded.places[place].take();
        if let Some(connection) = &removed {
            loaded.forget_children(connection, place);
        }
        loaded.close_gaps();
        self.tell_of_change(loaded);
        removed
    }

    /// Within the lock, so that nobody makes a list of what was before and keeps it.
    fn tell_of_change(&self, loaded: MutexGuard<'_, Loaded>) {
        self.current.store(None);
        drop(loaded);
        self.changed.send_replace(());
    }
}

impl Loaded {
    fn put(&mut self, place: usize, connection: Connection) {
        for child in &connection.children {
            self.children.insert((Arc::clone(&child.name), place));
        }
        self.places[place] = Some(Arc::new(connection));
    }

    fn forget_children(&mut self, connection: &Connection, place: usize) {
        for child in &connection.children {
            self.children.remove(&(Arc::clone(&child.name), place));
        }
    }

    /// When most places are empty, the others move up.
    fn close_gaps(&mut self) {
        if self.places.len() < 2 * self.by_name.len() + GAPS_MIN {
            return;
        }
        self.places.retain(Option::is_some);
        self.places.shrink_to_fit();
        self.children.clear();
        for (place, connection) in self.places.iter().flatten().enumerate() {
            if let Some(old) = self.by_name.get_mut(&connection.name) {
                *old = place;
            }
            self.children.extend(connection.children.iter().map(|child| (Arc::clone(&child.name), place)));
        }
    }
}

/// So few empty places are not worth a move.
const GAPS_MIN: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{child, connection};

    /// As somebody would who looks through all of them.
    fn looked_for(
        connections: &Connections,
        ike: Option<&str>,
        name: &str,
    ) -> Option<(Arc<Connection>, Arc<ChildConfig>)> {
        let all = connections.all();
        let mut named = all.iter().filter(|connection| ike.is_none_or(|ike| *ike == *connection.name));
        named.find_map(|connection| Some((Arc::clone(connection), Arc::clone(connection.child(name)?))))
    }

    #[test]
    fn a_child_without_a_connection_is_the_first_of_that_name_in_the_order_of_the_connections() {
        let connections = Connections::default();
        let load = |name, children: &[&str]| {
            let children = children.iter().map(|name| child(name, false)).collect();
            drop(connections.load(connection(name, children)));
        };
        let found = |ike: Option<&str>, name| {
            connections
                .child(ike, name)
                .map(|(connection, child)| (connection.name.to_string(), child.name.to_string()))
        };
        load("b", &["net", "netz"]);
        load("a", &["net", "ne"]);
        let pair = |connection: &str, child: &str| Some((connection.to_owned(), child.to_owned()));
        assert_eq!(found(None, "net"), pair("b", "net"));
        assert_eq!(found(Some("a"), "net"), pair("a", "net"));
        assert_eq!((found(Some("a"), "netz"), found(Some("c"), "net"), found(None, "n")), (None, None, None));
        // It keeps its place, and what it has no longer is not found there.
        load("b", &["netz"]);
        assert_eq!(found(None, "net"), pair("a", "net"));
        load("b", &["net"]);
        assert_eq!(found(None, "net"), pair("b", "net"));
        drop(connections.unload("b"));
        load("b", &["net"]);
        assert_eq!(found(None, "net"), pair("a", "net"));
    }

    #[test]
    fn whatever_was_loaded_and_unloaded_the_index_finds_what_a_search_finds() {
        let connections = Connections::default();
        let mut state = 1_u64;
        let mut chance = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for step in 0..6_000 {
            // Now many come, now many go, so that gaps are closed more than once.
            let name = format!("c{}", chance(200));
            if chance(10) < if step / 1_000 % 2 == 0 { 8 } else { 1 } {
                let names: Vec<_> = (0..chance(4)).map(|_| format!("n{}", chance(30))).collect();
                let children = names.iter().enumerate();
                let children = children.filter(|(at, name)| !names[..*at].contains(name));
                let children = children.map(|(_, name)| child(name, false)).collect();
                drop(connections.load(connection(&name, children)));
            } else {
                drop(connections.unload(&name));
            }
            let wanted = format!("n{}", chance(30));
            assert_eq!(connections.child(None, &wanted), looked_for(&connections, None, &wanted));
            assert_eq!(
                connections.child(Some(&name), &wanted),
                looked_for(&connections, Some(&name), &wanted)
            );
        }
        for connection in connections.all().iter() {
            drop(connections.unload(&connection.name));
        }
        assert!(connections.loaded.lock().children.is_empty());
    }
}
