//! Public keys: kind, size and the two hashes by which they are known.

use der::asn1::{ObjectIdentifier, UintRef};
use der::{Decode, Encode, Sequence};
use sha1::{Digest, Sha1};
use spki::SubjectPublicKeyInfoOwned;

/// What is shown of a public key.
pub(crate) struct PublicKey {
    pub(crate) kind: &'static str,
    /// `None` if the key is of an unknown kind.
    pub(crate) bits: Option<usize>,
    /// SHA-1 of the whole subjectPublicKeyInfo.
    pub(crate) keyid: Vec<u8>,
    /// SHA-1 of the key bits alone.
    pub(crate) subjkey: Vec<u8>,
}

#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

impl PublicKey {
    pub(crate) fn new(info: &SubjectPublicKeyInfoOwned) -> Self {
        let bytes = info.subject_public_key.raw_bytes();
        let (kind, bits) = match info.algorithm.oid.to_string().as_str() {
            "1.2.840.113549.1.1.1" | "1.2.840.113549.1.1.10" => ("RSA", rsa_bits(bytes)),
            "1.2.840.10045.2.1" => {
                let curve = info.algorithm.parameters.as_ref();
                ("ECDSA", curve.and_then(|curve| curve_bits(&curve.decode_as().ok()?)))
            }
            "1.3.101.112" => ("ED25519", Some(256)),
            "1.3.101.113" => ("ED448", Some(456)),
            _ => ("unknown", None),
        };
        let whole = info.to_der().unwrap_or_default();
        Self { kind, bits, keyid: Sha1::digest(whole).to_vec(), subjkey: Sha1::digest(bytes).to_vec() }
    }
}

fn rsa_bits(key: &[u8]) -> Option<usize> {
    let key = RsaPublicKey::from_der(key).ok()?;
    let modulus = key.modulus.as_bytes();
    let unused = modulus.first().map_or(0, |byte| byte.leading_zeros());
    (modulus.len() * 8).checked_sub(usize::try_from(unused).ok()?)
}

fn curve_bits(curve: &ObjectIdentifier) -> Option<usize> {
    Some(match curve.to_string().as_str() {
        "1.2.840.10045.3.1.1" => 192,
        "1.3.132.0.33" | "1.3.36.3.3.2.8.1.1.5" => 224,
        "1.2.840.10045.3.1.7" | "1.3.36.3.3.2.8.1.1.7" => 256,
        "1.3.132.0.34" | "1.3.36.3.3.2.8.1.1.11" => 384,
        "1.3.36.3.3.2.8.1.1.13" => 512,
        "1.3.132.0.35" => 521,
        _ => return None,
    })
}
