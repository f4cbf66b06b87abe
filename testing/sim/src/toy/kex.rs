//! Diffie-Hellman modulo the prime 2^61 - 1.

use std::sync::Arc;

use charon_crypto::kex::{KeyExchange, KeyInitiator, KeyResponse};
use charon_crypto::random::Random;
use charon_crypto::{Cost, CryptoError};
use charon_types::Secret;
use charon_types::algorithm::KeMethod;

const PRIME: u64 = (1 << 61) - 1;
const GENERATOR: u64 = 37;

pub(super) struct ToyKex<R> {
    method: KeMethod,
    random: Arc<R>,
}

impl<R: Random> ToyKex<R> {
    pub(super) const fn new(method: KeMethod, random: Arc<R>) -> Self {
        Self { method, random }
    }

    fn private(&self) -> u64 {
        let random: &dyn Random = &*self.random;
        random.u64() % (PRIME - 2) + 1
    }
}

impl<R: Random> KeyExchange for ToyKex<R> {
    fn method(&self) -> KeMethod {
        self.method
    }

    /// Dear, so that the machine has to wait.
    fn cost(&self) -> Cost {
        Cost::Dear
    }

    fn initiate(&self) -> Result<Box<dyn KeyInitiator>, CryptoError> {
        let private = self.private();
        Ok(Box::new(Pair { private, public: power(GENERATOR, private).to_be_bytes() }))
    }

    fn respond(&self, initiator_public: &[u8]) -> Result<KeyResponse, CryptoError> {
        let private = self.private();
        let secret = shared(private, initiator_public)?;
        Ok(KeyResponse { public: power(GENERATOR, private).to_be_bytes().to_vec(), secret })
    }
}

struct Pair {
    private: u64,
    public: [u8; 8],
}

impl KeyInitiator for Pair {
    fn public(&self) -> &[u8] {
        &self.public
    }

    fn finish(self: Box<Self>, responder_public: &[u8]) -> Result<Secret, CryptoError> {
        shared(self.private, responder_public)
    }
}

fn shared(private: u64, public: &[u8]) -> Result<Secret, CryptoError> {
    let public = public.try_into().map(u64::from_be_bytes).map_err(|_| CryptoError::InvalidPublicValue)?;
    if !(2..PRIME - 1).contains(&public) {
        return Err(CryptoError::InvalidPublicValue);
    }
    Ok(Secret::copy_from(&power(public, private).to_be_bytes()))
}

fn power(base: u64, mut exponent: u64) -> u64 {
    let times = |a: u64, b: u64| {
        let product = u128::from(a) * u128::from(b) % u128::from(PRIME);
        u64::try_from(product).expect("below the prime")
    };
    let (mut result, mut square) = (1, base);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = times(result, square);
        }
        square = times(square, square);
        exponent >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toy::random::Seeded;

    #[test]
    fn both_sides_get_the_same_secret() {
        let kex = ToyKex::new(KeMethod::CURVE_25519, Seeded::new(1));
        let initiator = kex.initiate().unwrap();
        let response = kex.respond(initiator.public()).unwrap();
        assert_eq!(initiator.finish(&response.public).unwrap(), response.secret);
        assert!(kex.respond(&[0; 8]).is_err());
    }
}
