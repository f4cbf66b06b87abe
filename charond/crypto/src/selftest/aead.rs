//! Test cases 4, 10 and 16 of the GCM specification (McGrew, Viega), RFC 8439 §2.8.2 (ChaCha20-Poly1305).

use charon_types::Secret;
use charon_types::algorithm::EncryptionId;

use super::hex::octets;
use super::{SelfTestError, answered, tried};
use crate::CryptoError;
use crate::cipher::Aead;

struct Vector {
    source: &'static str,
    material: &'static str,
    iv: &'static str,
    aad: &'static str,
    plain: &'static str,
    /// Ciphertext and the ICV at its full length.
    sealed: &'static str,
}

/// Octets of the ICV at its full length.
const ICV_LEN_FULL: usize = 16;

const GCM_IV: &str = "facedbaddecaf888";
const GCM_AAD: &str = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
const GCM_PLAIN: &str = "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72\
                         1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39";

pub(super) fn run(aead: &dyn Aead) -> Result<(), SelfTestError> {
    if let Some(vector) = vector(aead) {
        known_answer(aead, &vector)?;
    }
    consistency(aead)
}

fn vector(aead: &dyn Aead) -> Option<Vector> {
    let gcm = |source, material, sealed| {
        Some(Vector { source, material, iv: GCM_IV, aad: GCM_AAD, plain: GCM_PLAIN, sealed })
    };
    match (aead.id(), aead.key_bits()) {
        (EncryptionId::AES_GCM_16 | EncryptionId::AES_GCM_12 | EncryptionId::AES_GCM_8, bits) => match bits {
            128 => gcm(
                "GCM specification, case 4",
                "feffe9928665731c6d6a8f9467308308cafebabe",
                "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e\
                 21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091\
                 5bc94fbc3221a5db94fae95ae7121a47",
            ),
            192 => gcm(
                "GCM specification, case 10",
                "feffe9928665731c6d6a8f9467308308feffe9928665731ccafebabe",
                "3980ca0b3c00e841eb06fac4872a2757859e1ceaa6efd984628593b40ca1e19c\
                 7d773d00c144c525ac619d18c84a3f4718e2448b2fe324d9ccda2710\
                 2519498e80f1478f37ba55bd6d27618c",
            ),
            256 => gcm(
                "GCM specification, case 16",
                "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308cafebabe",
                "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa\
                 8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662\
                 76fc6ece0f4e1768cddf8853bb2d551b",
            ),
            _ => None,
        },
        (EncryptionId::CHACHA20_POLY1305, _) => Some(Vector {
            source: "RFC 8439 §2.8.2",
            material: "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f07000000",
            iv: "4041424344454647",
            aad: "50515253c0c1c2c3c4c5c6c7",
            plain: "4c616469657320616e642047656e746c656d656e206f662074686520636c6173\
                    73206f66202739393a204966204920636f756c64206f6666657220796f75206f\
                    6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73\
                    637265656e20776f756c642062652069742e",
            sealed: "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6\
                     3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36\
                     92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc\
                     3ff4def08e4b7a9de576d26586cec64b6116\
                     1ae10b594f09e26a7e902ecbd0600691",
        }),
        _ => None,
    }
}

fn known_answer(aead: &dyn Aead, vector: &Vector) -> Result<(), SelfTestError> {
    let key = tried("key", aead.key(&Secret::from(octets(vector.material))))?;
    let (iv, aad) = (octets(vector.iv), octets(vector.aad));
    let plain = octets(vector.plain);
    let mut expected = octets(vector.sealed);
    expected.truncate((plain.len() + aead.icv_len()).min(plain.len() + ICV_LEN_FULL));
    let mut packet = plain.clone();
    packet.resize(plain.len() + aead.icv_len(), 0);
    tried("sealing", key.seal(&iv, &aad, &mut packet))?;
    answered(vector.source, &expected, &packet)?;
    tried("opening", key.open(&iv, &aad, &mut packet))?;
    answered(vector.source, &plain, &packet[..plain.len()])
}

fn consistency(aead: &dyn Aead) -> Result<(), SelfTestError> {
    let key = tried("key", aead.key(&Secret::from(vec![3; aead.key_material_len()])))?;
    let (iv, aad) = (vec![5; aead.iv_len()], b"header");
    let mut sealed = vec![9; 100 + aead.icv_len()];
    tried("sealing", key.seal(&iv, aad, &mut sealed))?;
    let mut opened = sealed.clone();
    tried("opening", key.open(&iv, aad, &mut opened))?;
    if opened[..100] != [9; 100] {
        return Err(SelfTestError::Inconsistent { what: "opening" });
    }
    for at in [0, 99, 100, sealed.len() - 1] {
        let mut forged = sealed.clone();
        forged[at] ^= 0x01;
        if key.open(&iv, aad, &mut forged) != Err(CryptoError::Forged) {
            return Err(SelfTestError::Lenient { what: "a forged packet" });
        }
    }
    if key.open(&iv, b"Header", &mut sealed.clone()) != Err(CryptoError::Forged) {
        return Err(SelfTestError::Lenient { what: "a forged header" });
    }
    if key.seal(&iv, aad, &mut vec![0; aead.icv_len() - 1]).is_ok() {
        return Err(SelfTestError::Lenient { what: "a packet shorter than its ICV" });
    }
    if aead.key(&Secret::from(vec![3; aead.key_material_len() + 1])).is_ok() {
        return Err(SelfTestError::Lenient { what: "a key that is too long" });
    }
    Ok(())
}
