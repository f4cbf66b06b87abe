//! Transform numbers of the IKEv2 registry (RFC 7296 §3.3.2) under strongSwan's names.
//!
//! Wire numbers are open: a value that we do not know is kept and shown as `(n)`. What can be computed is decided by the
//! crypto providers, not here.

use std::fmt;

macro_rules! wire_numbers {
    ($(#[$doc:meta])* $name:ident { $($(#[$cdoc:meta])* $constant:ident = $value:literal, $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u16);

        impl $name {
            $($(#[$cdoc])* #[doc = concat!("`", $text, "`")] pub const $constant: Self = Self($value);)*

            /// The name that strongSwan's tools show, `None` for a number without one.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($text),)*
                    _ => None,
                }
            }

            /// Every number that has a name.
            pub const NAMED: &'static [Self] = &[$(Self($value)),*];
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "({})", self.0),
                }
            }
        }
    };
}

wire_numbers! {
    /// Encryption algorithm, transform type 1.
    EncryptionId {
        DES_IV64 = 1, "DES_IV64";
        DES_CBC = 2, "DES_CBC";
        TRIPLE_DES_CBC = 3, "3DES_CBC";
        RC5_CBC = 4, "RC5_CBC";
        IDEA_CBC = 5, "IDEA_CBC";
        CAST_CBC = 6, "CAST_CBC";
        BLOWFISH_CBC = 7, "BLOWFISH_CBC";
        TRIPLE_IDEA = 8, "3IDEA";
        DES_IV32 = 9, "DES_IV32";
        NULL = 11, "NULL";
        AES_CBC = 12, "AES_CBC";
        AES_CTR = 13, "AES_CTR";
        AES_CCM_8 = 14, "AES_CCM_8";
        AES_CCM_12 = 15, "AES_CCM_12";
        AES_CCM_16 = 16, "AES_CCM_16";
        AES_GCM_8 = 18, "AES_GCM_8";
        AES_GCM_12 = 19, "AES_GCM_12";
        AES_GCM_16 = 20, "AES_GCM_16";
        NULL_AES_GMAC = 21, "NULL_AES_GMAC";
        CAMELLIA_CBC = 23, "CAMELLIA_CBC";
        CAMELLIA_CTR = 24, "CAMELLIA_CTR";
        CAMELLIA_CCM_8 = 25, "CAMELLIA_CCM_8";
        CAMELLIA_CCM_12 = 26, "CAMELLIA_CCM_12";
        CAMELLIA_CCM_16 = 27, "CAMELLIA_CCM_16";
        CHACHA20_POLY1305 = 28, "CHACHA20_POLY1305";
        SERPENT_CBC = 1026, "SERPENT_CBC";
        TWOFISH_CBC = 1027, "TWOFISH_CBC";
    }
}

impl EncryptionId {
    /// Whether the algorithm authenticates as well (combined mode).
    #[must_use]
    pub const fn is_aead(self) -> bool {
        matches!(self.0, 14..=16 | 18..=21 | 25..=28)
    }
}

wire_numbers! {
    /// Pseudo-random function, transform type 2.
    PrfId {
        HMAC_MD5 = 1, "PRF_HMAC_MD5";
        HMAC_SHA1 = 2, "PRF_HMAC_SHA1";
        HMAC_TIGER = 3, "PRF_HMAC_TIGER";
        AES128_XCBC = 4, "PRF_AES128_XCBC";
        HMAC_SHA2_256 = 5, "PRF_HMAC_SHA2_256";
        HMAC_SHA2_384 = 6, "PRF_HMAC_SHA2_384";
        HMAC_SHA2_512 = 7, "PRF_HMAC_SHA2_512";
        AES128_CMAC = 8, "PRF_AES128_CMAC";
        CAMELLIA128_XCBC = 1028, "PRF_CAMELLIA128_XCBC";
    }
}

