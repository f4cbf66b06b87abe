//! Elliptic curve Diffie-Hellman: X25519 (RFC 8031), P-256 and P-384 (RFC 5903).

use std::sync::Arc;

use charon_crypto::kex::{KeyExchange, KeyInitiator, KeyResponse};
use charon_crypto::{Algorithm, Cost, CryptoError};
use charon_types::Secret;
use charon_types::algorithm::KeMethod;
use ring::agreement::{
    self, ECDH_P256, ECDH_P384, EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral,
};
use ring::rand::SystemRandom;

/// First octet of an uncompressed point (SEC 1), which KE payloads leave out.
const UNCOMPRESSED: u8 = 4;

/// Octets of the longest point: P-384, uncompressed.
const POINT_LEN_MAX: usize = 1 + 2 * 48;

#[derive(Clone, Copy)]
struct Curve {
    method: KeMethod,
    inner: &'static agreement::Algorithm,
    form: PointForm,
}

#[derive(Clone, Copy)]
enum PointForm {
    /// X25519: the octets of the u-coordinate.
    Raw { len: usize },
    /// x ‖ y, without the 04 of SEC 1.
    Affine { len: usize },
}

impl Curve {
    fn generate(&self) -> Result<(EphemeralPrivateKey, Vec<u8>), CryptoError> {
        let private = EphemeralPrivateKey::generate(self.inner, &SystemRandom::new())
            .map_err(|_| CryptoError::Provider)?;
        let public = private.compute_public_key().map_err(|_| CryptoError::Provider)?;
        let wire = match self.form {
            PointForm::Raw { .. } => public.as_ref(),
            PointForm::Affine { .. } => &public.as_ref()[1..],
        };
        Ok((private, wire.to_vec()))
    }

    /// The library checks that the point is on the curve, and refuses an all-zero X25519 secret.
    fn agree(&self, private: EphemeralPrivateKey, peer: &[u8]) -> Result<Secret, CryptoError> {
        let mut point = [0; POINT_LEN_MAX];
        let encoded = match self.form {
            PointForm::Raw { len } if peer.len() == len => peer,
            PointForm::Affine { len } if peer.len() == len => {
                point[0] = UNCOMPRESSED;
                point[1..=len].copy_from_slice(peer);
                &point[..=len]
            }
            PointForm::Raw { .. } | PointForm::Affine { .. } => return Err(CryptoError::InvalidPublicValue),
        };
        agree_ephemeral(private, &UnparsedPublicKey::new(self.inner, encoded), Secret::copy_from)
            .map_err(|_| CryptoError::InvalidPublicValue)
    }
}

impl KeyExchange for Curve {
    fn method(&self) -> KeMethod {
        self.method
    }

    fn cost(&self) -> Cost {
        Cost::Cheap
    }

    fn initiate(&self) -> Result<Box<dyn KeyInitiator>, CryptoError> {
        let (private, public) = self.generate()?;
        Ok(Box::new(Initiator { curve: *self, private, public }))
    }

    fn respond(&self, initiator_public: &[u8]) -> Result<KeyResponse, CryptoError> {
        let (private, public) = self.generate()?;
        Ok(KeyResponse { public, secret: self.agree(private, initiator_public)? })
    }
}

struct Initiator {
    curve: Curve,
    private: EphemeralPrivateKey,
    public: Vec<u8>,
}

impl KeyInitiator for Initiator {
    fn public(&self) -> &[u8] {
        &self.public
    }

    fn finish(self: Box<Self>, responder_public: &[u8]) -> Result<Secret, CryptoError> {
        self.curve.agree(self.private, responder_public)
    }
}

pub(crate) fn algorithms() -> Vec<Algorithm> {
    [
        (KeMethod::CURVE_25519, &X25519, PointForm::Raw { len: 32 }),
        (KeMethod::ECP_256, &ECDH_P256, PointForm::Affine { len: 64 }),
        (KeMethod::ECP_384, &ECDH_P384, PointForm::Affine { len: 96 }),
    ]
    .into_iter()
    .map(|(method, inner, form)| Algorithm::KeyExchange(Arc::new(Curve { method, inner, form })))
    .collect()
}
