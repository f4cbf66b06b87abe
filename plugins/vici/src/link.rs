//! A session shared by the task that serves it and by whoever has events for it.

use futures_util::task::AtomicWaker;
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

use crate::session::Session;

/// A session, and how to wake who waits for it. The lock is held for a copy or a system call that does not block.
#[derive(Default)]
pub(crate) struct Link {
    session: Mutex<Session>,
    /// Of the task that sends.
    pub(crate) sender: AtomicWaker,
    /// Told when the client has read enough to be sent more, or is gone.
    pub(crate) room: Notify,
}

impl Link {
    pub(crate) fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock()
    }
}
