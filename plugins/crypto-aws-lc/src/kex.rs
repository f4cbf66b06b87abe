//! Elliptic curve Diffie-Hellman: X25519 (RFC 8031) and the NIST curves (RFC 5903).

use std::sync::Arc;

use aws_lc_rs::agreement::{self, ECDH_P256, ECDH_P384, ECDH_P521, PrivateKey, UnparsedPublicKey, X25519};
use charon_crypto::kex::{KeyExchange, KeyInitiator, KeyResponse};
use charon_crypto::{Algorithm, Cost, CryptoError};
use charon_types::Secret;
use charon_types::algorithm::KeMethod;

/// First octet of an uncompressed point (SEC 1), which KE payloads leave out.
const UNCOMPRESSED: u8 = 4;

/// Octets of the longest point: P-521, uncompressed.
const POINT_LEN_MAX: usize = 1 + 2 * 66;

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
    fn wire_public(&self, key: &PrivateKey) -> Result<Vec<u8>, CryptoError> {
        let public = key.compute_public_key().map_err(|_| CryptoError::Provider)?;
        Ok(match self.form {
            PointForm::Raw { .. } => public.as_ref().to_vec(),
            PointForm::Affine { .. } => public.as_ref()[1..].to_vec(),
        })
    }

    fn generate(&self) -> Result<PrivateKey, CryptoError> {
        PrivateKey::generate(self.inner).map_err(|_| CryptoError::Provider)
    }

    /// The library checks that the point is on the curve, and refuses an all-zero X25519 secret.
    fn agree(&self, key: &PrivateKey, peer: &[u8]) -> Result<Secret, CryptoError> {
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
        let peer = UnparsedPublicKey::new(self.inner, encoded);
        agreement::agree(key, peer, CryptoError::InvalidPublicValue, |secret| Ok(Secret::copy_from(secret)))
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
        let private = self.generate()?;
        let public = self.wire_public(&private)?;
        Ok(Box::new(Initiator { curve: *self, private, public }))
    }

    fn respond(&self, initiator_public: &[u8]) -> Result<KeyResponse, CryptoError> {
        let private = self.generate()?;
        let secret = self.agree(&private, initiator_public)?;
        Ok(KeyResponse { public: self.wire_public(&private)?, secret })
    }

    fn secret_from(&self, private: &[u8], peer_public: &[u8]) -> Result<Secret, CryptoError> {
        let private =
            PrivateKey::from_private_key(self.inner, private).map_err(|_| CryptoError::InvalidKey)?;
        self.agree(&private, peer_public)
    }
}

struct Initiator {
    curve: Curve,
    private: PrivateKey,
    public: Vec<u8>,
}

impl KeyInitiator for Initiator {
    fn public(&self) -> &[u8] {
        &self.public
    }

    fn finish(self: Box<Self>, responder_public: &[u8]) -> Result<Secret, CryptoError> {
        self.curve.agree(&self.private, responder_public)
    }
}

pub(crate) fn algorithms() -> Vec<Algorithm> {
    [
        (KeMethod::CURVE_25519, &X25519, PointForm::Raw { len: 32 }),
        (KeMethod::ECP_256, &ECDH_P256, PointForm::Affine { len: 64 }),
        (KeMethod::ECP_384, &ECDH_P384, PointForm::Affine { len: 96 }),
        (KeMethod::ECP_521, &ECDH_P521, PointForm::Affine { len: 132 }),
    ]
    .into_iter()
    .map(|(method, inner, form)| Algorithm::KeyExchange(Arc::new(Curve { method, inner, form })))
    .collect()
}
