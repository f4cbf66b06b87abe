//! Threads of their own for what must not be delayed by the rest of the daemon, or must not delay it.

use std::io;
use std::thread::JoinHandle;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracing::warn;

/// A thread with a runtime; what is spawned on its handle runs there alone.
#[derive(Debug)]
pub struct OwnThread {
    /// Its runtime.
    pub handle: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl OwnThread {
    /// Starts one of that name, at most 15 bytes long; `prepare` is run on it first.
    ///
    /// # Errors
    /// If the system has no thread or descriptor for it.
    pub fn start(name: &str, prepare: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().event_interval(EVENT_INTERVAL).build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            prepare();
            // Either way it ends.
            drop(runtime.block_on(stopped));
        })?;
        Ok(Self { handle, stop: Some(stop), thread: Some(thread) })
    }

    /// Ends it and waits until it has ended; what still runs there is dropped.
    pub fn end(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            warn!(target: "DMN", "a thread panicked");
        }
    }
}

impl Drop for OwnThread {
    fn drop(&mut self) {
        self.end();
    }
}

/// After so many tasks it is looked who else has become ready.
const EVENT_INTERVAL: u32 = 16;
