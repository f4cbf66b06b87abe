//! The way of a command to its interface: a bounded channel, and what wakes the thread that serves interfaces.

use tokio::sync::mpsc;

use crate::interface::Command;
use crate::poller::Waker;

/// Commands that may wait for an interface: an order of a group and a change of something tracked for each router that it can have.
pub(crate) const DEPTH: usize = 2048;

/// The interface ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended;

/// Who may command. The interface ends when nobody is left who could.
#[derive(Clone)]
pub(crate) struct Commands {
    // Dropped before what wakes: whoever wakes sees that it is gone.
    sender: mpsc::Sender<Command>,
    wakes: WakesInTheEnd,
}

/// The same for somebody who keeps no interface alive.
#[derive(Clone)]
pub(crate) struct WeakCommands {
    sender: mpsc::WeakSender<Command>,
    waker: Waker,
}

#[derive(Clone)]
struct WakesInTheEnd(Waker);

impl Drop for WakesInTheEnd {
    fn drop(&mut self) {
        self.0.wake();
    }
}

impl Commands {
    /// And where they arrive.
    pub(crate) fn channel(waker: Waker) -> (Self, mpsc::Receiver<Command>) {
        let (sender, receiver) = mpsc::channel(DEPTH);
        (Self { sender, wakes: WakesInTheEnd(waker) }, receiver)
    }

    pub(crate) async fn send(&self, command: Command) -> Result<(), Ended> {
        self.sender.send(command).await.map_err(|_| Ended)?;
        self.wakes.0.wake();
        Ok(())
    }

    /// Fails as well if too many wait already.
    pub(crate) fn try_send(&self, command: Command) -> Result<(), Ended> {
        self.sender.try_send(command).map_err(|_| Ended)?;
        self.wakes.0.wake();
        Ok(())
    }

    pub(crate) fn downgrade(&self) -> WeakCommands {
        WeakCommands { sender: self.sender.downgrade(), waker: self.wakes.0.clone() }
    }
}

impl WeakCommands {
    pub(crate) fn upgrade(&self) -> Option<Commands> {
        let sender = self.sender.upgrade()?;
        Some(Commands { sender, wakes: WakesInTheEnd(self.waker.clone()) })
    }
}
