//! Real algorithms for tests.

use charon_crypto::{CryptoProvider, Order, ProviderBuilder};

/// All of ring.
pub(crate) fn provider() -> CryptoProvider {
    let mut builder = ProviderBuilder::new(Order::AsAdded);
    for algorithm in charon_crypto_ring::algorithms() {
        builder.add_untested("ring", algorithm);
    }
    builder.freeze()
}
