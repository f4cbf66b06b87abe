//! The tables: which plugin serves which algorithm, in order of preference.

use std::sync::Arc;

use charon_types::Secret;
use charon_types::algorithm::{EncryptionId, IntegrityId, KeMethod, PrfId};

use crate::CryptoError;
pub use crate::algorithm::{Algorithm, AlgorithmName};
pub use crate::builder::{Order, ProviderBuilder, Rank, Refused};
use crate::cipher::{Aead, Cipher, Mac};
use crate::hash::{HashAlgorithm, Hasher};
use crate::kex::KeyExchange;
use crate::packet_key::{PacketKey, Suite};
use crate::prf::Prf;
use crate::random::Random;
use crate::shared_key::SharedKey;
use crate::signature::{KeyKind, PrivateKey, PrivateKeyDer, SignatureProvider, SignatureScheme};

/// An algorithm and the plugin that offers it.
#[derive(Clone)]
pub struct Offered<T: ?Sized> {
    /// Name of the plugin.
    pub plugin: &'static str,
    /// How it compares with others.
    pub rank: Rank,
    /// The algorithm.
    pub algorithm: Arc<T>,
}

/// Frozen tables. The first entry of an algorithm serves it; the others are there for differential tests and listings.
#[derive(Default)]
pub struct CryptoProvider {
    /// Combined modes, in order of preference.
    pub aeads: Vec<Offered<dyn Aead>>,
    /// Ciphers.
    pub ciphers: Vec<Offered<dyn Cipher>>,
    /// Integrity algorithms.
    pub macs: Vec<Offered<dyn Mac>>,
    /// Pseudo-random functions.
    pub prfs: Vec<Offered<dyn Prf>>,
    /// Key exchanges.
    pub key_exchanges: Vec<Offered<dyn KeyExchange>>,
    /// Hashes.
    pub hashers: Vec<Offered<dyn Hasher>>,
    /// Signatures.
    pub signatures: Vec<Offered<dyn SignatureProvider>>,
    /// Randomness.
    pub randoms: Vec<Offered<dyn Random>>,
}

impl CryptoProvider {
    /// Combined mode `id` at `key_bits` (`None` for an algorithm's only length).
    #[must_use]
    pub fn aead(&self, id: EncryptionId, key_bits: Option<u16>) -> Option<&dyn Aead> {
        self.find_aead(id, key_bits).map(|aead| &**aead)
    }

    /// Cipher `id` at `key_bits`.
    #[must_use]
    pub fn cipher(&self, id: EncryptionId, key_bits: Option<u16>) -> Option<&dyn Cipher> {
        self.find_cipher(id, key_bits).map(|cipher| &**cipher)
    }

    /// Integrity algorithm `id`.
    #[must_use]
    pub fn mac(&self, id: IntegrityId) -> Option<&dyn Mac> {
        self.find_mac(id).map(|mac| &**mac)
    }

    /// Pseudo-random function `id`.
    #[must_use]
    pub fn prf(&self, id: PrfId) -> Option<&dyn Prf> {
        self.prfs.iter().map(|offered| &*offered.algorithm).find(|prf| prf.id() == id)
    }

    /// Key exchange `method`.
    #[must_use]
    pub fn key_exchange(&self, method: KeMethod) -> Option<&Arc<dyn KeyExchange>> {
        self.key_exchanges.iter().map(|offered| &offered.algorithm).find(|ke| ke.method() == method)
    }

    /// Digest of the concatenation of `parts`, `None` if no provider has the hash.
    #[must_use]
    pub fn hash(&self, algorithm: HashAlgorithm, parts: &[&[u8]]) -> Option<Vec<u8>> {
        self.hashers
            .iter()
            .find(|offered| offered.algorithm.algorithm() == algorithm)
            .map(|offered| offered.algorithm.hash(parts))
    }

    /// The source of randomness.
    ///
    /// # Panics
    /// If no plugin registered one; the daemon checks that before it starts anything.
    #[must_use]
    pub fn random(&self) -> &dyn Random {
        &*self
            .randoms
            .first()
            .expect("a provider of randomness is registered before the tables freeze")
            .algorithm
    }

    /// Octets of encryption and of integrity key material that a suite needs, `None` if it is not available.
    #[must_use]
    pub fn key_lens(
        &self,
        encryption: EncryptionId,
        key_bits: Option<u16>,
        integrity: Option<IntegrityId>,
    ) -> Option<(usize, usize)> {
        if encryption.is_aead() {
            return Some((self.aead(encryption, key_bits)?.key_material_len(), 0));
        }
        let mac = self.mac(integrity?)?.key_len();
        if encryption == EncryptionId::NULL {
            return Some((0, mac));
        }
        Some((self.cipher(encryption, key_bits)?.key_material_len(), mac))
    }

    /// A key for packets in one direction, expanded once: for packets by the thousand.
    ///
    /// # Errors
    /// [`CryptoError::Unsupported`] if the suite is not available, [`CryptoError::InvalidKey`] for wrong key lengths.
    pub fn packet_key(
        &self,
        encryption: (EncryptionId, Option<u16>, &Secret),
        integrity: Option<(IntegrityId, &Secret)>,
    ) -> Result<PacketKey, CryptoError> {
        self.suite(encryption, integrity)?.expand()
    }

