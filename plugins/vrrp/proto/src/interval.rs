//! Advertisement intervals: centiseconds, the unit of VRRPv3.

use std::fmt;
use std::time::Duration;

use crate::id::Version;

/// An interval of at least one centisecond. VRRPv3 carries up to 4095 cs, VRRPv2 whole seconds up to 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Interval(u16);

impl Interval {
    /// One second, the default of both versions.
    pub const DEFAULT: Self = Self(100);

    /// `None` for 0.
    #[must_use]
    pub const fn from_centiseconds(centiseconds: u16) -> Option<Self> {
        if centiseconds == 0 { None } else { Some(Self(centiseconds)) }
    }

    /// `None` for 0.
    #[must_use]
    pub fn from_seconds(seconds: u8) -> Option<Self> {
        Self::from_centiseconds(u16::from(seconds) * 100)
    }

    /// `None` unless it is a positive number of centiseconds that fits.
    #[must_use]
    pub fn from_duration(duration: Duration) -> Option<Self> {
        let nanos = duration.as_nanos();
        if !nanos.is_multiple_of(10_000_000) {
            return None;
        }
        Self::from_centiseconds(u16::try_from(nanos / 10_000_000).ok()?)
    }

    /// In centiseconds.
    #[must_use]
    pub const fn centiseconds(self) -> u16 {
        self.0
    }

    /// In whole seconds, `None` if it is not a number of them that VRRPv2 carries.
    #[must_use]
    pub fn seconds(self) -> Option<u8> {
        if !self.0.is_multiple_of(100) {
            return None;
        }
        u8::try_from(self.0 / 100).ok()
    }

    /// As time.
    #[must_use]
    pub fn duration(self) -> Duration {
        Duration::from_millis(u64::from(self.0) * 10)
    }

    /// Whether `version` can carry it.
    #[must_use]
    pub fn fits(self, version: Version) -> bool {
        match version {
            Version::V2 => self.seconds().is_some(),
            Version::V3 => self.0 <= 4095,
        }
    }
}

/// In seconds, without trailing zeros: `1s`, `0.25s`.
impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, rest) = (self.0 / 100, self.0 % 100);
        if rest == 0 {
            write!(f, "{seconds}s")
        } else if rest.is_multiple_of(10) {
            write!(f, "{seconds}.{}s", rest / 10)
        } else {
            write!(f, "{seconds}.{rest:02}s")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_a_whole_number_of_centiseconds() {
        assert_eq!(Interval::from_duration(Duration::from_millis(250)).map(Interval::centiseconds), Some(25));
        assert_eq!(Interval::from_duration(Duration::from_millis(255)), None);
        assert_eq!(Interval::from_duration(Duration::ZERO), None);
        assert_eq!(Interval::from_duration(Duration::from_secs(700)), None);
    }

    #[test]
    fn each_version_carries_what_its_field_holds() {
        let tenth = Interval::from_centiseconds(10).unwrap();
        assert!(tenth.fits(Version::V3) && !tenth.fits(Version::V2));
        let long = Interval::from_seconds(41).unwrap();
        assert!(long.fits(Version::V2) && !long.fits(Version::V3));
        assert_eq!((tenth.to_string(), long.to_string()), ("0.1s".to_owned(), "41s".to_owned()));
    }
}
