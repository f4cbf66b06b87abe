//! One private key as several providers hold it.

use std::sync::Arc;

use crate::signature::{KeyKind, PrivateKey, SignatureScheme};
use crate::{Cost, CryptoError};

/// The same key, loaded by at least one provider each, in order of preference. Not every provider signs in every scheme.
pub(crate) struct SharedKey {
    first: Arc<dyn PrivateKey>,
    others: Vec<Arc<dyn PrivateKey>>,
}

impl SharedKey {
    /// # Panics
    /// If there is no key.
    pub(crate) fn new(mut keys: Vec<Arc<dyn PrivateKey>>) -> Self {
        let others = keys.split_off(1);
        let first = keys.pop().expect("split_off(1) leaves one");
        Self { first, others }
    }
}

impl PrivateKey for SharedKey {
    fn kind(&self) -> KeyKind {
        self.first.kind()
    }

    fn bits(&self) -> u32 {
        self.first.bits()
    }

    fn public_key_info(&self) -> &[u8] {
        self.first.public_key_info()
    }

    fn cost(&self) -> Cost {
        self.first.cost()
    }

    fn sign(&self, scheme: SignatureScheme, data: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut result = self.first.sign(scheme, data);
        for key in &self.others {
            if !matches!(result, Err(CryptoError::Unsupported)) {
                break;
            }
            result = key.sign(scheme, data);
        }
        result
    }
}
