//! The proposals that `default` stands for, limited to what can be computed.

use super::{Proposal, Protocol, Transform, TransformType};
use crate::algorithm::{EncryptionId, IntegrityId, KeMethod, PrfId};

/// What the loaded backends compute, each list in their order of preference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AvailableAlgorithms {
    /// Encryption with the key length in bits; 0 for an algorithm with one length only.
    pub encryption: Vec<(EncryptionId, u16)>,
    /// Integrity.
    pub integrity: Vec<IntegrityId>,
    /// Pseudo-random functions.
    pub prf: Vec<PrfId>,
    /// Key exchanges.
    pub ke: Vec<KeMethod>,
}

/// The default proposals of a protocol. Groups of algorithms are in a fixed order, from strong to merely compatible;
/// within a group the backends' order holds. A proposal that could not be complete is left out.
#[must_use]
pub fn default_proposals(protocol: Protocol, available: &AvailableAlgorithms) -> Vec<Proposal> {
    let key_exchanges = of_groups(TransformType::KE, KE_GROUPS, &available.ke, |ke| ke.0);
    let child_integrity = of_groups(TransformType::INTEGRITY, CHILD_INTEGRITY, &available.integrity, |i| i.0);
    let wanted = match protocol {
        Protocol::Ike => {
            let integrity = of_groups(TransformType::INTEGRITY, IKE_INTEGRITY, &available.integrity, |i| i.0);
            let prf = of_groups(TransformType::PRF, PRF_GROUPS, &available.prf, |prf| prf.0);
            vec![
                vec![ciphers(IKE_CLASSIC, available), integrity, prf.clone(), key_exchanges.clone()],
                vec![ciphers(IKE_COMBINED, available), prf, key_exchanges],
            ]
        }
        Protocol::Esp => vec![
            vec![ciphers(ESP_COMBINED, available), child_tail(&key_exchanges)],
            vec![ciphers(ESP_CLASSIC, available), child_integrity, child_tail(&key_exchanges)],
        ],
        Protocol::Ah => vec![vec![child_integrity, child_tail(&key_exchanges)]],
    };
    let complete = wanted.into_iter().filter(|parts| parts.iter().all(|part| !part.is_empty()));
    complete.map(|parts| Proposal { protocol, transforms: parts.concat() }).collect()
}

const IKE_CLASSIC: &[&[EncryptionId]] = &[
    &[EncryptionId::AES_CBC, EncryptionId::AES_CTR, EncryptionId::CAMELLIA_CBC, EncryptionId::CAMELLIA_CTR],
    &[EncryptionId::TRIPLE_DES_CBC],
];
const IKE_COMBINED: &[&[EncryptionId]] = &[
    &[
        EncryptionId::AES_GCM_16,
        EncryptionId::AES_CCM_16,
        EncryptionId::CAMELLIA_CCM_16,
        EncryptionId::CHACHA20_POLY1305,
    ],
    &[
        EncryptionId::AES_GCM_12,
        EncryptionId::AES_GCM_8,
        EncryptionId::AES_CCM_12,
        EncryptionId::AES_CCM_8,
        EncryptionId::CAMELLIA_CCM_12,
        EncryptionId::CAMELLIA_CCM_8,
    ],
];
const ESP_COMBINED: &[&[EncryptionId]] = &[&[EncryptionId::AES_GCM_16]];
const ESP_CLASSIC: &[&[EncryptionId]] = &[&[EncryptionId::AES_CBC]];
const IKE_INTEGRITY: &[&[IntegrityId]] = &[
    &[IntegrityId::HMAC_SHA2_256_128, IntegrityId::HMAC_SHA2_384_192, IntegrityId::HMAC_SHA2_512_256],
    &[IntegrityId::AES_XCBC_96, IntegrityId::AES_CMAC_96],
    &[IntegrityId::HMAC_SHA1_96],
];
/// One group each: this list has a fixed order.
const CHILD_INTEGRITY: &[&[IntegrityId]] = &[
    &[IntegrityId::HMAC_SHA2_256_128],
    &[IntegrityId::HMAC_SHA2_384_192],
    &[IntegrityId::HMAC_SHA2_512_256],
    &[IntegrityId::HMAC_SHA1_96],
    &[IntegrityId::AES_XCBC_96],
];
const PRF_GROUPS: &[&[PrfId]] = &[
    &[PrfId::HMAC_SHA2_256, PrfId::HMAC_SHA2_384, PrfId::HMAC_SHA2_512],
    &[PrfId::AES128_XCBC, PrfId::AES128_CMAC],
    &[PrfId::HMAC_SHA1],
];
const KE_GROUPS: &[&[KeMethod]] = &[
    &[
        KeMethod::ECP_256,
        KeMethod::ECP_384,
        KeMethod::ECP_521,
        KeMethod::ECP_256_BP,
        KeMethod::ECP_384_BP,
        KeMethod::ECP_512_BP,
        KeMethod::CURVE_25519,
        KeMethod::CURVE_448,
        KeMethod::MODP_3072,
        KeMethod::MODP_4096,
        KeMethod::MODP_6144,
        KeMethod::MODP_8192,
    ],
    &[KeMethod::MODP_2048],
];

/// A CHILD_SA may go without a key exchange of its own, so NONE closes the list.
fn child_tail(key_exchanges: &[Transform]) -> Vec<Transform> {
    let mut tail = key_exchanges.to_vec();
    tail.push(Transform { kind: TransformType::KE, id: KeMethod::NONE.0, key_bits: None });
    tail.push(Transform { kind: TransformType::SN, id: 0, key_bits: None });
    tail
}

fn of_groups<T: Copy + PartialEq>(
    kind: TransformType,
    groups: &[&[T]],
    available: &[T],
    number: impl Fn(&T) -> u16,
) -> Vec<Transform> {
    let mut transforms = Vec::new();
    for group in groups {
        for algorithm in available.iter().filter(|algorithm| group.contains(algorithm)) {
            let transform = Transform { kind, id: number(algorithm), key_bits: None };
            if !transforms.contains(&transform) {
                transforms.push(transform);
            }
        }
    }
    transforms
}

/// Ciphers of the groups with the key lengths that are available, the shorter first.
fn ciphers(groups: &[&[EncryptionId]], available: &AvailableAlgorithms) -> Vec<Transform> {
    let ids: Vec<_> = available.encryption.iter().map(|(id, _)| *id).collect();
    let mut transforms = Vec::new();
    for cipher in of_groups(TransformType::ENCRYPTION, groups, &ids, |id| id.0) {
        let lengths = available.encryption.iter().filter(|(id, _)| id.0 == cipher.id).map(|(_, bits)| *bits);
        let mut lengths: Vec<u16> = lengths.collect();
        lengths.sort_unstable();
        lengths.dedup();
        transforms.extend(
            lengths.into_iter().map(|bits| Transform { key_bits: (bits != 0).then_some(bits), ..cipher }),
        );
    }
    transforms
}
