//! What may happen only once in a history: a packet sealed under a key and IV, an ESP key put to use for sending.

use std::collections::HashSet;

use parking_lot::Mutex;

/// Shared by both hosts' cryptography and kernels.
#[derive(Default)]
pub struct Ledger(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    sealed: HashSet<(u64, u64)>,
    esp_keys: HashSet<Vec<u8>>,
    violations: Vec<String>,
}

impl Ledger {
    /// Something was sealed.
    pub fn sealed(&self, key: u64, iv: u64) {
        let mut entries = self.0.lock();
        if !entries.sealed.insert((key, iv)) {
            entries.violations.push(format!("IV {iv:016x} was used twice under key {key:016x}"));
        }
    }

    /// An SA that sends was installed.
    pub fn esp_key(&self, key: &[u8]) {
        let mut entries = self.0.lock();
        if !entries.esp_keys.insert(key.to_vec()) {
            entries.violations.push("an ESP key was installed twice for sending".to_owned());
        }
    }

    /// How many messages were sealed.
    #[must_use]
    pub fn sealed_count(&self) -> usize {
        self.0.lock().sealed.len()
    }

    /// What should not have happened.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.0.lock().violations.clone()
    }
}
