//! RFC 3602 §4 and NIST SP 800-38A F.2 (CBC), RFC 3686 §6 (CTR).

use charon_types::Secret;
use charon_types::algorithm::EncryptionId;

use super::hex::octets;
use super::{SelfTestError, answered, tried};
use crate::cipher::Cipher;

struct Vector {
    source: &'static str,
    material: &'static str,
    iv: &'static str,
    plain: &'static str,
    cipher: &'static str,
}

const SINGLE_BLOCK: &str = "53696e676c6520626c6f636b206d7367";
const TWO_BLOCKS: &str = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51";

pub(super) fn run(cipher: &dyn Cipher) -> Result<(), SelfTestError> {
    if let Some(vector) = vector(cipher) {
        known_answer(cipher, &vector)?;
    }
    consistency(cipher)
}

fn vector(cipher: &dyn Cipher) -> Option<Vector> {
    Some(match (cipher.id(), cipher.key_bits()) {
        (EncryptionId::AES_CBC, 128) => Vector {
            source: "RFC 3602 §4, case 1",
            material: "06a9214036b8a15b512e03d534120006",
            iv: "3dafba429d9eb430b422da802c9fac41",
            plain: SINGLE_BLOCK,
            cipher: "e353779c1079aeb82708942dbe77181a",
        },
        (EncryptionId::AES_CBC, 192) => Vector {
            source: "NIST SP 800-38A F.2.3",
            material: "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
            iv: "000102030405060708090a0b0c0d0e0f",
            plain: TWO_BLOCKS,
            cipher: "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a",
        },
        (EncryptionId::AES_CBC, 256) => Vector {
            source: "NIST SP 800-38A F.2.5",
            material: "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
            iv: "000102030405060708090a0b0c0d0e0f",
            plain: TWO_BLOCKS,
            cipher: "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d",
        },
        (EncryptionId::AES_CTR, 128) => Vector {
            source: "RFC 3686 §6, vector 1",
            material: "ae6852f8121067cc4bf7a5765577f39e00000030",
            iv: "0000000000000000",
            plain: SINGLE_BLOCK,
            cipher: "e4095d4fb7a7b3792d6175a3261311b8",
        },
        (EncryptionId::AES_CTR, 192) => Vector {
            source: "RFC 3686 §6, vector 4",
            material: "16af5b145fc9f579c175f93e3bfb0eed863d06ccfdb7851500000048",
            iv: "36733c147d6d93cb",
            plain: SINGLE_BLOCK,
            cipher: "4b55384fe259c9c84e7935a003cbe928",
        },
        (EncryptionId::AES_CTR, 256) => Vector {
            source: "RFC 3686 §6, vector 7",
            material: "776beff2851db06f4c8a0542c8696f6c6a81af1eec96b4d37fc1d689e6c1c10400000060",
            iv: "db5672c97aa8f0b2",
            plain: SINGLE_BLOCK,
            cipher: "145ad01dbf824ec7560863dc71e3e0c0",
        },
        _ => return None,
    })
}

fn known_answer(cipher: &dyn Cipher, vector: &Vector) -> Result<(), SelfTestError> {
    let key = tried("key", cipher.key(&Secret::from(octets(vector.material))))?;
    let iv = octets(vector.iv);
    let mut data = octets(vector.plain);
    tried("encryption", key.encrypt(&iv, &mut data))?;
    answered(vector.source, &octets(vector.cipher), &data)?;
    tried("decryption", key.decrypt(&iv, &mut data))?;
    answered(vector.source, &octets(vector.plain), &data)
}

fn consistency(cipher: &dyn Cipher) -> Result<(), SelfTestError> {
    let key = tried("key", cipher.key(&Secret::from(vec![3; cipher.key_material_len()])))?;
    let iv = vec![5; cipher.iv_len()];
    let plain = vec![9; cipher.block_len() * 5];
    let mut data = plain.clone();
    tried("encryption", key.encrypt(&iv, &mut data))?;
    if data == plain && cipher.id() != EncryptionId::NULL {
        return Err(SelfTestError::Inconsistent { what: "encryption" });
    }
    tried("decryption", key.decrypt(&iv, &mut data))?;
    if data != plain {
        return Err(SelfTestError::Inconsistent { what: "decryption" });
    }
    if cipher.block_len() > 1 && key.encrypt(&iv, &mut vec![0; cipher.block_len() + 1]).is_ok() {
        return Err(SelfTestError::Lenient { what: "half a block" });
    }
    if cipher.key(&Secret::from(vec![3; cipher.key_material_len() + 1])).is_ok() {
        return Err(SelfTestError::Lenient { what: "a key that is too long" });
    }
    Ok(())
}