    /// The same key in a tenth of the memory, expanded for every packet (0.2 to 0.5 µs): for keys that mostly rest.
    ///
    /// # Errors
    /// As [`CryptoProvider::packet_key`].
    pub fn packet_key_at_rest(
        &self,
        encryption: (EncryptionId, Option<u16>, &Secret),
        integrity: Option<(IntegrityId, &Secret)>,
    ) -> Result<PacketKey, CryptoError> {
        PacketKey::at_rest(self.suite(encryption, integrity)?)
    }

    /// The same key, expanded for its first packet: of many SAs most are idle, in a tenth of the memory.
    ///
    /// # Errors
    /// As [`CryptoProvider::packet_key`].
    pub fn packet_key_asleep(
        &self,
        encryption: (EncryptionId, Option<u16>, &Secret),
        integrity: Option<(IntegrityId, &Secret)>,
    ) -> Result<PacketKey, CryptoError> {
        PacketKey::asleep(self.suite(encryption, integrity)?)
    }

    fn suite(
        &self,
        (encryption, key_bits, encryption_key): (EncryptionId, Option<u16>, &Secret),
        integrity: Option<(IntegrityId, &Secret)>,
    ) -> Result<Suite, CryptoError> {
        if encryption.is_aead() {
            let aead = self.find_aead(encryption, key_bits).ok_or(CryptoError::Unsupported)?;
            return Ok(Suite::Aead(Arc::clone(aead), encryption_key.clone()));
        }
        let (integrity, integrity_key) = integrity.ok_or(CryptoError::Unsupported)?;
        let mac = self.find_mac(integrity).ok_or(CryptoError::Unsupported)?;
        let cipher = if encryption == EncryptionId::NULL {
            None
        } else {
            let cipher = self.find_cipher(encryption, key_bits).ok_or(CryptoError::Unsupported)?;
            Some((Arc::clone(cipher), encryption_key.clone()))
        };
        Ok(Suite::Composed { cipher, mac: (Arc::clone(mac), integrity_key.clone()) })
    }

    /// A usable private key. Each scheme is signed by the first provider that serves it.
    ///
    /// # Errors
    /// [`CryptoError::Unsupported`] if nobody serves its kind, [`CryptoError::InvalidKey`] if it is malformed.
    pub fn load_private_key(&self, key: &PrivateKeyDer) -> Result<Arc<dyn PrivateKey>, CryptoError> {
        let mut taken = Vec::new();
        let mut failure = CryptoError::Unsupported;
        for offered in &self.signatures {
            match offered.algorithm.load(key) {
                Ok(key) => taken.push(key),
                Err(CryptoError::Unsupported) => {}
                Err(error) => failure = error,
            }
        }
        if taken.len() > 1 {
            return Ok(Arc::new(SharedKey::new(taken)));
        }
        taken.pop().ok_or(failure)
    }

    /// Checks a signature, by the first provider that serves the key and scheme.
    ///
    /// # Errors
    /// As [`SignatureProvider::verify`].
    pub fn verify(
        &self,
        scheme: SignatureScheme,
        public_key_info: &[u8],
        data: &[u8],
        signature: &[u8],
    ) -> Result<(), CryptoError> {
        self.first_supported(|provider| provider.verify(scheme, public_key_info, data, signature))
    }

    /// Whether some provider serves keys of that kind.
    #[must_use]
    pub fn serves(&self, kind: KeyKind) -> bool {
        self.signatures.iter().any(|offered| offered.algorithm.kinds().contains(&kind))
    }

    fn find_aead(&self, id: EncryptionId, key_bits: Option<u16>) -> Option<&Arc<dyn Aead>> {
        let bits = key_bits.unwrap_or(0);
        let mut aeads = self.aeads.iter().map(|offered| &offered.algorithm);
        aeads.find(|aead| aead.id() == id && aead.key_bits() == bits)
    }

    fn find_cipher(&self, id: EncryptionId, key_bits: Option<u16>) -> Option<&Arc<dyn Cipher>> {
        let bits = key_bits.unwrap_or(0);
        let mut ciphers = self.ciphers.iter().map(|offered| &offered.algorithm);
        ciphers.find(|cipher| cipher.id() == id && cipher.key_bits() == bits)
    }

    fn find_mac(&self, id: IntegrityId) -> Option<&Arc<dyn Mac>> {
        self.macs.iter().map(|offered| &offered.algorithm).find(|mac| mac.id() == id)
    }

    fn first_supported<T>(
        &self,
        mut attempt: impl FnMut(&dyn SignatureProvider) -> Result<T, CryptoError>,
    ) -> Result<T, CryptoError> {
        let mut result = Err(CryptoError::Unsupported);
        for offered in &self.signatures {
            result = attempt(&*offered.algorithm);
            if !matches!(result, Err(CryptoError::Unsupported)) {
                break;
            }
        }
        result
    }
}
