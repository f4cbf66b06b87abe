//! ML-KEM as a key exchange (FIPS 203; draft-ietf-ipsecme-ikev2-mlkem): the initiator sends its encapsulation key, the
//! responder a ciphertext.

use std::sync::Arc;

use aws_lc_rs::kem::{
    self, AlgorithmId, Ciphertext, DecapsulationKey, EncapsulationKey, ML_KEM_512, ML_KEM_768, ML_KEM_1024,
};
use charon_crypto::kex::{KeyExchange, KeyInitiator, KeyResponse};
use charon_crypto::{Algorithm, Cost, CryptoError};
use charon_types::Secret;
use charon_types::algorithm::KeMethod;

struct MlKem {
    method: KeMethod,
    inner: &'static kem::Algorithm<AlgorithmId>,
}

impl KeyExchange for MlKem {
    fn method(&self) -> KeMethod {
        self.method
    }

    fn cost(&self) -> Cost {
        Cost::Cheap
    }

    fn initiate(&self) -> Result<Box<dyn KeyInitiator>, CryptoError> {
        let private = DecapsulationKey::generate(self.inner).map_err(|_| CryptoError::Provider)?;
        let encapsulation = private.encapsulation_key().map_err(|_| CryptoError::Provider)?;
        let public = encapsulation.key_bytes().map_err(|_| CryptoError::Provider)?.as_ref().to_vec();
        Ok(Box::new(Initiator { private, public }))
    }

    fn respond(&self, initiator_public: &[u8]) -> Result<KeyResponse, CryptoError> {
        let key = EncapsulationKey::new(self.inner, initiator_public)
            .map_err(|_| CryptoError::InvalidPublicValue)?;
        let (ciphertext, secret) = key.encapsulate().map_err(|_| CryptoError::InvalidPublicValue)?;
        Ok(KeyResponse { public: ciphertext.as_ref().to_vec(), secret: Secret::copy_from(secret.as_ref()) })
    }
}

struct Initiator {
    private: DecapsulationKey<AlgorithmId>,
    public: Vec<u8>,
}

impl KeyInitiator for Initiator {
    fn public(&self) -> &[u8] {
        &self.public
    }

    fn finish(self: Box<Self>, responder_public: &[u8]) -> Result<Secret, CryptoError> {
        let secret = self
            .private
            .decapsulate(Ciphertext::from(responder_public))
            .map_err(|_| CryptoError::InvalidPublicValue)?;
        Ok(Secret::copy_from(secret.as_ref()))
    }
}

pub(crate) fn algorithms() -> Vec<Algorithm> {
    [
        (KeMethod::ML_KEM_768, &ML_KEM_768),
        (KeMethod::ML_KEM_1024, &ML_KEM_1024),
        (KeMethod::ML_KEM_512, &ML_KEM_512),
    ]
    .into_iter()
    .map(|(method, inner)| Algorithm::KeyExchange(Arc::new(MlKem { method, inner })))
    .collect()
}
