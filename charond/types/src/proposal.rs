//! Proposals: what is offered, what was chosen, and strongSwan's keywords for both.

mod default;
mod keyword;
mod parse;
mod select;
mod suite;

use std::fmt;

use crate::algorithm::{EncryptionId, IntegrityId, KeMethod, PrfId};

pub use default::{AvailableAlgorithms, default_proposals};
pub use keyword::transform_for;
pub use parse::ProposalError;
pub use select::{Offer, Preference, Selected, accept_answer, select};
pub use suite::{ChildSuite, IkeSuite, Suite};

/// Protocol of a proposal (RFC 7296 §3.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// 1
    Ike,
    /// 2
    Ah,
    /// 3
    Esp,
}

impl Protocol {
    /// Wire number.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Ike => 1,
            Self::Ah => 2,
            Self::Esp => 3,
        }
    }

    /// From the wire number.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Ike),
            2 => Some(Self::Ah),
            3 => Some(Self::Esp),
            _ => None,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ike => "IKE",
            Self::Ah => "AH",
            Self::Esp => "ESP",
        })
    }
}

/// Transform type (RFC 7296 §3.3.2). Open: unknown types make a proposal unacceptable, they are not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TransformType(pub u8);

impl TransformType {
    /// 1
    pub const ENCRYPTION: Self = Self(1);
    /// 2
    pub const PRF: Self = Self(2);
    /// 3
    pub const INTEGRITY: Self = Self(3);
    /// 4
    pub const KE: Self = Self(4);
    /// 5
    pub const SN: Self = Self(5);
    /// 12, the last of the seven additional key exchanges (RFC 9370), the first being 6.
    pub const ADDITIONAL_KE_MAX: Self = Self(12);

    /// Type of the additional key exchange of that round, 1 to 7.
    #[must_use]
    pub const fn additional(round: u8) -> Option<Self> {
        match round {
            1..=7 => Some(Self(round + Self::SN.0)),
            _ => None,
        }
    }

    /// The round, 1 to 7, if it is an additional key exchange.
    #[must_use]
    pub const fn additional_ke(self) -> Option<u8> {
        match self.0 {
            6..=12 => Some(self.0 - Self::SN.0),
            _ => None,
        }
    }
}

/// One transform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Transform {
    /// Its type.
    pub kind: TransformType,
    /// Number within that type's registry.
    pub id: u16,
    /// Key Length attribute in bits, if present.
    pub key_bits: Option<u16>,
}

/// As in logs: `AES_CBC_256`, `KE1_ML_KEM_768`, `NO_EXT_SEQ`.
impl fmt::Display for Transform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, self.kind.additional_ke()) {
            (_, Some(round)) => write!(f, "KE{round}_{}", KeMethod(self.id)),
            (TransformType::ENCRYPTION, _) => EncryptionId(self.id).fmt(f),
            (TransformType::PRF, _) => PrfId(self.id).fmt(f),
            (TransformType::INTEGRITY, _) => IntegrityId(self.id).fmt(f),
            (TransformType::KE, _) => KeMethod(self.id).fmt(f),
            (TransformType::SN, _) if self.id == 0 => f.write_str("NO_EXT_SEQ"),
            (TransformType::SN, _) if self.id == 1 => f.write_str("EXT_SEQ"),
            (kind, _) => write!(f, "({}:{})", kind.0, self.id),
        }?;
        self.key_bits.map_or(Ok(()), |bits| write!(f, "_{bits}"))
    }
}

/// A set of transforms for one protocol. Transforms of one type stand in order of preference.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Proposal {
    /// IKE, AH or ESP.
    pub protocol: Protocol,
    /// The transforms, in order.
    pub transforms: Vec<Transform>,
}

impl Proposal {
    /// Transforms of one type, in order.
    pub fn of_kind(&self, kind: TransformType) -> impl Iterator<Item = &Transform> {
        self.transforms.iter().filter(move |transform| transform.kind == kind)
    }

    /// The additional key exchanges (RFC 9370) by type, NONE left out.
    pub fn additional_kes(&self) -> impl Iterator<Item = (TransformType, KeMethod)> {
        let additional = self.transforms.iter().filter(|transform| transform.kind.additional_ke().is_some());
        additional
            .map(|transform| (transform.kind, KeMethod(transform.id)))
            .filter(|(_, ke)| *ke != KeMethod::NONE)
    }
}

/// As in logs: `IKE:AES_CBC_256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/CURVE_25519`.
impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.protocol)?;
        let mut ordered: Vec<&Transform> = self.transforms.iter().collect();
        ordered.sort_by_key(|transform| log_rank(transform.kind));
        for (index, transform) in ordered.into_iter().enumerate() {
            if index > 0 {
                f.write_str("/")?;
            }
            transform.fmt(f)?;
        }
        Ok(())
    }
}

/// Logs show integrity before the PRF, and sequence numbers last.
const fn log_rank(kind: TransformType) -> u8 {
    match kind {
        TransformType::PRF => 3,
        TransformType::INTEGRITY => 2,
        TransformType::SN => u8::MAX,
        other => other.0,
    }
}

#[cfg(test)]
mod tests;
