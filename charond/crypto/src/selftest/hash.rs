//! FIPS 180-4 examples.

use super::hex::octets;
use super::{SelfTestError, answered};
use crate::hash::{HashAlgorithm, Hasher};

const VECTOR: &str = "FIPS 180-4";

pub(super) fn run(hasher: &dyn Hasher) -> Result<(), SelfTestError> {
    let (abc, two_blocks) = match hasher.algorithm() {
        HashAlgorithm::Sha1 => {
            ("a9993e364706816aba3e25717850c26c9cd0d89d", "84983e441c3bd26ebaae4aa1f95129e5e54670f1")
        }
        HashAlgorithm::Sha256 => (
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ),
        HashAlgorithm::Sha384 => (
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
            "3391fdddfc8dc7393707a65b1b4709397cf8b1d162af05abfe8f450de5f36bc6b0455a8520bc4e6f5fe95b1fe3c8452b",
        ),
        HashAlgorithm::Sha512 => (
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
            "204a8fc6dda82f0a0ced7beb8e08a41657c16ef468b228a8279be331a703c335\
             96fd15c13b1b07f9aa1d3bea57789ca031ad85c7a71dd70354ec631238ca3445",
        ),
    };
    answered(VECTOR, &octets(abc), &hasher.hash(&[b"abc"]))?;
    let parts: [&[u8]; 3] = [b"abcdbcdecdefdefgefghfghighijhijk", b"", b"ijkljklmklmnlmnomnopnopq"];
    answered(VECTOR, &octets(two_blocks), &hasher.hash(&parts))
}
