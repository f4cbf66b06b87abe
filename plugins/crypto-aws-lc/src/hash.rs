//! SHA-1 and SHA-2.

use std::sync::Arc;

use aws_lc_rs::digest;
use charon_crypto::Algorithm;
use charon_crypto::hash::{HashAlgorithm, Hasher};

/// Octets that are put together before they are hashed: an address with what belongs to it.
const SHORT: usize = 64;

struct Sha {
    algorithm: HashAlgorithm,
    inner: &'static digest::Algorithm,
}

impl Hasher for Sha {
    fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// In one call what lies in one piece or is short: a context is an allocation, and takes longer than the hash of a few octets.
    fn hash(&self, parts: &[&[u8]]) -> Vec<u8> {
        let mut short = [0; SHORT];
        let len: usize = parts.iter().map(|part| part.len()).sum();
        if let [whole] = parts {
            return digest::digest(self.inner, whole).as_ref().to_vec();
        }
        if let Some(joined) = short.get_mut(..len) {
            let mut rest = &mut *joined;
            for part in parts {
                let (place, behind) = rest.split_at_mut(part.len());
                place.copy_from_slice(part);
                rest = behind;
            }
            return digest::digest(self.inner, joined).as_ref().to_vec();
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_the_whole_however_it_is_cut() {
        let data: Vec<u8> = (0..200).collect();
        for algorithm in algorithms() {
            let Algorithm::Hasher(hasher) = algorithm else { panic!("only hashes are here") };
            for len in [0, 1, SHORT - 1, SHORT, SHORT + 1, data.len()] {
                let data = &data[..len];
                let whole = hasher.hash(&[data]);
                for at in 0..=len {
                    let (head, tail) = data.split_at(at);
                    assert_eq!(hasher.hash(&[head, &[], tail]), whole, "{len} octets cut at {at}");
                }
            }
            assert_eq!(hasher.hash(&[]), hasher.hash(&[&[]]));
        }
    }
}
