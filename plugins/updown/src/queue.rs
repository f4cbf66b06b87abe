//! One child's scripts, one after the other.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::error;

use crate::environment::Environment;
use crate::script;

/// Scripts of one child that wait: selectors make up to 255 pairs, and there is one way up and one down.
const DEPTH: usize = 1024;

/// The queue and the task that serves it.
pub(crate) struct Queue {
    child: Arc<str>,
    sender: mpsc::Sender<(Arc<str>, Environment)>,
    worker: JoinHandle<()>,
}

impl Queue {
    pub(crate) fn start(child: &Arc<str>) -> Self {
        let (sender, mut receiver) = mpsc::channel::<(Arc<str>, Environment)>(DEPTH);
        // Ends when the queue is dropped and what is in it has been run.
        let worker = tokio::spawn(async move {
            while let Some((script, environment)) = receiver.recv().await {
                script::run(&script, &environment).await;
            }
        });
        Self { child: Arc::clone(child), sender, worker }
    }

    pub(crate) fn push(&self, script: Arc<str>, environment: Environment) {
        if self.sender.try_send((script, environment)).is_err() {
            error!(target: "CHD", "too many updown scripts of CHILD_SA {} wait, one is left out", self.child);
        }
    }

    /// Waits until all were run.
    pub(crate) async fn finish(self) {
        drop(self.sender);
        drop(self.worker.await);
    }

    /// Runs what waits, then ends, with nobody waiting.
    pub(crate) fn finish_behind(self) {
        drop(self.sender);
    }
}
