//! Which identities a pattern means, and how closely.

use std::net::IpAddr;

use super::Identity;
use crate::selector::TrafficSelector;

/// How closely a pattern describes an identity; the greater wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MatchQuality(u8);

impl MatchQuality {
    /// The pattern is `%any`.
    pub const ANY: Self = Self(1);
    /// The same identity.
    pub const PERFECT: Self = Self(u8::MAX);

    /// By wildcards; the fewer the better, always between `ANY` and `PERFECT`.
    #[must_use]
    pub fn with_wildcards(count: usize) -> Self {
        match u8::try_from(count) {
            Ok(0) => Self::PERFECT,
            Ok(count) => Self(Self::PERFECT.0.saturating_sub(count).max(2)),
            Err(_) => Self(2),
        }
    }

    /// As a number for sums: 1 for any, 2 to 254 with wildcards, 255 when perfect.
    #[must_use]
    pub const fn value(self) -> u8 {
        self.0
    }
}

impl Identity {
    /// Whether `pattern` means this identity, and how closely. Wildcards of `self` are plain text: a peer cannot claim
    /// to be everybody. [`Identity::Any`] (not known yet) matches only the pattern `%any`.
    #[must_use]
    pub fn matches(&self, pattern: &Self) -> Option<MatchQuality> {
        if *pattern == Self::Any {
            return Some(MatchQuality::ANY);
        }
        match (self, pattern) {
            (Self::Fqdn(own), Self::Fqdn(text)) | (Self::Rfc822(own), Self::Rfc822(text)) => {
                match_text(own, text)
            }
            (Self::Dn(own), Self::Dn(name)) => own.matches(name).map(MatchQuality::with_wildcards),
            (Self::Address(own), Self::Subnet(net, prefix)) => {
                match_range(*own, TrafficSelector::subnet(*net, *prefix))
            }
            (Self::Address(own), Self::Range(start, end)) => {
                match_range(*own, TrafficSelector::range(*start, *end)?)
            }
            _ => self.is_equivalent(pattern).then_some(MatchQuality::PERFECT),
        }
    }

    /// Whether both are the same identity: names without regard to ASCII case, DNs by value. No wildcards.
    #[must_use]
    pub fn is_equivalent(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Fqdn(own), Self::Fqdn(text)) | (Self::Rfc822(own), Self::Rfc822(text)) => {
                own.eq_ignore_ascii_case(text)
            }
            (Self::Dn(own), Self::Dn(name)) => own.is_equivalent(name),
            _ => self == other,
        }
    }

    /// Whether it can mean more than one identity.
    #[must_use]
    pub fn is_pattern(&self) -> bool {
        match self {
            Self::Any | Self::Subnet(..) | Self::Range(..) => true,
            Self::Fqdn(text) | Self::Rfc822(text) => text.starts_with('*'),
            Self::Dn(name) => name.has_wildcard(),
            Self::Address(_) | Self::Gn(_) | Self::KeyId(_) | Self::Other(..) => false,
        }
    }
}

/// A leading `*` stands for any beginning, dots included.
fn match_text(own: &str, pattern: &str) -> Option<MatchQuality> {
    if own.eq_ignore_ascii_case(pattern) {
        return Some(MatchQuality::PERFECT);
    }
    let tail = pattern.strip_prefix('*')?.as_bytes();
    let begin = own.len().checked_sub(tail.len())?;
    let own_tail = own.as_bytes().get(begin..)?;
    own_tail.eq_ignore_ascii_case(tail).then(|| MatchQuality::with_wildcards(1))
}

/// Each free bit counts as a wildcard, so the narrower range is the closer match.
fn match_range(own: IpAddr, range: TrafficSelector) -> Option<MatchQuality> {
    let width: u8 = if own.is_ipv4() { 32 } else { 128 };
    let free = width.saturating_sub(range.covering_subnet().1);
    range.contains_address(own).then(|| MatchQuality::with_wildcards(usize::from(free)))
}
