//! What the loaded plugins can compute, for checking proposals and for their defaults.

use charon_crypto::CryptoProvider;
use charon_types::proposal::AvailableAlgorithms;

/// Each algorithm once, in order of preference.
pub(crate) fn available(crypto: &CryptoProvider) -> AvailableAlgorithms {
    let aeads = crypto.aeads.iter().map(|offered| (offered.algorithm.id(), offered.algorithm.key_bits()));
    let ciphers = crypto.ciphers.iter().map(|offered| (offered.algorithm.id(), offered.algorithm.key_bits()));
    AvailableAlgorithms {
        encryption: distinct(aeads.chain(ciphers)),
        integrity: distinct(crypto.macs.iter().map(|offered| offered.algorithm.id())),
        prf: distinct(crypto.prfs.iter().map(|offered| offered.algorithm.id())),
        ke: distinct(crypto.key_exchanges.iter().map(|offered| offered.algorithm.method())),
    }
}

fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut distinct = Vec::new();
    for item in items {
        if !distinct.contains(&item) {
            distinct.push(item);
        }
    }
    distinct
}
