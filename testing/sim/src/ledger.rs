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
    /// What is changed in the next packet before it is sealed: places, and bits to turn.
    tampering: Vec<(usize, u8)>,
}

impl Ledger {
    /// Something was sealed.
    pub fn sealed(&self, key: u64, iv: u64) {
        let mut entries = self.0.lock();
        if !entries.sealed.insert((key, iv)) {
            entries.violations.push(format!("IV {iv:016x} was used twice under key {key:016x}"));
        }
    }

    /// Whoever seals next seals something else: the octets at these places, counted round, have these bits turned. So somebody
    /// who knows the keys lies.
    pub fn tamper(&self, changes: &[(usize, u8)]) {
        self.0.lock().tampering = changes.to_vec();
    }

    /// Makes the changes that are due.
    pub fn change(&self, plaintext: &mut [u8]) {
        let len = plaintext.len().max(1);
        for (place, bits) in std::mem::take(&mut self.0.lock().tampering) {
            if let Some(octet) = plaintext.get_mut(place % len) {
                *octet ^= bits;
            }
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
