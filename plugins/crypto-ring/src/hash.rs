//! SHA-1 and SHA-2.

use std::sync::Arc;

use charon_crypto::Algorithm;
use charon_crypto::hash::{HashAlgorithm, Hasher};
use ring::digest;

struct Sha {
    algorithm: HashAlgorithm,
    inner: &'static digest::Algorithm,
}

impl Hasher for Sha {
    fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    fn hash(&self, parts: &[&[u8]]) -> Vec<u8> {
        let mut context = digest::Context::new(self.inner);
        for part in parts {
            context.update(part);
        }
        context.finish().as_ref().to_vec()
    }
}

pub(crate) fn algorithms() -> Vec<Algorithm> {
    [
        (HashAlgorithm::Sha1, &digest::SHA1_FOR_LEGACY_USE_ONLY),
        (HashAlgorithm::Sha256, &digest::SHA256),
        (HashAlgorithm::Sha384, &digest::SHA384),
        (HashAlgorithm::Sha512, &digest::SHA512),
    ]
    .into_iter()
    .map(|(algorithm, inner)| Algorithm::Hasher(Arc::new(Sha { algorithm, inner })))
    .collect()
}