wire_numbers! {
    /// Integrity algorithm, transform type 3.
    IntegrityId {
        HMAC_MD5_96 = 1, "HMAC_MD5_96";
        HMAC_SHA1_96 = 2, "HMAC_SHA1_96";
        DES_MAC = 3, "DES_MAC";
        KPDK_MD5 = 4, "KPDK_MD5";
        AES_XCBC_96 = 5, "AES_XCBC_96";
        HMAC_MD5_128 = 6, "HMAC_MD5_128";
        HMAC_SHA1_160 = 7, "HMAC_SHA1_160";
        AES_CMAC_96 = 8, "AES_CMAC_96";
        AES_128_GMAC = 9, "AES_128_GMAC";
        AES_192_GMAC = 10, "AES_192_GMAC";
        AES_256_GMAC = 11, "AES_256_GMAC";
        HMAC_SHA2_256_128 = 12, "HMAC_SHA2_256_128";
        HMAC_SHA2_384_192 = 13, "HMAC_SHA2_384_192";
        HMAC_SHA2_512_256 = 14, "HMAC_SHA2_512_256";
        HMAC_SHA2_256_96 = 1026, "HMAC_SHA2_256_96";
        CAMELLIA_XCBC_96 = 1030, "CAMELLIA_XCBC_96";
    }
}

wire_numbers! {
    /// Key exchange method, transform types 4 and 6 to 12.
    KeMethod {
        NONE = 0, "KE_NONE";
        MODP_768 = 1, "MODP_768";
        MODP_1024 = 2, "MODP_1024";
        MODP_1536 = 5, "MODP_1536";
        MODP_2048 = 14, "MODP_2048";
        MODP_3072 = 15, "MODP_3072";
        MODP_4096 = 16, "MODP_4096";
        MODP_6144 = 17, "MODP_6144";
        MODP_8192 = 18, "MODP_8192";
        ECP_256 = 19, "ECP_256";
        ECP_384 = 20, "ECP_384";
        ECP_521 = 21, "ECP_521";
        MODP_1024_160 = 22, "MODP_1024_160";
        MODP_2048_224 = 23, "MODP_2048_224";
        MODP_2048_256 = 24, "MODP_2048_256";
        ECP_192 = 25, "ECP_192";
        ECP_224 = 26, "ECP_224";
        ECP_224_BP = 27, "ECP_224_BP";
        ECP_256_BP = 28, "ECP_256_BP";
        ECP_384_BP = 29, "ECP_384_BP";
        ECP_512_BP = 30, "ECP_512_BP";
        CURVE_25519 = 31, "CURVE_25519";
        CURVE_448 = 32, "CURVE_448";
        GOST3410_256 = 33, "GOST3410_256";
        GOST3410_512 = 34, "GOST3410_512";
        ML_KEM_512 = 35, "ML_KEM_512";
        ML_KEM_768 = 36, "ML_KEM_768";
        ML_KEM_1024 = 37, "ML_KEM_1024";
        MODP_NULL = 1024, "MODP_NULL";
    }
}

wire_numbers! {
    /// Hash of RFC 7427 signatures (IKEv2 Hash Algorithms registry), as in SIGNATURE_HASH_ALGORITHMS.
    HashId {
        SHA1 = 1, "HASH_SHA1";
        SHA2_256 = 2, "HASH_SHA2_256";
        SHA2_384 = 3, "HASH_SHA2_384";
        SHA2_512 = 4, "HASH_SHA2_512";
        IDENTITY = 5, "HASH_IDENTITY";
    }
}

/// Whether 64-bit sequence numbers are used, transform type 5 (RFC 4303 §2.2.1, renamed SN by RFC 9827).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Esn {
    /// 32-bit numbers, value 0.
    #[default]
    Disabled,
    /// 64-bit numbers, value 1.
    Enabled,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_show_strongswans_names_and_unknown_ones_their_value() {
        assert_eq!(EncryptionId::AES_GCM_16.to_string(), "AES_GCM_16");
        assert_eq!(KeMethod::CURVE_25519.to_string(), "CURVE_25519");
        assert_eq!(PrfId(999).to_string(), "(999)");
    }

    #[test]
    fn combined_mode_ciphers_are_known_as_such() {
        assert!(EncryptionId::CHACHA20_POLY1305.is_aead());
        assert!(!EncryptionId::AES_CBC.is_aead());
        assert!(!EncryptionId::AES_CTR.is_aead());
    }
}
