//! RFC 2202, RFC 4868 §2.7.2 (HMAC) and RFC 4494 §4 (AES-CMAC), truncated.

use charon_types::Secret;
use charon_types::algorithm::IntegrityId;

use super::hex::octets;
use super::{SelfTestError, answered, tried};
use crate::cipher::Mac;

pub(super) fn run(mac: &dyn Mac) -> Result<(), SelfTestError> {
    const SHA1: &str = "b617318655057264e28bc0b6fb378c8ef146be00";
    const SHA256: &str = "198a607eb44bfbc69903a0f1cf2bbdc5ba0aa3f3d9ae3c1c7a3b1696a0b68cf7";
    const SHA384: &str =
        "b6a8d5636f5c6a7224f9977dcf7ee6c7fb6d0c48cbdee9737a959796489bddbc4c5df61d5b3297b4fb68dab9f1b582c2";
    const SHA512: &str = "637edc6e01dce7e6742a99451aae82df23da3e92439e590e43e761b33e910fb8\
                          ac2878ebd5803f6f0b61dbce5e251ff8789a4722c1be65aea45fd464e89f8f5b";
    match mac.id() {
        IntegrityId::HMAC_SHA1_96 | IntegrityId::HMAC_SHA1_160 => hmac(mac, SHA1)?,
        IntegrityId::HMAC_SHA2_256_128 | IntegrityId::HMAC_SHA2_256_96 => hmac(mac, SHA256)?,
        IntegrityId::HMAC_SHA2_384_192 => hmac(mac, SHA384)?,
        IntegrityId::HMAC_SHA2_512_256 => hmac(mac, SHA512)?,
        IntegrityId::AES_CMAC_96 => cmac(mac)?,
        _ => {}
    }
    lengths(mac)
}

fn hmac(mac: &dyn Mac, full: &str) -> Result<(), SelfTestError> {
    let key = tried("key", mac.key(&Secret::from(vec![0x0b; mac.key_len()])))?;
    let mut icv = vec![0; mac.icv_len()];
    key.sign(&[b"Hi", b"", b" There"], &mut icv);
    answered("RFC 4868 §2.7.2", &octets(full)[..mac.icv_len()], &icv)
}

fn cmac(mac: &dyn Mac) -> Result<(), SelfTestError> {
    let key = tried("key", mac.key(&Secret::from(octets("2b7e151628aed2a6abf7158809cf4f3c"))))?;
    let message = octets("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411");
    let mut icv = vec![0; mac.icv_len()];
    key.sign(&[&message[..7], &message[7..]], &mut icv);
    answered("RFC 4494 §4", &octets("dfa66747de9ae63030ca3261"), &icv)
}

fn lengths(mac: &dyn Mac) -> Result<(), SelfTestError> {
    match mac.key(&Secret::from(vec![1; mac.key_len() + 1])) {
        Ok(_) => Err(SelfTestError::Lenient { what: "a key that is too long" }),
        Err(_) => Ok(()),
    }
}
