//! What was loaded, and the queries on it.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use charon_crypto::signature::PrivateKey;
use charon_pki::{Certificate, Crl, PublicKey};
use charon_types::identity::Identity;
use charon_types::secret::Secret;
use parking_lot::Mutex;

use super::authority::{Authority, LoadedAuthority, Trusted};
use super::cache::CertificateCache;
use super::shared_key::{SharedKey, SharedKeyKind};

/// SHA-1 of a public key's subjectPublicKey bits; shown as 40 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub [u8; 20]);

impl KeyId {
    /// From 40 hex digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 40 || !text.is_ascii() {
            return None;
        }
        let mut octets = [0; 20];
        for (octet, pair) in octets.iter_mut().zip(text.as_bytes().chunks(2)) {
            *octet = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(octets))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// A private key with its id.
#[derive(Clone)]
pub struct LoadedKey {
    /// Its id.
    pub id: KeyId,
    /// The key.
    pub key: Arc<dyn PrivateKey>,
}

/// Everything loaded, at one moment.
#[derive(Clone, Default)]
pub struct CredentialSnapshot {
    /// Shared keys in load order.
    pub shared: Vec<SharedKey>,
    /// Private keys in load order.
    pub keys: Vec<LoadedKey>,
    /// Certificates of end entities, in load order.
    pub certificates: Vec<Certificate>,
    /// Certificates of authorities, in load order.
    pub authorities: Vec<Certificate>,
    /// Authorities by name, in load order; their certificates are among `authorities`.
    named_authorities: Arc<Vec<LoadedAuthority>>,
    /// Revocation lists, one for each issuer.
    pub crls: Vec<Crl>,
    /// Public keys without a certificate, in load order.
    pub public_keys: Vec<PublicKey>,
    /// Certificates of peers, the same for all snapshots.
    pub received: Arc<CertificateCache>,
}

impl CredentialSnapshot {
    /// IKE pre-shared keys for that pair, the closest match first.
    #[must_use]
    pub fn shared_keys(&self, local: &Identity, remote: &Identity) -> Vec<Secret> {
        let mut fits: Vec<_> = self
            .shared
            .iter()
            .filter(|key| key.kind == SharedKeyKind::Ike)
            .filter_map(|key| Some((key.fit(local, remote)?, key)))
            .collect();
        // Options order as None < Some, so that keys which name the peer come first, then those which name us.
        fits.sort_by(|(a, _), (b, _)| b.cmp(a));
        fits.into_iter().map(|(_, key)| key.secret.clone()).collect()
    }

    /// Authorities by name, in load order.
    pub fn named_authorities(&self) -> impl Iterator<Item = &Authority> {
        self.named_authorities.iter().map(|loaded| &loaded.authority)
    }

    /// Forgets the authority of that name, and its certificate if that is trusted for its sake only.
    fn remove_authority(&mut self, name: &str) -> bool {
        let loaded = Arc::make_mut(&mut self.named_authorities);
        let Some(at) = loaded.iter().position(|loaded| loaded.authority.name == name) else { return false };
        let LoadedAuthority { authority, trusted } = loaded.remove(at);
        let heir = loaded.iter_mut().find(|other| other.authority.certificate == authority.certificate);
        match heir {
            // Whoever else needs it takes over what there is to know about it.
            Some(other) => other.trusted = trusted,
            None if trusted == Trusted::ByAuthority => {
                self.authorities.retain(|certificate| *certificate != authority.certificate);
            }
            None => {}
        }
        true
    }

    /// The private key with that id.
    #[must_use]
    pub fn key(&self, id: &KeyId) -> Option<&Arc<dyn PrivateKey>> {
        self.keys.iter().find(|loaded| loaded.id == *id).map(|loaded| &loaded.key)
    }
}

/// The credentials loaded over VICI.
#[derive(Default)]
pub struct Credentials {
    current: ArcSwap<CredentialSnapshot>,
    /// Serialises writers; readers never wait.
    writing: Mutex<()>,
}

impl Credentials {
    /// Nothing yet.
    #[must_use]
    pub fn new(received: CertificateCache) -> Self {
        let empty = CredentialSnapshot { received: Arc::new(received), ..CredentialSnapshot::default() };
        Self { current: ArcSwap::from_pointee(empty), writing: Mutex::new(()) }
    }

    /// Everything, now. The snapshot does not change under its holder.
    #[must_use]
    pub fn snapshot(&self) -> Arc<CredentialSnapshot> {
        self.current.load_full()
    }

