//! Stand for PRF-HMAC-SHA2-256, SHA-1 and SHA2-256.

use charon_crypto::CryptoError;
use charon_crypto::hash::{HashAlgorithm, Hasher};
use charon_crypto::prf::{Prf, PrfKey};
use charon_types::algorithm::PrfId;

use super::sponge::Sponge;

const PRF: u64 = 5;
const PRF_LEN: usize = 32;

pub(super) struct ToyPrf;

impl Prf for ToyPrf {
    fn id(&self) -> PrfId {
        PrfId::HMAC_SHA2_256
    }

    fn key_len(&self) -> usize {
        PRF_LEN
    }

    fn output_len(&self) -> usize {
        PRF_LEN
    }

    fn key(&self, key: &[u8]) -> Result<Box<dyn PrfKey>, CryptoError> {
        let mut sponge = Sponge::new(PRF);
        let len = u64::try_from(key.len()).unwrap_or(0).to_le_bytes();
        sponge.absorb(&len).absorb(key);
        Ok(Box::new(Keyed(sponge)))
    }
}

struct Keyed(Sponge);

impl PrfKey for Keyed {
    fn sign(&self, parts: &[&[u8]], out: &mut [u8]) {
        let mut sponge = self.0.clone();
        for part in parts {
            sponge.absorb(part);
        }
        sponge.squeeze(out);
    }
}

pub(super) struct ToyHash {
    algorithm: HashAlgorithm,
    domain: u64,
}

impl ToyHash {
    pub(super) const fn sha1() -> Self {
        Self { algorithm: HashAlgorithm::Sha1, domain: 6 }
    }

    pub(super) const fn sha256() -> Self {
        Self { algorithm: HashAlgorithm::Sha256, domain: 7 }
    }
}

impl Hasher for ToyHash {
    fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    fn hash(&self, parts: &[&[u8]]) -> Vec<u8> {
        let mut sponge = Sponge::new(self.domain);
        for part in parts {
            sponge.absorb(part);
        }
        let mut digest = vec![0; self.algorithm.len()];
        sponge.squeeze(&mut digest);
        digest
    }
}
