//! `get-algorithms`: what is computed, and by which plugin.

use charon_crypto::hash::HashAlgorithm;
use vici::Message;

use crate::server::Server;

pub(super) fn run(server: &Server) -> Message {
    let crypto = &server.crypto;
    let mut message = Message::new();
    let ciphers = crypto.ciphers.iter().map(|offered| (offered.algorithm.id().to_string(), offered.plugin));
    push(&mut message, "encryption", ciphers);
    let macs = crypto.macs.iter().map(|offered| (offered.algorithm.id().to_string(), offered.plugin));
    push(&mut message, "integrity", macs);
    let aeads = crypto.aeads.iter().map(|offered| (offered.algorithm.id().to_string(), offered.plugin));
    push(&mut message, "aead", aeads);
    let hashers =
        crypto.hashers.iter().map(|offered| (hash_name(offered.algorithm.algorithm()), offered.plugin));
    push(&mut message, "hasher", hashers.map(|(name, plugin)| (name.to_owned(), plugin)));
    let prfs = crypto.prfs.iter().map(|offered| (offered.algorithm.id().to_string(), offered.plugin));
    push(&mut message, "prf", prfs);
    for unused in ["xof", "kdf", "drbg"] {
        message.nest(unused, |_| {});
    }
    let exchanges = crypto.key_exchanges.iter();
    push(
        &mut message,
        "ke",
        exchanges.map(|offered| (offered.algorithm.method().to_string(), offered.plugin)),
    );
    // One kind of randomness serves all needs.
    let source = crypto.randoms.first().map(|offered| offered.plugin);
    push(&mut message, "rng", source.into_iter().map(|plugin| ("RNG_STRONG".to_owned(), plugin)));
    push(&mut message, "nonce-gen", source.into_iter().map(|plugin| ("NONCE_GEN".to_owned(), plugin)));
    message
}

/// Each algorithm once, with the plugin that serves it.
fn push(message: &mut Message, section: &str, algorithms: impl Iterator<Item = (String, &'static str)>) {
    message.nest(section, |section| {
        let mut seen = Vec::new();
        for (name, plugin) in algorithms {
            if !seen.contains(&name) {
                section.push(&name, plugin);
                seen.push(name);
            }
        }
    });
}

fn hash_name(algorithm: HashAlgorithm) -> &'static str {
    match algorithm {
        HashAlgorithm::Sha1 => "HASH_SHA1",
        HashAlgorithm::Sha256 => "HASH_SHA2_256",
        HashAlgorithm::Sha384 => "HASH_SHA2_384",
        HashAlgorithm::Sha512 => "HASH_SHA2_512",
    }
}
