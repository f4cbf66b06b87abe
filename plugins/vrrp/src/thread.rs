//! The thread that all interfaces run on: a burst of IKE on the other threads must not delay adverts.

use std::io;
use std::thread::JoinHandle;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracing::warn;

use crate::sys;

/// The thread with its runtime.
pub(crate) struct VrrpThread {
    pub(crate) handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl VrrpThread {
    /// Starts it, with a real-time priority if one is given.
    pub(crate) fn start(realtime_priority: Option<i32>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("charond-vrrp".into()).spawn(move || {
            if let Some(priority) = realtime_priority
                && let Err(error) = sys::set_realtime_priority(priority)
            {
                warn!(target: "DMN", "no real-time priority for virtual routers: {error}");
            }
            // Either way it ends.
            drop(runtime.block_on(stopped));
        })?;
        Ok(Self { handle, stop: Some(stop), thread: Some(thread) })
    }

    /// Ends it; what still runs there is dropped.
    pub(crate) fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            warn!(target: "DMN", "the thread of virtual routers panicked");
        }
    }
}

impl Drop for VrrpThread {
    fn drop(&mut self) {
        self.end();
    }
}
