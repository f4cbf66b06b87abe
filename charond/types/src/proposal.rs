//! Proposals: what is offered, what was chosen, and strongSwan's keywords for both.

use crate::algorithm::{EncryptionId, Esn, IntegrityId, KeMethod, PrfId};

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
}

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
