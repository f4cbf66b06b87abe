//! Settings of the kernel that virtual routers need, and what they were before.
//!
//! What was before is kept in a file as well, so that a daemon that is killed leaves its successor the means to restore it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use charon_core::service::KernelLinks;
use charon_types::kernel_op::KernelError;
use parking_lot::Mutex;
use tracing::warn;

/// Settings that were changed.
pub(crate) struct Sysctls {
    net: Arc<dyn KernelLinks>,
    file: Option<PathBuf>,
    changed: Mutex<BTreeMap<String, Changed>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Changed {
    before: String,
    ours: String,
    users: u32,
}

impl Sysctls {
    /// Restores what a killed predecessor left in `file`.
    pub(crate) fn new(net: Arc<dyn KernelLinks>, file: Option<PathBuf>) -> Self {
        let sysctls = Self { net, file, changed: Mutex::default() };
        if let Some(file) = &sysctls.file
            && let Ok(text) = std::fs::read_to_string(file)
        {
            for line in text.lines() {
                if let [path, ours, before] = line.split('\t').collect::<Vec<_>>()[..] {
                    sysctls.put_back(path, ours, before);
                }
            }
            drop(std::fs::remove_file(file));
        }
        sysctls
    }

    /// Sets a value for as long as somebody needs it; every call wants a [`Sysctls::release`].
    pub(crate) fn acquire(&self, path: &str, value: &str) {
        let mut changed = self.changed.lock();
        if let Some(known) = changed.get_mut(path) {
            known.users += 1;
            return;
        }
        let set = self.net.sysctl(path).and_then(|before| {
            if before != value {
                self.net.set_sysctl(path, value)?;
            }
            Ok(before)
        });
        match set {
            Ok(before) => {
                changed.insert(path.to_owned(), Changed { before, ours: value.to_owned(), users: 1 });
                self.store(&changed);
            }
            Err(error) => warn!(target: "KNL", "setting {path} to {value} failed: {error:?}"),
        }
    }

    /// Restores a value when nobody needs it any more.
    pub(crate) fn release(&self, path: &str) {
        let mut changed = self.changed.lock();
        let Some(known) = changed.get_mut(path) else { return };
        known.users = known.users.saturating_sub(1);
        if known.users == 0
            && let Some(known) = changed.remove(path)
        {
            self.put_back(path, &known.ours, &known.before);
            self.store(&changed);
        }
    }

    /// Sets a value of a link that goes with us.
    pub(crate) fn set(&self, path: &str, value: &str) {
        match self.net.set_sysctl(path, value) {
            // The kernel has no IPv6, or is older than the setting.
            Ok(()) | Err(KernelError::NotFound) => {}
            Err(error) => warn!(target: "KNL", "setting {path} to {value} failed: {error:?}"),
        }
    }

    /// Reads a value as a number; 0 if there is none.
    pub(crate) fn number(&self, path: &str) -> u32 {
        self.net.sysctl(path).ok().and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    /// What somebody else changed meanwhile stays as it is.
    fn put_back(&self, path: &str, ours: &str, before: &str) {
        if ours != before && self.net.sysctl(path).is_ok_and(|now| now == ours) {
            drop(self.net.set_sysctl(path, before));
        }
    }

    fn store(&self, changed: &BTreeMap<String, Changed>) {
        let Some(file) = &self.file else { return };
        let done = if changed.is_empty() {
            std::fs::remove_file(file)
        } else {
            let lines =
                changed.iter().map(|(path, known)| format!("{path}\t{}\t{}\n", known.ours, known.before));
            std::fs::write(file, lines.collect::<String>())
        };
        if let Err(error) = done
            && error.kind() != std::io::ErrorKind::NotFound
        {
            warn!(target: "KNL", "{} cannot be written: {error}", file.display());
        }
    }
}
