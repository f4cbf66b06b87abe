//! When an SA is rekeyed and when it dies.

use std::time::Duration;

/// Soft and hard limits of a CHILD_SA in one measure. Zero is "no limit".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// Rekey when reached, less a random part of `jitter`.
    pub rekey: u64,
    /// Delete when reached.
    pub life: u64,
    /// Upper bound of the random amount taken off `rekey`.
    pub jitter: u64,
}

/// Limits of a CHILD_SA. Seconds, octets and packets each have soft and hard bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChildLifetime {
    /// In seconds.
    pub time: Limit,
    /// In octets of inner packets.
    pub bytes: Limit,
    /// In packets.
    pub packets: Limit,
}

/// Times of an IKE_SA. Zero is "never".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IkeLifetime {
    /// Rekey after this, less a random part of `rand_time`.
    pub rekey_time: Duration,
    /// Reauthenticate after this, less a random part of `rand_time`.
    pub reauth_time: Duration,
    /// Delete that long after a rekeying or reauthentication was due.
    pub over_time: Duration,
    /// Upper bound of the random amount taken off.
    pub rand_time: Duration,
}
