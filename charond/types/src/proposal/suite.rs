//! The algorithms of an SA, once each type of transform has one value.

use std::fmt;

use super::{Proposal, Protocol, Transform, TransformType};
use crate::algorithm::{EncryptionId, Esn, IntegrityId, KeMethod, PrfId};

/// The algorithms of an IKE_SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IkeSuite {
    /// Encryption.
    pub encryption: EncryptionId,
    /// Its key length in bits, `None` where the algorithm has one length only.
    pub key_bits: Option<u16>,
    /// Integrity; `None` for combined-mode ciphers.
    pub integrity: Option<IntegrityId>,
    /// Pseudo-random function.
    pub prf: PrfId,
    /// Key exchange.
    pub ke: KeMethod,
}

/// The algorithms of a CHILD_SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChildSuite {
    /// ESP or AH.
    pub protocol: Protocol,
    /// Encryption; `None` for AH.
    pub encryption: Option<EncryptionId>,
    /// Its key length in bits, `None` where the algorithm has one length only.
    pub key_bits: Option<u16>,
    /// Integrity; `None` for combined-mode ciphers.
    pub integrity: Option<IntegrityId>,
    /// Key exchange of its own (PFS), if one took place.
    pub ke: Option<KeMethod>,
    /// Sequence numbers.
    pub esn: Esn,
}

/// As in logs: `IKE:AES_CBC_256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/CURVE_25519`.
impl fmt::Display for IkeSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IKE:{}", self.encryption)?;
        fmt_bits(self.key_bits, f)?;
        if let Some(integrity) = self.integrity {
            write!(f, "/{integrity}")?;
        }
        write!(f, "/{}/{}", self.prf, self.ke)
    }
}

/// As in logs: `ESP:AES_GCM_16_256/NO_EXT_SEQ`.
impl fmt::Display for ChildSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.protocol)?;
        if let Some(encryption) = self.encryption {
            write!(f, "{encryption}")?;
            fmt_bits(self.key_bits, f)?;
            f.write_str("/")?;
        }
        if let Some(integrity) = self.integrity {
            write!(f, "{integrity}/")?;
        }
        if let Some(ke) = self.ke {
            write!(f, "{ke}/")?;
        }
        f.write_str(match self.esn {
            Esn::Disabled => "NO_EXT_SEQ",
            Esn::Enabled => "EXT_SEQ",
        })
    }
}

/// What an answered proposal must be turned into; see [`super::select`].
pub trait Suite: Sized {
    /// The suite of a proposal with at most one transform of a type, `None` if one that it needs is missing.
    fn of_chosen(proposal: &Proposal) -> Option<Self>;
}

impl Suite for IkeSuite {
    fn of_chosen(proposal: &Proposal) -> Option<Self> {
        let cipher = *proposal.first(TransformType::ENCRYPTION)?;
        let encryption = EncryptionId(cipher.id);
        let integrity = proposal.integrity();
        let consistent = proposal.protocol == Protocol::Ike && encryption.is_aead() == integrity.is_none();
        let ke = KeMethod(proposal.first(TransformType::KE)?.id);
        (consistent && ke != KeMethod::NONE).then_some(Self {
            encryption,
            key_bits: suite_bits(&cipher),
            integrity,
            prf: PrfId(proposal.first(TransformType::PRF)?.id),
            ke,
        })
    }
}

impl Suite for ChildSuite {
    fn of_chosen(proposal: &Proposal) -> Option<Self> {
        let cipher = proposal.first(TransformType::ENCRYPTION);
        let integrity = proposal.integrity();
        match (proposal.protocol, cipher) {
            (Protocol::Esp, Some(cipher)) if EncryptionId(cipher.id).is_aead() && integrity.is_some() => {
                return None;
            }
            (Protocol::Esp, Some(_)) => {}
            (Protocol::Ah, None) if integrity.is_some() => {}
            _ => return None,
        }
        let ke = proposal.first(TransformType::KE).map(|transform| KeMethod(transform.id));
        Some(Self {
            protocol: proposal.protocol,
            encryption: cipher.map(|transform| EncryptionId(transform.id)),
            key_bits: cipher.and_then(suite_bits),
            integrity,
            ke: ke.filter(|ke| *ke != KeMethod::NONE),
            esn: match proposal.first(TransformType::SN).map(|transform| transform.id) {
                None | Some(0) => Esn::Disabled,
                Some(1) => Esn::Enabled,
                Some(_) => return None,
            },
        })
    }
}

impl Proposal {
    fn first(&self, kind: TransformType) -> Option<&Transform> {
        self.of_kind(kind).next()
    }

    fn integrity(&self) -> Option<IntegrityId> {
        self.first(TransformType::INTEGRITY).map(|transform| IntegrityId(transform.id)).filter(|id| id.0 != 0)
    }
}

/// ChaCha20 has one length, even where a peer writes it down.
fn suite_bits(cipher: &Transform) -> Option<u16> {
    cipher.key_bits.filter(|_| cipher.id != EncryptionId::CHACHA20_POLY1305.0)
}

fn fmt_bits(bits: Option<u16>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bits.map_or(Ok(()), |bits| write!(f, "_{bits}"))
}
