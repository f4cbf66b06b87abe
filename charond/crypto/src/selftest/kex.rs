//! RFC 7748 §6.1 (X25519), RFC 5903 §8 (NIST curves); powers of 3 in the groups of RFC 3526, computed independently.

use charon_types::algorithm::KeMethod;

use super::hex::octets;
use super::{SelfTestError, answered, tried};
use crate::kex::KeyExchange;
use crate::{Cost, CryptoError};

struct Vector {
    source: &'static str,
    private: &'static str,
    peer_public: Vec<u8>,
    secret: Known,
}

/// How much of the secret is known.
enum Known {
    Whole(&'static str),
    /// The first and last octets of a long one.
    Ends(&'static str, &'static str),
}

pub(super) fn run(method: &dyn KeyExchange) -> Result<(), SelfTestError> {
    let answered = match vector(method.method()) {
        Some(vector) => known_answer(method, &vector)?,
        None => Answered::No,
    };
    lengths(method)?;
    // A slow method that knows the answer is not made to hold up the start by exchanges with itself.
    match (answered, method.cost()) {
        (Answered::Yes, Cost::Dear) => Ok(()),
        _ => consistency(method),
    }
}

enum Answered {
    Yes,
    /// There is no question, or the provider makes its own private values only.
    No,
}

fn known_answer(method: &dyn KeyExchange, vector: &Vector) -> Result<Answered, SelfTestError> {
    let secret = match method.secret_from(&octets(vector.private), &vector.peer_public) {
        Err(CryptoError::Unsupported) => return Ok(Answered::No),
        result => tried("agreement", result)?,
    };
    let secret = secret.expose();
    match vector.secret {
        Known::Whole(expected) => answered(vector.source, &octets(expected), secret)?,
        Known::Ends(first, last) => {
            let (first, last) = (octets(first), octets(last));
            let whole = secret.len() == vector.peer_public.len();
            if !(whole && secret.starts_with(&first) && secret.ends_with(&last)) {
                return Err(SelfTestError::WrongAnswer { vector: vector.source });
            }
        }
    }
    Ok(Answered::Yes)
}

fn lengths(method: &dyn KeyExchange) -> Result<(), SelfTestError> {
    for wrong in [&[4; 31][..], &[]] {
        if !matches!(method.respond(wrong), Err(CryptoError::InvalidPublicValue)) {
            return Err(SelfTestError::Lenient { what: "a public value of the wrong length" });
        }
    }
    Ok(())
}

/// Both ends reach the same secret, new for every exchange.
fn consistency(method: &dyn KeyExchange) -> Result<(), SelfTestError> {
    let initiator = tried("key generation", method.initiate())?;
    let public = initiator.public().to_vec();
    let response = tried("response", method.respond(&public))?;
    let secret = tried("agreement", initiator.finish(&response.public))?;
    if secret != response.secret || secret.expose().iter().all(|&octet| octet == 0) {
        return Err(SelfTestError::Inconsistent { what: "agreement" });
    }
    let again = tried("response", method.respond(&public))?;
    if again.public == response.public || again.secret == response.secret {
        return Err(SelfTestError::Inconsistent { what: "key generation" });
    }
    Ok(())
}

fn vector(method: KeMethod) -> Option<Vector> {
    let modp = |octet_count: usize, first, last| {
        let mut peer_public = vec![0; octet_count];
        peer_public[octet_count - 1] = 3;
        let secret = Known::Ends(first, last);
        Some(Vector { source: "RFC 3526, 3^x", private: "c0ffee5a5a5a5a5a", peer_public, secret })
    };
    let curve = |source, private, peer_public, secret| {
        Some(Vector { source, private, peer_public: octets(peer_public), secret: Known::Whole(secret) })
    };
    match method {
        KeMethod::CURVE_25519 => curve(
            "RFC 7748 §6.1",
            "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
            "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
            "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742",
        ),
        KeMethod::ECP_256 => curve(
            "RFC 5903 §8.1",
            "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433",
            "d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63\
             56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab",
            "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de",
        ),
        KeMethod::ECP_384 => curve(
            "RFC 5903 §8.2",
            "099f3c7034d4a2c699884d73a375a67f7624ef7c6b3c0f160647b67414dce655e35b538041e649ee3faef896783ab194",
            "e558dbef53eecde3d3fccfc1aea08a89a987475d12fd950d83cfa41732bc509d0d1ac43a0336def96fda41d0774a3571\
             dcfbec7aacf3196472169e838430367f66eebe3c6e70c416dd5f0c68759dd1fff83fa40142209dff5eaad96db9e6386c",
            "11187331c279962d93d604243fd592cb9d0a926f422e47187521287e7156c5c4d603135569b9e9d09cf5d4a270f59746",
        ),
        KeMethod::ECP_521 => curve(
            "RFC 5903 §8.3",
            "0037ade9319a89f4dabdb3ef411aaccca5123c61acab57b5393dce47608172a095aa\
             85a30fe1c2952c6771d937ba9777f5957b2639bab072462f68c27a57382d4a52",
            "00d0b3975ac4b799f5bea16d5e13e9af971d5e9b984c9f39728b5e5739735a219b97\
             c356436adc6e95bb0352f6be64a6c2912d4ef2d0433ced2b6171640012d9460f\
             015c68226383956e3bd066e797b623c27ce0eac2f551a10c2c724d9852077b87220b\
             6536c5c408a1d2aebb8e86d678ae49cb57091f4732296579ab44fcd17f0fc56a",
            "01144c7d79ae6956bc8edb8e7c787c4521cb086fa64407f97894e5e6b2d79b04d142\
             7e73ca4baa240a34786859810c06b3c715a3a8cc3151f2bee417996d19f3ddea",
        ),
        KeMethod::MODP_2048 => {
            modp(256, "203b9c578ebe2681a7922e2c444a05da", "befa24c0001475361990f16bcbf14090")
        }
        KeMethod::MODP_3072 => {
            modp(384, "46a0dcd7a297fecf6aac19f7e75c2cc0", "925bdd27be74bb29ee3b548f97d25b2e")
        }
        KeMethod::MODP_4096 => {
            modp(512, "c393a2f3ddab83c60324d5e99785aed1", "45d36ada21c547c7ed8a80d21011237a")
        }
        KeMethod::MODP_6144 => {
            modp(768, "7d126190d84d49c69cb9d445a3386de5", "099e62d83969ec10ba38f4191af39fff")
        }
        KeMethod::MODP_8192 => {
            modp(1024, "5f7adae24be8e9629fc2f197fad739e3", "668720115cd832f7b670c54adffe56cb")
        }
        _ => None,
    }
}
