//! Keywords of transforms, as `proposals`, `esp_proposals` and `ah_proposals` use them.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{Transform, TransformType};
use crate::algorithm::{EncryptionId, IntegrityId, KeMethod, PrfId};

/// A name for a transform. Of several names for one transform the first is the one we write.
type Keyword = (&'static str, u16, Option<u16>);

/// The transform of a keyword; lower case only, as strongSwan has it.
#[must_use]
pub fn transform_for(keyword: &str) -> Option<Transform> {
    if let Some((kind, method)) = additional_ke(keyword) {
        return BY_KEYWORD
            .get(method)
            .filter(|found| found.kind == TransformType::KE)
            .map(|found| Transform { kind, ..*found });
    }
    BY_KEYWORD.get(keyword).copied()
}

/// All of them: no keyword has two meanings, and connections are loaded by the thousand.
static BY_KEYWORD: LazyLock<HashMap<&str, Transform>> = LazyLock::new(|| {
    let tables = [
        (TransformType::ENCRYPTION, ENCRYPTION),
        (TransformType::INTEGRITY, INTEGRITY),
        (TransformType::PRF, PRF),
        (TransformType::KE, KE),
        (TransformType::SN, SN),
    ];
    let all = tables.into_iter().flat_map(|(kind, table)| table.iter().map(move |entry| (kind, entry)));
    all.map(|(kind, &(text, id, key_bits))| (text, Transform { kind, id, key_bits })).collect()
});

impl Transform {
    /// Its keyword, `None` if it has none. Additional key exchanges have the prefix `ke1_` to `ke7_`.
    #[must_use]
    pub fn keyword(&self) -> Option<String> {
        let table = match self.kind {
            TransformType::ENCRYPTION => ENCRYPTION,
            TransformType::INTEGRITY => INTEGRITY,
            TransformType::PRF => PRF,
            TransformType::SN => SN,
            _ => KE,
        };
        let (text, ..) = table.iter().find(|(_, id, bits)| (*id, *bits) == (self.id, self.key_bits))?;
        match (self.kind, self.kind.additional_ke()) {
            (_, Some(round)) => Some(format!("ke{round}_{text}")),
            (TransformType(1..=5), None) => Some((*text).to_owned()),
            _ => None,
        }
    }
}

fn additional_ke(keyword: &str) -> Option<(TransformType, &str)> {
    let (round, method) = keyword.strip_prefix("ke")?.split_once('_')?;
    let round = match round.as_bytes() {
        [digit @ b'1'..=b'7'] => digit - b'0',
        _ => return None,
    };
    Some((TransformType::additional(round)?, method))
}

const AES_CBC: u16 = EncryptionId::AES_CBC.0;
const AES_CTR: u16 = EncryptionId::AES_CTR.0;
const CCM_8: u16 = EncryptionId::AES_CCM_8.0;
const CCM_12: u16 = EncryptionId::AES_CCM_12.0;
const CCM_16: u16 = EncryptionId::AES_CCM_16.0;
const GCM_8: u16 = EncryptionId::AES_GCM_8.0;
const GCM_12: u16 = EncryptionId::AES_GCM_12.0;
const GCM_16: u16 = EncryptionId::AES_GCM_16.0;
const GMAC: u16 = EncryptionId::NULL_AES_GMAC.0;
const BLOWFISH: u16 = EncryptionId::BLOWFISH_CBC.0;
const CAMELLIA: u16 = EncryptionId::CAMELLIA_CBC.0;
const CAMELLIA_CTR: u16 = EncryptionId::CAMELLIA_CTR.0;
const CAMELLIA_CCM_8: u16 = EncryptionId::CAMELLIA_CCM_8.0;
const CAMELLIA_CCM_12: u16 = EncryptionId::CAMELLIA_CCM_12.0;
const CAMELLIA_CCM_16: u16 = EncryptionId::CAMELLIA_CCM_16.0;
const SERPENT: u16 = EncryptionId::SERPENT_CBC.0;
const TWOFISH: u16 = EncryptionId::TWOFISH_CBC.0;
const CHACHA20: u16 = EncryptionId::CHACHA20_POLY1305.0;

#[rustfmt::skip]
const ENCRYPTION: &[Keyword] = &[
    ("null", EncryptionId::NULL.0, None),
    ("des", EncryptionId::DES_CBC.0, None),
    ("3des", EncryptionId::TRIPLE_DES_CBC.0, None),
    ("cast128", EncryptionId::CAST_CBC.0, Some(128)),
    ("blowfish128", BLOWFISH, Some(128)),
    ("blowfish192", BLOWFISH, Some(192)),
    ("blowfish256", BLOWFISH, Some(256)),
    ("blowfish", BLOWFISH, Some(128)),
    ("aes128", AES_CBC, Some(128)),
    ("aes192", AES_CBC, Some(192)),
    ("aes256", AES_CBC, Some(256)),
    ("aes", AES_CBC, Some(128)),
    ("aes128ctr", AES_CTR, Some(128)),
    ("aes192ctr", AES_CTR, Some(192)),
    ("aes256ctr", AES_CTR, Some(256)),
    ("aes128ccm8", CCM_8, Some(128)),
    ("aes192ccm8", CCM_8, Some(192)),
    ("aes256ccm8", CCM_8, Some(256)),
    ("aes128ccm64", CCM_8, Some(128)),
    ("aes192ccm64", CCM_8, Some(192)),
    ("aes256ccm64", CCM_8, Some(256)),
    ("aes128ccm12", CCM_12, Some(128)),
    ("aes192ccm12", CCM_12, Some(192)),
    ("aes256ccm12", CCM_12, Some(256)),
    ("aes128ccm96", CCM_12, Some(128)),
    ("aes192ccm96", CCM_12, Some(192)),
    ("aes256ccm96", CCM_12, Some(256)),
    ("aes128ccm16", CCM_16, Some(128)),
    ("aes192ccm16", CCM_16, Some(192)),
    ("aes256ccm16", CCM_16, Some(256)),
    ("aes128ccm128", CCM_16, Some(128)),
    ("aes192ccm128", CCM_16, Some(192)),
    ("aes256ccm128", CCM_16, Some(256)),
    ("aes128ccm", CCM_16, Some(128)),
    ("aes192ccm", CCM_16, Some(192)),
    ("aes256ccm", CCM_16, Some(256)),
    ("aes128gcm8", GCM_8, Some(128)),
    ("aes192gcm8", GCM_8, Some(192)),
    ("aes256gcm8", GCM_8, Some(256)),
    ("aes128gcm64", GCM_8, Some(128)),
    ("aes192gcm64", GCM_8, Some(192)),
    ("aes256gcm64", GCM_8, Some(256)),
    ("aes128gcm12", GCM_12, Some(128)),
    ("aes192gcm12", GCM_12, Some(192)),
    ("aes256gcm12", GCM_12, Some(256)),
    ("aes128gcm96", GCM_12, Some(128)),
    ("aes192gcm96", GCM_12, Some(192)),
    ("aes256gcm96", GCM_12, Some(256)),
    ("aes128gcm16", GCM_16, Some(128)),
    ("aes192gcm16", GCM_16, Some(192)),
    ("aes256gcm16", GCM_16, Some(256)),
    ("aes128gcm128", GCM_16, Some(128)),
    ("aes192gcm128", GCM_16, Some(192)),
    ("aes256gcm128", GCM_16, Some(256)),
    ("aes128gcm", GCM_16, Some(128)),
    ("aes192gcm", GCM_16, Some(192)),
    ("aes256gcm", GCM_16, Some(256)),
    ("aes128gmac", GMAC, Some(128)),
    ("aes192gmac", GMAC, Some(192)),
    ("aes256gmac", GMAC, Some(256)),
    ("camellia128", CAMELLIA, Some(128)),
    ("camellia192", CAMELLIA, Some(192)),
    ("camellia256", CAMELLIA, Some(256)),
    ("camellia", CAMELLIA, Some(128)),
    ("camellia128ctr", CAMELLIA_CTR, Some(128)),
    ("camellia192ctr", CAMELLIA_CTR, Some(192)),
    ("camellia256ctr", CAMELLIA_CTR, Some(256)),
    ("camellia128ccm8", CAMELLIA_CCM_8, Some(128)),
    ("camellia192ccm8", CAMELLIA_CCM_8, Some(192)),
    ("camellia256ccm8", CAMELLIA_CCM_8, Some(256)),
    ("camellia128ccm64", CAMELLIA_CCM_8, Some(128)),
    ("camellia192ccm64", CAMELLIA_CCM_8, Some(192)),
    ("camellia256ccm64", CAMELLIA_CCM_8, Some(256)),
    ("camellia128ccm12", CAMELLIA_CCM_12, Some(128)),
    ("camellia192ccm12", CAMELLIA_CCM_12, Some(192)),
    ("camellia256ccm12", CAMELLIA_CCM_12, Some(256)),
    ("camellia128ccm96", CAMELLIA_CCM_12, Some(128)),
    ("camellia192ccm96", CAMELLIA_CCM_12, Some(192)),
    ("camellia256ccm96", CAMELLIA_CCM_12, Some(256)),
    ("camellia128ccm16", CAMELLIA_CCM_16, Some(128)),
    ("camellia192ccm16", CAMELLIA_CCM_16, Some(192)),
    ("camellia256ccm16", CAMELLIA_CCM_16, Some(256)),
    ("camellia128ccm128", CAMELLIA_CCM_16, Some(128)),
    ("camellia192ccm128", CAMELLIA_CCM_16, Some(192)),
    ("camellia256ccm128", CAMELLIA_CCM_16, Some(256)),
    ("camellia128ccm", CAMELLIA_CCM_16, Some(128)),
    ("camellia192ccm", CAMELLIA_CCM_16, Some(192)),
    ("camellia256ccm", CAMELLIA_CCM_16, Some(256)),
    ("chacha20poly1305", CHACHA20, None),
    ("chacha20poly1305compat", CHACHA20, Some(256)),
    ("serpent128", SERPENT, Some(128)),
    ("serpent192", SERPENT, Some(192)),
    ("serpent256", SERPENT, Some(256)),
    ("serpent", SERPENT, Some(128)),
    ("twofish128", TWOFISH, Some(128)),
    ("twofish192", TWOFISH, Some(192)),
    ("twofish256", TWOFISH, Some(256)),
    ("twofish", TWOFISH, Some(128)),
];

#[rustfmt::skip]
const INTEGRITY: &[Keyword] = &[
    ("md5", IntegrityId::HMAC_MD5_96.0, None),
    ("md5_128", IntegrityId::HMAC_MD5_128.0, None),
    ("sha1", IntegrityId::HMAC_SHA1_96.0, None),
    ("sha", IntegrityId::HMAC_SHA1_96.0, None),
    ("sha1_160", IntegrityId::HMAC_SHA1_160.0, None),
    ("aesxcbc", IntegrityId::AES_XCBC_96.0, None),
    ("aescmac", IntegrityId::AES_CMAC_96.0, None),
    ("sha256", IntegrityId::HMAC_SHA2_256_128.0, None),
    ("sha2_256", IntegrityId::HMAC_SHA2_256_128.0, None),
    ("sha384", IntegrityId::HMAC_SHA2_384_192.0, None),
    ("sha2_384", IntegrityId::HMAC_SHA2_384_192.0, None),
    ("sha512", IntegrityId::HMAC_SHA2_512_256.0, None),
    ("sha2_512", IntegrityId::HMAC_SHA2_512_256.0, None),
    ("sha256_96", IntegrityId::HMAC_SHA2_256_96.0, None),
    ("sha2_256_96", IntegrityId::HMAC_SHA2_256_96.0, None),
    ("camelliaxcbc", IntegrityId::CAMELLIA_XCBC_96.0, None),
];

#[rustfmt::skip]
const PRF: &[Keyword] = &[
    ("prfmd5", PrfId::HMAC_MD5.0, None),
    ("prfsha1", PrfId::HMAC_SHA1.0, None),
    ("prfaesxcbc", PrfId::AES128_XCBC.0, None),
    ("prfsha256", PrfId::HMAC_SHA2_256.0, None),
    ("prfsha384", PrfId::HMAC_SHA2_384.0, None),
    ("prfsha512", PrfId::HMAC_SHA2_512.0, None),
    ("prfaescmac", PrfId::AES128_CMAC.0, None),
    ("prfcamelliaxcbc", PrfId::CAMELLIA128_XCBC.0, None),
];

#[rustfmt::skip]
const KE: &[Keyword] = &[
    ("none", KeMethod::NONE.0, None),
    ("modpnone", KeMethod::NONE.0, None),
    ("modp768", KeMethod::MODP_768.0, None),
    ("modp1024", KeMethod::MODP_1024.0, None),
    ("modp1536", KeMethod::MODP_1536.0, None),
    ("modp2048", KeMethod::MODP_2048.0, None),
    ("modp3072", KeMethod::MODP_3072.0, None),
    ("modp4096", KeMethod::MODP_4096.0, None),
    ("modp6144", KeMethod::MODP_6144.0, None),
    ("modp8192", KeMethod::MODP_8192.0, None),
    ("ecp256", KeMethod::ECP_256.0, None),
    ("ecp384", KeMethod::ECP_384.0, None),
    ("ecp521", KeMethod::ECP_521.0, None),
    ("modp1024s160", KeMethod::MODP_1024_160.0, None),
    ("modp2048s224", KeMethod::MODP_2048_224.0, None),
    ("modp2048s256", KeMethod::MODP_2048_256.0, None),
    ("ecp192", KeMethod::ECP_192.0, None),
    ("ecp224", KeMethod::ECP_224.0, None),
    ("ecp224bp", KeMethod::ECP_224_BP.0, None),
    ("ecp256bp", KeMethod::ECP_256_BP.0, None),
    ("ecp384bp", KeMethod::ECP_384_BP.0, None),
    ("ecp512bp", KeMethod::ECP_512_BP.0, None),
    ("curve25519", KeMethod::CURVE_25519.0, None),
    ("x25519", KeMethod::CURVE_25519.0, None),
    ("curve448", KeMethod::CURVE_448.0, None),
    ("x448", KeMethod::CURVE_448.0, None),
    ("gost256", KeMethod::GOST3410_256.0, None),
    ("gost512", KeMethod::GOST3410_512.0, None),
    ("mlkem512", KeMethod::ML_KEM_512.0, None),
    ("mlkem768", KeMethod::ML_KEM_768.0, None),
    ("mlkem1024", KeMethod::ML_KEM_1024.0, None),
    ("modpnull", KeMethod::MODP_NULL.0, None),
];

const SN: &[Keyword] = &[("noesn", 0, None), ("esn", 1, None)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_keyword_leads_to_a_transform_and_back_to_a_name_for_it() {
        for (text, ..) in [ENCRYPTION, INTEGRITY, PRF, KE, SN].concat() {
            let transform = transform_for(text).expect(text);
            let canonical = transform.keyword().expect(text);
            assert_eq!(transform_for(&canonical), Some(transform), "{text}");
        }
    }

    #[test]
    fn no_keyword_has_two_meanings() {
        let mut all: Vec<_> =
            [ENCRYPTION, INTEGRITY, PRF, KE, SN].concat().iter().map(|(text, ..)| *text).collect();
        let before = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), before);
    }

    #[test]
    fn additional_key_exchanges_carry_their_round() {
        let transform = transform_for("ke3_mlkem768").expect("a keyword");
        assert_eq!((transform.kind, transform.id), (TransformType(8), 36));
        assert_eq!(transform.keyword().as_deref(), Some("ke3_mlkem768"));
        for wrong in ["ke0_x25519", "ke8_x25519", "ke1_aes", "ke1x25519", "ke1_ke2_x25519", "AES128", ""] {
            assert_eq!(transform_for(wrong), None, "{wrong}");
        }
    }
}
