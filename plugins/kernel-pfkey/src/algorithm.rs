//! PF_KEY's numbers of algorithms.

use charon_types::algorithm::{EncryptionId, IntegrityId};

/// Encryption: our number, PF_KEY's, key lengths as negotiated in bits, octets of nonce behind the key. NULL is registered by Linux and
/// refused.
pub(crate) const ENCRYPTION: &[(EncryptionId, u8, &[u16], usize)] = &[
    (EncryptionId::AES_CBC, 12, &[128, 192, 256], 0),
    (EncryptionId::AES_CTR, 13, &[128, 192, 256], 4),
    (EncryptionId::CAMELLIA_CBC, 22, &[128, 192, 256], 0),
    (EncryptionId::TRIPLE_DES_CBC, 3, &[0], 0),
];

/// Integrity: our number, PF_KEY's, octets of the key. What Linux truncates HMAC-SHA2-256 to is not RFC 4868's.
pub(crate) const INTEGRITY: &[(IntegrityId, u8, usize)] = &[
    (IntegrityId::HMAC_SHA2_384_192, 6, 48),
    (IntegrityId::HMAC_SHA2_512_256, 7, 64),
    (IntegrityId::HMAC_SHA1_96, 3, 20),
    (IntegrityId::AES_XCBC_96, 9, 16),
    (IntegrityId::HMAC_SHA2_256_96, 5, 32),
    (IntegrityId::HMAC_MD5_96, 2, 16),
];

/// Octets of a 3DES key.
const TRIPLE_DES_LEN: usize = 24;

/// The number of an encryption algorithm, if the key fits it.
pub(crate) fn encryption(id: EncryptionId, key_len: usize) -> Option<Result<u8, WrongKey>> {
    let (_, number, bits, nonce) = ENCRYPTION.iter().find(|known| known.0 == id)?;
    let fits = bits.iter().any(|bits| {
        let only = if id == EncryptionId::TRIPLE_DES_CBC { TRIPLE_DES_LEN } else { 0 };
        let octets = if *bits == 0 { only } else { usize::from(bits / 8) };
        octets + nonce == key_len
    });
    Some(if fits { Ok(*number) } else { Err(WrongKey) })
}

/// The number of an integrity algorithm, if the key fits it.
pub(crate) fn integrity(id: IntegrityId, key_len: usize) -> Option<Result<u8, WrongKey>> {
    let (_, number, octets) = INTEGRITY.iter().find(|known| known.0 == id)?;
    Some(if *octets == key_len { Ok(*number) } else { Err(WrongKey) })
}

/// The key has not the algorithm's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WrongKey;
