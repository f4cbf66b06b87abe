use std::sync::Arc;

use charon_types::Secret;
use charon_types::algorithm::{EncryptionId, KeMethod, PrfId};

use super::*;
use crate::cipher::{Cipher, CipherKey};
use crate::hash::{HashAlgorithm, Hasher};
use crate::kex::{KeyExchange, KeyInitiator, KeyResponse};
use crate::prf::{Prf, PrfKey};
use crate::random::Random;
use crate::{Cost, Order, ProviderBuilder, Rank};

/// Claims to be SHA-256 and is not.
struct WrongHash;

impl Hasher for WrongHash {
    fn algorithm(&self) -> HashAlgorithm {
        HashAlgorithm::Sha256
    }

    fn hash(&self, parts: &[&[u8]]) -> Vec<u8> {
        vec![u8::try_from(parts.len()).unwrap_or(0); 32]
    }
}

/// Claims to be AES-CBC and leaves everything as it is.
struct IdleCipher;

impl Cipher for IdleCipher {
    fn id(&self) -> EncryptionId {
        EncryptionId::AES_CBC
    }

    fn key_bits(&self) -> u16 {
        512
    }

    fn key_material_len(&self) -> usize {
        64
    }

    fn iv_len(&self) -> usize {
        16
    }

    fn block_len(&self) -> usize {
        16
    }

    fn key(&self, _material: &Secret) -> Result<Box<dyn CipherKey>, CryptoError> {
        Ok(Box::new(Self))
    }
}

impl CipherKey for IdleCipher {
    fn encrypt(&self, _iv: &[u8], _data: &mut [u8]) -> Result<(), CryptoError> {
        Ok(())
    }

    fn decrypt(&self, _iv: &[u8], _data: &mut [u8]) -> Result<(), CryptoError> {
        Ok(())
    }
}

/// A PRF of its own number: the sum of everything, as many octets as asked for.
struct Sum;

impl Prf for Sum {
    fn id(&self) -> PrfId {
        PrfId(65_000)
    }

    fn key_len(&self) -> usize {
        4
    }

    fn output_len(&self) -> usize {
        4
    }

    fn key(&self, _key: &[u8]) -> Result<Box<dyn PrfKey>, CryptoError> {
        Ok(Box::new(Self))
    }
}

impl PrfKey for Sum {
    fn sign(&self, parts: &[&[u8]], out: &mut [u8]) {
        let sum = parts.concat().iter().fold(0_u8, |sum, octet| sum.wrapping_add(*octet));
        out.fill(sum);
    }
}

/// A key exchange whose ends agree on a constant.
struct Constant;

impl KeyExchange for Constant {
    fn method(&self) -> KeMethod {
        KeMethod::MODP_NULL
    }

    fn cost(&self) -> Cost {
        Cost::Cheap
    }

    fn initiate(&self) -> Result<Box<dyn KeyInitiator>, CryptoError> {
        Ok(Box::new(Self))
    }

    fn respond(&self, initiator_public: &[u8]) -> Result<KeyResponse, CryptoError> {
        if initiator_public.len() != 4 {
            return Err(CryptoError::InvalidPublicValue);
        }
        Ok(KeyResponse { public: vec![1; 4], secret: Secret::from(vec![2; 4]) })
    }
}

impl KeyInitiator for Constant {
    fn public(&self) -> &[u8] {
        &[1; 4]
    }

    fn finish(self: Box<Self>, _responder_public: &[u8]) -> Result<Secret, CryptoError> {
        Ok(Secret::from(vec![2; 4]))
    }
}

struct Stuck;

impl Random for Stuck {
    fn fill(&self, out: &mut [u8]) {
        out.fill(7);
    }
}

#[test]
fn a_wrong_answer_is_refused_by_name_and_leaves_the_tables_alone() {
    let mut builder = ProviderBuilder::default();
    let refused = builder.add("broken", Algorithm::Hasher(Arc::new(WrongHash))).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "HASH_SHA2_256 of broken fails its self-test and is not used: wrong answer to the vector of FIPS 180-4"
    );
    assert!(builder.freeze().hashers.is_empty());
}

#[test]
fn a_cipher_that_does_nothing_is_refused() {
    let error = run(&Algorithm::Cipher(Arc::new(IdleCipher))).unwrap_err();
    assert_eq!(error, SelfTestError::Inconsistent { what: "encryption" });
}

#[test]
fn a_key_exchange_without_fresh_keys_is_refused() {
    let error = run(&Algorithm::KeyExchange(Arc::new(Constant))).unwrap_err();
    assert_eq!(error, SelfTestError::Inconsistent { what: "key generation" });
}

#[test]
fn randomness_that_is_stuck_is_refused() {
    assert!(run(&Algorithm::Random(Arc::new(Stuck))).is_err());
}

#[test]
fn an_algorithm_without_a_vector_passes_by_consistency() {
    assert_eq!(run(&Algorithm::Prf(Arc::new(Sum))), Ok(()));
}

fn names(order: Order) -> Vec<&'static str> {
    let mut builder = ProviderBuilder::new(order);
    let sum = || Algorithm::Prf(Arc::new(Sum));
    builder.add_ranked("slow", Rank::Slower, sum()).unwrap();
    builder.add("usual", sum()).unwrap();
    builder.add("second", sum()).unwrap();
    builder.add_ranked("fast", Rank::Faster, sum()).unwrap();
    builder.freeze().prfs.iter().map(|offered| offered.plugin).collect()
}

/// Takes no key at all.
struct WrongPrf;

impl Prf for WrongPrf {
    fn id(&self) -> PrfId {
        PrfId(65_000)
    }

    fn key_len(&self) -> usize {
        4
    }

    fn output_len(&self) -> usize {
        4
    }

    fn key(&self, _key: &[u8]) -> Result<Box<dyn PrfKey>, CryptoError> {
        Err(CryptoError::Provider)
    }
}

#[test]
fn an_implementation_that_would_serve_is_tested_and_one_behind_it_is_not() {
    let sum = || Algorithm::Prf(Arc::new(Sum));
    let wrong = || Algorithm::Prf(Arc::new(WrongPrf));
    let mut builder = ProviderBuilder::default();
    builder.add("good", sum()).unwrap();
    assert!(builder.add_ranked("in front", Rank::Faster, wrong()).is_err());
    builder.add_ranked("behind", Rank::Slower, wrong()).unwrap();
    let plugins: Vec<_> = builder.freeze().prfs.iter().map(|offered| offered.plugin).collect();
    assert_eq!(plugins, ["good", "behind"]);
}

#[test]
fn the_faster_provider_comes_first_unless_the_load_line_decides() {
    assert_eq!(names(Order::ByRank), ["fast", "usual", "second", "slow"]);
    assert_eq!(names(Order::AsAdded), ["slow", "usual", "second", "fast"]);
}
