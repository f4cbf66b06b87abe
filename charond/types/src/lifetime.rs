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

/// Limits in one measure as far as they are given; the others follow from them.
#[derive(Clone, Copy, Debug, Default)]
pub struct GivenLimit {
    /// See [`Limit::rekey`].
    pub rekey: Option<u64>,
    /// See [`Limit::life`].
    pub life: Option<u64>,
    /// See [`Limit::jitter`].
    pub jitter: Option<u64>,
}

/// Limits of a CHILD_SA as far as they are given.
#[derive(Clone, Copy, Debug, Default)]
pub struct GivenChildLifetime {
    /// In seconds.
    pub time: GivenLimit,
    /// In octets of inner packets.
    pub bytes: GivenLimit,
    /// In packets.
    pub packets: GivenLimit,
}

/// Times of an IKE_SA as far as they are given; the others follow from them.
#[derive(Clone, Copy, Debug, Default)]
pub struct GivenIkeLifetime {
    /// See [`IkeLifetime::rekey_time`].
    pub rekey_time: Option<Duration>,
    /// See [`IkeLifetime::reauth_time`].
    pub reauth_time: Option<Duration>,
    /// See [`IkeLifetime::over_time`].
    pub over_time: Option<Duration>,
    /// See [`IkeLifetime::rand_time`].
    pub rand_time: Option<Duration>,
}

impl GivenLimit {
    /// A hard limit a tenth above the soft one, whichever of them is given, and as much taken off it at random.
    fn complete(self, default: u64) -> Limit {
        let tenth_below = |life: u64| life / 11 * 10 + life % 11 * 10 / 11;
        let rekey = self.rekey.or_else(|| self.life.map(tenth_below)).unwrap_or(default);
        let life = self.life.unwrap_or_else(|| rekey.saturating_add(rekey / 10));
        let jitter = self.jitter.unwrap_or_else(|| life.saturating_sub(rekey)).min(rekey);
        Limit { rekey, life, jitter }
    }
}

impl GivenChildLifetime {
    /// Rekeyed every hour unless a time is given; traffic has no limit of itself.
    #[must_use]
    pub fn complete(self) -> ChildLifetime {
        ChildLifetime {
            time: self.time.complete(CHILD_REKEY_SECONDS),
            bytes: self.bytes.complete(0),
            packets: self.packets.complete(0),
        }
    }
}

impl GivenIkeLifetime {
    /// Rekeyed every four hours unless a time is given, or that of reauthentication alone. Closed a tenth later; up to as
    /// much is taken off at random, but no more than half.
    #[must_use]
    pub fn complete(self) -> IkeLifetime {
        let default_rekey = if self.reauth_time.is_some() { Duration::ZERO } else { IKE_REKEY_TIME };
        let rekey_time = self.rekey_time.unwrap_or(default_rekey);
        let reauth_time = self.reauth_time.unwrap_or_default();
        let over_time = self.over_time.unwrap_or_else(|| rekey_time.max(reauth_time) / 10);
        let half =
            [rekey_time, reauth_time].into_iter().filter(|time| !time.is_zero()).min().unwrap_or_default()
                / 2;
        let rand_time = self.rand_time.unwrap_or(over_time).min(half);
        IkeLifetime { rekey_time, reauth_time, over_time, rand_time }
    }
}

/// Rekeying of a CHILD_SA unless anything is configured.
const CHILD_REKEY_SECONDS: u64 = 3600;
/// Rekeying of an IKE_SA unless anything is configured.
const IKE_REKEY_TIME: Duration = Duration::from_secs(4 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_soft_and_hard_limit_each_follows_from_the_other() {
        let limits = |rekey, life| GivenLimit { rekey, life, jitter: None }.complete(3600);
        assert_eq!(limits(None, None), Limit { rekey: 3600, life: 3960, jitter: 360 });
        assert_eq!(limits(Some(100), None), Limit { rekey: 100, life: 110, jitter: 10 });
        assert_eq!(limits(None, Some(1100)), Limit { rekey: 1000, life: 1100, jitter: 100 });
        assert_eq!(limits(Some(1000), Some(9000)), Limit { rekey: 1000, life: 9000, jitter: 1000 });
        assert_eq!(limits(Some(1000), Some(0)), Limit { rekey: 1000, life: 0, jitter: 0 });
        assert_eq!(limits(None, Some(u64::MAX)).rekey, 16_769_767_339_735_956_013);
        assert_eq!(GivenChildLifetime::default().complete().bytes, Limit::default());
    }

    #[test]
    fn an_ike_sa_that_reauthenticates_is_not_rekeyed_unless_told() {
        let hours = |hours: u64| Some(Duration::from_secs(3600 * hours));
        let given = GivenIkeLifetime { reauth_time: hours(10), ..GivenIkeLifetime::default() };
        let lifetime = given.complete();
        assert_eq!(
            (lifetime.rekey_time, lifetime.reauth_time),
            (Duration::ZERO, Duration::from_secs(36_000))
        );
        assert_eq!((Some(lifetime.over_time), Some(lifetime.rand_time)), (hours(1), hours(1)));
        let both = GivenIkeLifetime { rekey_time: hours(1), ..given }.complete();
        assert_eq!((Some(both.over_time), both.rand_time), (hours(1), Duration::from_secs(1800)));
    }
}
