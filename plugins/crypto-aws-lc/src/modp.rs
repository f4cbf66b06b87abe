//! Diffie-Hellman in the safe-prime groups of RFC 3526.
//!
//! Private exponents have twice the strength of the group in bits, as RFC 7919 §5.2 allows for safe primes; a peer's value
//! y is refused unless 1 < y < p-1, which leaves it no small subgroup to aim at (RFC 6989 §2.1).

use std::sync::Arc;

use charon_crypto::kex::{KeyExchange, KeyInitiator, KeyResponse};
use charon_crypto::{Algorithm, Cost, CryptoError};
use charon_types::Secret;
use charon_types::algorithm::KeMethod;
use zeroize::Zeroizing;

use crate::sys::modexp::{Rfc3526, SafePrime};

/// Octets of the longest private exponent below.
const EXPONENT_LEN_MAX: usize = 64;

const GENERATOR: &[u8] = &[2];

#[derive(Clone)]
struct Modp {
    method: KeMethod,
    prime: Arc<SafePrime>,
    exponent_len: usize,
}

type Exponent = Zeroizing<[u8; EXPONENT_LEN_MAX]>;

impl Modp {
    /// The top bit is set, so that an exponent always has its full length.
    fn exponent(&self) -> Result<Exponent, CryptoError> {
        let mut exponent = Zeroizing::new([0; EXPONENT_LEN_MAX]);
        let used = &mut exponent[..self.exponent_len];
        aws_lc_rs::rand::fill(used).map_err(|_| CryptoError::Provider)?;
        used[0] |= 0x80;
        Ok(exponent)
    }

    fn public(&self, exponent: &Exponent) -> Result<Vec<u8>, CryptoError> {
        let mut public = vec![0; self.prime.octets()];
        self.prime.pow(GENERATOR, &exponent[..self.exponent_len], &mut public)?;
        Ok(public)
    }

    fn agree(&self, exponent: &[u8], peer: &[u8]) -> Result<Secret, CryptoError> {
        if peer.len() != self.prime.octets() {
            return Err(CryptoError::InvalidPublicValue);
        }
        let mut secret = vec![0; self.prime.octets()];
        self.prime.pow(peer, exponent, &mut secret)?;
        Ok(Secret::from(secret))
    }
}

impl KeyExchange for Modp {
    fn method(&self) -> KeMethod {
        self.method
    }

    fn cost(&self) -> Cost {
        Cost::Dear
    }

    fn initiate(&self) -> Result<Box<dyn KeyInitiator>, CryptoError> {
        let exponent = self.exponent()?;
        let public = self.public(&exponent)?;
        Ok(Box::new(Initiator { group: self.clone(), exponent, public }))
    }

    fn respond(&self, initiator_public: &[u8]) -> Result<KeyResponse, CryptoError> {
        let exponent = self.exponent()?;
        let secret = self.agree(&exponent[..self.exponent_len], initiator_public)?;
        Ok(KeyResponse { public: self.public(&exponent)?, secret })
    }

    fn secret_from(&self, private: &[u8], peer_public: &[u8]) -> Result<Secret, CryptoError> {
        self.agree(private, peer_public)
    }
}

struct Initiator {
    group: Modp,
    exponent: Exponent,
    public: Vec<u8>,
}

impl KeyInitiator for Initiator {
    fn public(&self) -> &[u8] {
        &self.public
    }

    fn finish(self: Box<Self>, responder_public: &[u8]) -> Result<Secret, CryptoError> {
        self.group.agree(&self.exponent[..self.group.exponent_len], responder_public)
    }
}

pub(crate) fn algorithms() -> Vec<Algorithm> {
    [
        (KeMethod::MODP_2048, Rfc3526::Bits2048, 32),
        (KeMethod::MODP_3072, Rfc3526::Bits3072, 40),
        (KeMethod::MODP_4096, Rfc3526::Bits4096, 48),
        (KeMethod::MODP_6144, Rfc3526::Bits6144, 56),
        (KeMethod::MODP_8192, Rfc3526::Bits8192, 64),
    ]
    .into_iter()
    .map(|(method, prime, exponent_len)| {
        Algorithm::KeyExchange(Arc::new(Modp {
            method,
            prime: Arc::new(SafePrime::new(prime)),
            exponent_len,
        }))
    })
    .collect()
}
