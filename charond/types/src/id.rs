//! Identifiers, a type each.

use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};

/// SPI of an IKE_SA as chosen by one side (RFC 7296 §3.1). Zero means "not known yet" on the wire and is `None` here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IkeSpi(pub NonZeroU64);

impl IkeSpi {
    /// The SPI from its wire octets, `None` for the all-zero SPI.
    #[must_use]
    pub fn from_be_bytes(octets: [u8; 8]) -> Option<Self> {
        NonZeroU64::new(u64::from_be_bytes(octets)).map(Self)
    }

    /// Octets as sent on the wire.
    #[must_use]
    pub const fn to_be_bytes(self) -> [u8; 8] {
        self.0.get().to_be_bytes()
    }
}

/// 16 lower-case hex digits, as `list-sas` shows it.
impl fmt::Display for IkeSpi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for IkeSpi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IkeSpi({self})")
    }
}

/// SPI of an ESP or AH SA, in host order. Values 1 to 255 are reserved (RFC 4303 §2.1) and never allocated by us.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EspSpi(pub NonZeroU32);

impl EspSpi {
    /// The SPI from its wire octets, `None` for zero.
    #[must_use]
    pub fn from_be_bytes(octets: [u8; 4]) -> Option<Self> {
        NonZeroU32::new(u32::from_be_bytes(octets)).map(Self)
    }

    /// Octets as sent on the wire.
    #[must_use]
    pub const fn to_be_bytes(self) -> [u8; 4] {
        self.0.get().to_be_bytes()
    }

    /// The number, host order.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

/// 8 lower-case hex digits, as `list-sas` shows it.
impl fmt::Display for EspSpi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Debug for EspSpi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EspSpi({self})")
    }
}

/// Message id of an IKE exchange (RFC 7296 §2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub u32);

impl MessageId {
    /// The id that follows. Saturates: an SA is rekeyed long before 2^32 exchanges.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Number of an IKE_SA or CHILD_SA, unique within the daemon's life; the `#n` of `list-sas`. IKE_SAs and CHILD_SAs count apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UniqueId(pub u32);

impl fmt::Display for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Ties policies to SAs in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reqid(pub NonZeroU32);

impl fmt::Display for Reqid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A firewall mark and the bits of it that count. Zero value and mask: no mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Mark {
    /// Value, already masked.
    pub value: u32,
    /// Bits compared.
    pub mask: u32,
}

/// XFRM interface id; 0 means none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct IfId(pub u32);

/// Who sent the IKE_SA_INIT request (or the request that rekeyed the IKE_SA). Fixed for an IKE_SA's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Sent the first request.
    Initiator,
    /// Answered it.
    Responder,
}

impl Role {
    /// The peer's role.
    #[must_use]
    pub const fn peer(self) -> Self {
        match self {
            Self::Initiator => Self::Responder,
            Self::Responder => Self::Initiator,
        }
    }
}
