//! The kernel's names of algorithms.

use charon_types::algorithm::{EncryptionId, IntegrityId};

/// How an encryption algorithm is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Encryption {
    pub(crate) id: EncryptionId,
    /// Name in the kernel's crypto API.
    pub(crate) name: &'static str,
    /// Key lengths as negotiated, in bits; 0 for an algorithm's only length.
    pub(crate) key_bits: &'static [u16],
    /// Octets of an only length.
    pub(crate) fixed_octets: usize,
    /// Octets of salt or nonce behind the key.
    pub(crate) salt_octets: usize,
    /// Bits of the ICV of a combined mode, else 0.
    pub(crate) icv_bits: u32,
}

/// How an integrity algorithm is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Integrity {
    pub(crate) id: IntegrityId,
    /// Name in the kernel's crypto API.
    pub(crate) name: &'static str,
    /// Octets of the key.
    pub(crate) key_octets: usize,
    /// Bits of the ICV.
    pub(crate) icv_bits: u32,
}

const AES: &[u16] = &[128, 192, 256];
const ONLY: &[u16] = &[0];

const fn aead(id: EncryptionId, name: &'static str, salt_octets: usize, icv_bits: u32) -> Encryption {
    Encryption { id, name, key_bits: AES, fixed_octets: 0, salt_octets, icv_bits }
}

const fn cipher(
    id: EncryptionId,
    name: &'static str,
    key_bits: &'static [u16],
    salt_octets: usize,
) -> Encryption {
    Encryption { id, name, key_bits, fixed_octets: 0, salt_octets, icv_bits: 0 }
}

/// All that XFRM has a name for.
pub(crate) const ENCRYPTION: &[Encryption] = &[
    aead(EncryptionId::AES_GCM_16, "rfc4106(gcm(aes))", 4, 128),
    cipher(EncryptionId::AES_CBC, "cbc(aes)", AES, 0),
    Encryption {
        id: EncryptionId::CHACHA20_POLY1305,
        name: "rfc7539esp(chacha20,poly1305)",
        key_bits: ONLY,
        fixed_octets: 32,
        salt_octets: 4,
        icv_bits: 128,
    },
    aead(EncryptionId::AES_GCM_12, "rfc4106(gcm(aes))", 4, 96),
    aead(EncryptionId::AES_GCM_8, "rfc4106(gcm(aes))", 4, 64),
    aead(EncryptionId::AES_CCM_16, "rfc4309(ccm(aes))", 3, 128),
    aead(EncryptionId::AES_CCM_12, "rfc4309(ccm(aes))", 3, 96),
    aead(EncryptionId::AES_CCM_8, "rfc4309(ccm(aes))", 3, 64),
    aead(EncryptionId::NULL_AES_GMAC, "rfc4543(gcm(aes))", 4, 128),
    cipher(EncryptionId::AES_CTR, "rfc3686(ctr(aes))", AES, 4),
    cipher(EncryptionId::CAMELLIA_CBC, "cbc(camellia)", AES, 0),
    Encryption {
        id: EncryptionId::TRIPLE_DES_CBC,
        name: "cbc(des3_ede)",
        key_bits: ONLY,
        fixed_octets: 24,
        salt_octets: 0,
        icv_bits: 0,
    },
    Encryption {
        id: EncryptionId::NULL,
        name: "ecb(cipher_null)",
        key_bits: ONLY,
        fixed_octets: 0,
        salt_octets: 0,
        icv_bits: 0,
    },
];

const fn mac(id: IntegrityId, name: &'static str, key_octets: usize, icv_bits: u32) -> Integrity {
    Integrity { id, name, key_octets, icv_bits }
}

/// All that XFRM has a name for.
pub(crate) const INTEGRITY: &[Integrity] = &[
    mac(IntegrityId::HMAC_SHA2_256_128, "hmac(sha256)", 32, 128),
    mac(IntegrityId::HMAC_SHA2_384_192, "hmac(sha384)", 48, 192),
    mac(IntegrityId::HMAC_SHA2_512_256, "hmac(sha512)", 64, 256),
    mac(IntegrityId::HMAC_SHA1_96, "hmac(sha1)", 20, 96),
    mac(IntegrityId::HMAC_SHA1_160, "hmac(sha1)", 20, 160),
    mac(IntegrityId::AES_CMAC_96, "cmac(aes)", 16, 96),
    mac(IntegrityId::AES_XCBC_96, "xcbc(aes)", 16, 96),
    mac(IntegrityId::HMAC_SHA2_256_96, "hmac(sha256)", 32, 96),
    mac(IntegrityId::HMAC_MD5_96, "hmac(md5)", 16, 96),
    mac(IntegrityId::HMAC_MD5_128, "hmac(md5)", 16, 128),
];

pub(crate) fn encryption(id: EncryptionId) -> Option<&'static Encryption> {
    ENCRYPTION.iter().find(|algorithm| algorithm.id == id)
}

pub(crate) fn integrity(id: IntegrityId) -> Option<&'static Integrity> {
    INTEGRITY.iter().find(|algorithm| algorithm.id == id)
}

impl Encryption {
    /// Octets of key material for a length in bits, salt included.
    pub(crate) fn octets(&self, bits: u16) -> usize {
        let key = if bits == 0 { self.fixed_octets } else { usize::from(bits / 8) };
        key + self.salt_octets
    }

    /// Whether that many octets are a key with its salt.
    pub(crate) fn takes(&self, octets: usize) -> bool {
        self.key_bits.iter().any(|bits| self.octets(*bits) == octets)
    }

    pub(crate) const fn is_aead(&self) -> bool {
        self.icv_bits != 0
    }
}
