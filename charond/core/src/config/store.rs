//! The connections that are loaded, as immutable snapshots.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use charon_types::connection::Connection;
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

    /// Adds a connection, or replaces the one of its name in its place.
    pub fn load(&self, connection: Connection) -> Loading {
        let mut loaded = self.loaded.lock();
        let loading = match loaded.by_name.get(&connection.name) {
            Some(&place) => {
                let old = loaded.places[place].as_mut().expect("what has a name is there");
                if **old == connection {
                    return Loading::Unchanged;
                }
                Loading::Replaced(std::mem::replace(old, Arc::new(connection)))
            }
            None => {
                let place = loaded.places.len();
                loaded.by_name.insert(Arc::clone(&connection.name), place);
                loaded.places.push(Some(Arc::new(connection)));
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
    /// When most places are empty, the others move up.
    fn close_gaps(&mut self) {
        if self.places.len() < 2 * self.by_name.len() + GAPS_MIN {
            return;
        }
        self.places.retain(Option::is_some);
        self.places.shrink_to_fit();
        for (place, connection) in self.places.iter().flatten().enumerate() {
            if let Some(old) = self.by_name.get_mut(&connection.name) {
                *old = place;
            }
        }
    }
}

/// So few empty places are not worth a move.
const GAPS_MIN: usize = 64;
