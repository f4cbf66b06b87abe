//! The log lines of one IKE_SA, for whoever controls it.

use std::sync::Arc;

use charon_types::UniqueId;
use charon_types::event::LogRecord;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::hub::Inner;

/// Lines that a client may fall behind before further ones are lost to it.
pub(super) const TAP_DEPTH: usize = 4096;

/// The sending end of a control log. It travels with the command to the IKE_SA that serves it, which attaches it; when it is
/// dropped, with the command's end, the receiver sees the end of the stream.
pub struct LogTap {
    hub: Arc<Inner>,
    level: i8,
    lines: mpsc::Sender<Arc<LogRecord>>,
    attached: Mutex<Option<(UniqueId, u64)>>,
}

/// An attached tap as the hub knows it.
pub(super) struct Attached {
    pub(super) serial: u64,
    pub(super) level: i8,
    pub(super) lines: mpsc::Sender<Arc<LogRecord>>,
}

impl LogTap {
    pub(super) const fn new(hub: Arc<Inner>, level: i8, lines: mpsc::Sender<Arc<LogRecord>>) -> Self {
        Self { hub, level, lines, attached: Mutex::new(None) }
    }

    /// From now on takes the lines of this IKE_SA, and of no other.
    pub fn attach(&self, ike_sa: UniqueId) {
        self.detach();
        let serial = self.hub.attach(ike_sa, self.level, self.lines.clone());
        *self.attached.lock() = Some((ike_sa, serial));
    }

    fn detach(&self) {
        if let Some((ike_sa, serial)) = self.attached.lock().take() {
            self.hub.detach(ike_sa, serial);
        }
    }
}

impl Drop for LogTap {
    fn drop(&mut self) {
        self.detach();
        self.hub.forget_level(self.level);
    }
}
