//! RFC 2202 and RFC 4231 (HMAC), RFC 4615 (AES-CMAC), and prf+ block by block.

use charon_types::algorithm::PrfId;

use super::hex::octets;
use super::{SelfTestError, answered, tried};
use crate::prf::Prf;

const LONG_KEY: [u8; 131] = [0xaa; 131];

pub(super) fn run(prf: &dyn Prf) -> Result<(), SelfTestError> {
    match prf.id() {
        PrfId::HMAC_SHA1 => {
            hmac(prf, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79", "90d0dace1c1bdc957339307803160335bde6df2b")?
        }
        PrfId::HMAC_SHA2_256 => hmac(
            prf,
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        )?,
        PrfId::HMAC_SHA2_384 => hmac(
            prf,
            "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
            "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952",
        )?,
        PrfId::HMAC_SHA2_512 => hmac(
            prf,
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554\
             9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
            "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352\
             6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598",
        )?,
        PrfId::AES128_CMAC => cmac(prf)?,
        _ => {}
    }
    plus(prf)
}

fn hmac(prf: &dyn Prf, short_key: &str, long_key: &str) -> Result<(), SelfTestError> {
    const VECTOR: &str = "RFC 4231 §4.3, §4.7";
    let out = tried("prf", prf.once(b"Jefe", &[b"what do ya want ", b"for nothing?"]))?;
    answered(VECTOR, &octets(short_key), out.expose())?;
    let out =
        tried("prf", prf.once(&LONG_KEY, &[b"Test Using Larger Than Block-Size Key - Hash Key First"]))?;
    answered(VECTOR, &octets(long_key), out.expose())
}

fn cmac(prf: &dyn Prf) -> Result<(), SelfTestError> {
    let message = octets("000102030405060708090a0b0c0d0e0f10111213");
    for (key, output) in [
        ("000102030405060708090a0b0c0d0e0fedcb", "84a348a4a45d235babfffc0d2b4da09a"),
        ("000102030405060708090a0b0c0d0e0f", "980ae87b5f4c9c5214f5b6a8455e4c2d"),
        ("00010203040506070809", "290d9e112edb09ee141fcf64c0b72f3d"),
    ] {
        let out = tried("prf", prf.once(&octets(key), &[&message]))?;
        answered("RFC 4615 §4", &octets(output), out.expose())?;
    }
    Ok(())
}

/// T1 = prf(K, S ‖ 01), T2 = prf(K, T1 ‖ S ‖ 02) (RFC 7296 §2.13).
fn plus(prf: &dyn Prf) -> Result<(), SelfTestError> {
    let (key, seed) = (&[7; 32], b"seed");
    let first = tried("prf", prf.once(key, &[seed, &[1]]))?;
    let second = tried("prf", prf.once(key, &[first.expose(), seed, &[2]]))?;
    let both = tried("prf+", prf.plus(key, &[seed], prf.output_len() * 2 - 1))?;
    let chained = [first.expose(), second.expose()].concat();
    if both.expose() == &chained[..both.len()] {
        Ok(())
    } else {
        Err(SelfTestError::Inconsistent { what: "prf+" })
    }
}
