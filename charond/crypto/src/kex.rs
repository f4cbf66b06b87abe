//! Key exchange: Diffie-Hellman groups and KEMs under one shape, initiator and responder.

use charon_types::Secret;
use charon_types::algorithm::KeMethod;

use crate::{Cost, CryptoError};

/// A key exchange method.
pub trait KeyExchange: Send + Sync {
    /// Transform number.
    fn method(&self) -> KeMethod;
    /// How long each step takes.
    fn cost(&self) -> Cost;
    /// Makes an ephemeral key pair.
    ///
    /// # Errors
    /// [`CryptoError::Provider`] if no randomness is to be had.
    fn initiate(&self) -> Result<Box<dyn KeyInitiator>, CryptoError>;
    /// Answers an initiator's public value with ours and the shared secret.
    ///
    /// # Errors
    /// [`CryptoError::InvalidPublicValue`] for a value of the wrong length or one that fails validation (RFC 6989).
    fn respond(&self, initiator_public: &[u8]) -> Result<KeyResponse, CryptoError>;
    /// The shared secret from a private value that is given, for known-answer tests.
    ///
    /// # Errors
    /// [`CryptoError::Unsupported`] where the provider takes no private values or the method is no Diffie-Hellman group.
    fn secret_from(&self, _private: &[u8], _peer_public: &[u8]) -> Result<Secret, CryptoError> {
        Err(CryptoError::Unsupported)
    }
}

/// The initiator's ephemeral key pair.
pub trait KeyInitiator: Send + Sync {
    /// KE payload data to send: raw X25519, x‖y without the 04 prefix for ECP, padded to the modulus for MODP.
    fn public(&self) -> &[u8];
    /// The shared secret from the responder's KE payload data: x only for ECP, padded to the modulus for MODP.
    ///
    /// # Errors
    /// As [`KeyExchange::respond`].
    fn finish(self: Box<Self>, responder_public: &[u8]) -> Result<Secret, CryptoError>;
}

/// The responder's half.
pub struct KeyResponse {
    /// KE payload data to send.
    pub public: Vec<u8>,
    /// The shared secret.
    pub secret: Secret,
}
