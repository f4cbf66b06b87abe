//! Events from the engine to whoever took the stream.

use std::sync::Arc;

use charon_types::kernel_op::KernelEvent;
use esp_proto::Engine;
use tokio::sync::mpsc;
use tracing::warn;

/// Events that may wait; an overflow drops the newest, since limits are noticed again.
pub(crate) const DEPTH: usize = 1024;

/// Forwards events; a handle for each task.
#[derive(Clone)]
pub(crate) struct Events {
    engine: Arc<Engine>,
    sender: mpsc::Sender<KernelEvent>,
}

impl Events {
    pub(crate) const fn new(engine: Arc<Engine>, sender: mpsc::Sender<KernelEvent>) -> Self {
        Self { engine, sender }
    }

    /// Hands on what the engine has to tell. Never waits; cheap if there is nothing.
    pub(crate) fn forward(&self) {
        while let Some(event) = self.engine.poll_event() {
            if let Err(error) = self.sender.try_send(event) {
                warn!(target: "KNL", "an event of the kernel interface is lost: {error}");
            }
        }
    }
}
