//! Algorithms that are fast, deterministic and worthless: they keep the shape of the real ones, and notice what real ones
//! would, such as a changed bit or a wrong key.

mod aead;
mod cipher;
mod kex;
mod prf;
mod random;
mod sponge;

use std::sync::Arc;

use charon_crypto::{Algorithm, CryptoProvider, Order, ProviderBuilder};
use charon_types::algorithm::KeMethod;

use crate::ledger::Ledger;

/// The provider of one host: its randomness comes from `seed`.
#[must_use]
pub fn provider(seed: u64, ledger: &Arc<Ledger>) -> Arc<CryptoProvider> {
    let random = random::Seeded::new(seed);
    let algorithms = [
        Algorithm::Aead(Arc::new(aead::ToyAead::new(Arc::clone(ledger)))),
        Algorithm::Cipher(Arc::new(cipher::ToyCipher)),
        Algorithm::Mac(Arc::new(cipher::ToyMac)),
        Algorithm::Prf(Arc::new(prf::ToyPrf)),
        Algorithm::Hasher(Arc::new(prf::ToyHash::sha1())),
        Algorithm::Hasher(Arc::new(prf::ToyHash::sha256())),
        Algorithm::KeyExchange(Arc::new(kex::ToyKex::new(KeMethod::CURVE_25519, Arc::clone(&random)))),
        Algorithm::KeyExchange(Arc::new(kex::ToyKex::new(KeMethod::ECP_256, Arc::clone(&random)))),
        Algorithm::Random(random),
    ];
    let mut builder = ProviderBuilder::new(Order::AsAdded);
    for algorithm in algorithms {
        builder.add_untested("toy", algorithm);
    }
    Arc::new(builder.freeze())
}
