//! The connections that are loaded, as immutable snapshots.

use std::sync::Arc;

use arc_swap::ArcSwap;
use charon_types::connection::Connection;
use parking_lot::Mutex;
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
#[derive(Default)]
pub struct Connections {
    current: ArcSwap<Vec<Arc<Connection>>>,
    /// Serialises writers; readers never wait.
    writing: Mutex<()>,
    changed: watch::Sender<()>,
}

impl Connections {
    /// All of them. The snapshot does not change under its holder.
    #[must_use]
    pub fn all(&self) -> Arc<Vec<Arc<Connection>>> {
        self.current.load_full()
    }

    /// Tells that the connections are others than they were.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// The one of that name.
    #[must_use]
    pub fn by_name(&self, name: &str) -> Option<Arc<Connection>> {
        self.current.load().iter().find(|connection| &*connection.name == name).cloned()
    }

    /// Adds a connection, or replaces the one of its name in its place.
    pub fn load(&self, connection: Connection) -> Loading {
        let _writing = self.writing.lock();
        let mut connections = Vec::clone(&self.current.load());
        let loading = match connections.iter_mut().find(|old| old.name == connection.name) {
            Some(old) if **old == connection => return Loading::Unchanged,
            Some(old) => Loading::Replaced(std::mem::replace(old, Arc::new(connection))),
            None => {
                connections.push(Arc::new(connection));
                Loading::Added
            }
        };
        self.current.store(Arc::new(connections));
        self.changed.send_replace(());
        loading
    }

    /// Removes the connection of that name.
    pub fn unload(&self, name: &str) -> Option<Arc<Connection>> {
        let _writing = self.writing.lock();
        let mut connections = Vec::clone(&self.current.load());
        let position = connections.iter().position(|connection| &*connection.name == name)?;
        let removed = connections.remove(position);
        self.current.store(Arc::new(connections));
        self.changed.send_replace(());
        Some(removed)
    }
}
