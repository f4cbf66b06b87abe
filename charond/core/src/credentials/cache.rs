//! Certificates of peers that were trusted, parsed: a peer that comes again costs neither parsing nor the check of signatures that
//! were found good. Validity, revocation and constraints are judged anew each time.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use charon_pki::Certificate;
use parking_lot::Mutex;

/// Octets of DER after which a generation is full; two are kept.
const GENERATION_LEN_MAX: usize = 1024 * 1024;

/// Received certificates, bounded in memory: what was not used while others filled a generation is forgotten.
///
/// Only certificates that led to an authority are kept, so that strangers cannot displace them.
#[derive(Default)]
pub struct CertificateCache {
    generations: Option<Mutex<Generations>>,
}

#[derive(Default)]
struct Generations {
    young: HashMap<Arc<[u8]>, Certificate>,
    old: HashMap<Arc<[u8]>, Certificate>,
    young_len: usize,
}

impl CertificateCache {
    /// A cache that keeps something; the default one keeps nothing.
    #[must_use]
    pub fn keeping() -> Self {
        Self { generations: Some(Mutex::default()) }
    }

    /// The certificate of these octets.
    #[must_use]
    pub fn get(&self, der: &[u8]) -> Option<Certificate> {
        let mut generations = self.generations.as_ref()?.lock();
        if let Some(certificate) = generations.young.get(der) {
            return Some(certificate.clone());
        }
        let certificate = generations.old.get(der)?.clone();
        generations.insert(certificate.clone());
        Some(certificate)
    }

    /// Keeps a certificate that was trusted.
    pub fn keep(&self, certificate: &Certificate) {
        let Some(generations) = &self.generations else { return };
        let mut generations = generations.lock();
        if !generations.young.contains_key(certificate.der()) {
            generations.insert(certificate.clone());
        }
    }

    /// Forgets everything.
    pub fn flush(&self) {
        if let Some(generations) = &self.generations {
            *generations.lock() = Generations::default();
        }
    }

    /// What is kept, in no order.
    #[must_use]
    pub fn certificates(&self) -> Vec<Certificate> {
        let Some(generations) = &self.generations else { return Vec::new() };
        let generations = generations.lock();
        let old = generations.old.iter().filter(|(der, _)| !generations.young.contains_key(*der));
        generations.young.iter().chain(old).map(|(_, certificate)| certificate.clone()).collect()
    }
}

impl Generations {
    fn insert(&mut self, certificate: Certificate) {
        let der = Arc::clone(certificate.der());
        if self.young_len.saturating_add(der.len()) > GENERATION_LEN_MAX {
            self.old = std::mem::take(&mut self.young);
            self.young_len = 0;
        }
        self.young_len = self.young_len.saturating_add(der.len());
        self.young.insert(der, certificate);
    }
}

impl fmt::Debug for CertificateCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateCache").field("kept", &self.certificates().len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, CustomExtension, KeyPair, SerialNumber};

    use super::*;

    /// Of a little more than 64 KiB, so that 15 fill a generation.
    fn certificate(serial: u64, key: &KeyPair) -> Certificate {
        let mut params = CertificateParams::new(vec!["moon.example.org".to_owned()]).unwrap();
        params.serial_number = Some(SerialNumber::from(serial));
        let padding = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999], vec![0; 1 << 16]);
        params.custom_extensions.push(padding);
        Certificate::from_der(params.self_signed(key).unwrap().der()).unwrap()
    }

    #[test]
    fn what_was_kept_is_found_until_it_is_flushed() {
        let key = KeyPair::generate().unwrap();
        let (cache, moon) = (CertificateCache::keeping(), certificate(1, &key));
        assert_eq!(cache.get(moon.der()), None);
        cache.keep(&moon);
        assert_eq!(cache.get(moon.der()), Some(moon.clone()));
        assert_eq!(cache.certificates(), std::slice::from_ref(&moon));
        cache.flush();
        assert_eq!(cache.get(moon.der()), None);
    }

    #[test]
    fn the_default_cache_keeps_nothing() {
        let moon = certificate(1, &KeyPair::generate().unwrap());
        let cache = CertificateCache::default();
        cache.keep(&moon);
        assert_eq!(cache.get(moon.der()), None);
        assert_eq!(cache.certificates(), []);
    }

    #[test]
    fn what_is_used_stays_while_the_rest_is_forgotten_and_memory_is_bounded() {
        let key = KeyPair::generate().unwrap();
        let (cache, busy, idle) = (CertificateCache::keeping(), certificate(1, &key), certificate(2, &key));
        cache.keep(&busy);
        cache.keep(&idle);
        for serial in 3..60 {
            cache.keep(&certificate(serial, &key));
            assert!(cache.get(busy.der()).is_some(), "{serial}");
        }
        assert_eq!(cache.get(idle.der()), None);
        let held: usize = cache.certificates().iter().map(|certificate| certificate.der().len()).sum();
        assert!(held <= 2 * GENERATION_LEN_MAX, "{held}");
    }
}