    /// Adds a shared key, in place of the one with the same name.
    pub fn add_shared(&self, key: SharedKey) {
        self.change(|credentials| {
            credentials.shared.retain(|old| old.name.is_none() || old.name != key.name);
            credentials.shared.push(key);
        });
    }

    /// Removes the shared key of that name; whether there was one.
    pub fn remove_shared(&self, name: &str) -> bool {
        self.change(|credentials| {
            let before = credentials.shared.len();
            credentials.shared.retain(|key| key.name.as_deref() != Some(name));
            credentials.shared.len() < before
        })
    }

    /// Adds a private key; the same key twice is one.
    pub fn add_key(&self, id: KeyId, key: Arc<dyn PrivateKey>) {
        self.change(|credentials| {
            if credentials.key(&id).is_none() {
                credentials.keys.push(LoadedKey { id, key });
            }
        });
    }

    /// Removes a private key; whether there was one.
    pub fn remove_key(&self, id: &KeyId) -> bool {
        self.change(|credentials| {
            let before = credentials.keys.len();
            credentials.keys.retain(|loaded| loaded.id != *id);
            credentials.keys.len() < before
        })
    }

    /// Adds a certificate, as one of an authority if it says that it is; the same twice is one.
    pub fn add_certificate(&self, certificate: Certificate) {
        self.change(|credentials| {
            let list = if certificate.is_ca() {
                &mut credentials.authorities
            } else {
                &mut credentials.certificates
            };
            if list.contains(&certificate) {
                for loaded in Arc::make_mut(&mut credentials.named_authorities) {
                    if loaded.authority.certificate == certificate {
                        loaded.trusted = Trusted::Anyway;
                    }
                }
            } else {
                list.push(certificate);
            }
        });
    }

    /// Adds an authority, behind all others, in place of the one of its name. Its certificate is trusted from now on.
    pub fn add_authority(&self, authority: Authority) {
        self.change(|credentials| {
            credentials.remove_authority(&authority.name);
            let loaded = credentials.named_authorities.iter();
            let known = loaded.clone().find(|loaded| loaded.authority.certificate == authority.certificate);
            let trusted = match known {
                Some(loaded) => loaded.trusted,
                None if credentials.authorities.contains(&authority.certificate) => Trusted::Anyway,
                None => {
                    credentials.authorities.push(authority.certificate.clone());
                    Trusted::ByAuthority
                }
            };
            Arc::make_mut(&mut credentials.named_authorities).push(LoadedAuthority { authority, trusted });
        });
    }

    /// Removes the authority of that name; whether there was one.
    pub fn remove_authority(&self, name: &str) -> bool {
        self.change(|credentials| credentials.remove_authority(name))
    }

    /// Adds a revocation list, in place of one of the same issuer that is not newer.
    pub fn add_crl(&self, crl: Crl) {
        self.change(|credentials| {
            match credentials.crls.iter_mut().find(|old| old.issuer().is_equivalent(crl.issuer())) {
                Some(old) if old.this_update() > crl.this_update() => {}
                Some(old) => *old = crl,
                None => credentials.crls.push(crl),
            }
        });
    }

    /// Adds a public key; the same twice is one.
    pub fn add_public_key(&self, key: PublicKey) {
        self.change(|credentials| {
            if !credentials.public_keys.contains(&key) {
                credentials.public_keys.push(key);
            }
        });
    }

    /// Removes everything but authorities by name.
    pub fn clear(&self) {
        self.change(|credentials| {
            credentials.received.flush();
            let received = Arc::clone(&credentials.received);
            let mut named_authorities = Arc::clone(&credentials.named_authorities);
            let mut authorities: Vec<Certificate> = Vec::new();
            for loaded in Arc::make_mut(&mut named_authorities) {
                loaded.trusted = Trusted::ByAuthority;
                if !authorities.contains(&loaded.authority.certificate) {
                    authorities.push(loaded.authority.certificate.clone());
                }
            }
            *credentials = CredentialSnapshot {
                received,
                named_authorities,
                authorities,
                ..CredentialSnapshot::default()
            };
        });
    }

    fn change<T>(&self, edit: impl FnOnce(&mut CredentialSnapshot) -> T) -> T {
        let _writing = self.writing.lock();
        let mut credentials = CredentialSnapshot::clone(&self.current.load());
        let result = edit(&mut credentials);
        self.current.store(Arc::new(credentials));
        result
    }
}
