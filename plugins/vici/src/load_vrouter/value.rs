//! Single values of a virtual router's section.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use charon_types::connection::Toggle;
use charon_types::vrouter::VirtualAddress;
use vici::List;

use crate::load_conn::value;

pub(super) use crate::load_conn::value::text;

pub(super) fn toggle(data: &[u8]) -> Option<Toggle> {
    value::boolean(data).map(Toggle::from)
}

/// A whole number in these bounds.
pub(super) fn number(data: &[u8], bounds: RangeInclusive<i64>) -> Option<i64> {
    value::integer(data).filter(|number| bounds.contains(number))
}

pub(super) fn octet(data: &[u8]) -> Option<u8> {
    u8::try_from(number(data, 0..=255)?).ok()
}

/// A number of seconds, or with `ms`, `s`, `m`, `h` or `d` behind it; a fraction is one of seconds.
pub(super) fn time(data: &[u8]) -> Option<Duration> {
    let text = text(data)?.trim();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let whole: u64 = if whole.len() <= TIME_DIGITS_MAX { whole.parse().ok()? } else { return None };
    let whole_and = |milliseconds: u64| Some(Duration::from_millis(whole.checked_mul(milliseconds)?));
    match (unit.trim(), fraction) {
        ("ms", "") if !digits.contains('.') => whole_and(1),
        ("" | "s", "") if !digits.contains('.') => whole_and(1000),
        ("" | "s", fraction) if !fraction.is_empty() && fraction.len() <= 6 => {
            let microseconds: u64 = format!("{fraction:0<6}").parse().ok()?;
            Some(Duration::from_secs(whole).checked_add(Duration::from_micros(microseconds))?)
        }
        ("m", "") if !digits.contains('.') => whole_and(60_000),
        ("h", "") if !digits.contains('.') => whole_and(3_600_000),
        ("d", "") if !digits.contains('.') => whole_and(86_400_000),
        _ => None,
    }
}

/// An address with an optional prefix length; without one it is a host's.
pub(super) fn address(data: &[u8]) -> Option<VirtualAddress> {
    let text = text(data)?.trim();
    let (address, prefix) =
        text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let address: IpAddr = address.parse().ok()?;
    let width = if address.is_ipv4() { 32 } else { 128 };
    let prefix =
        prefix.map_or(Some(width), |prefix| prefix.parse().ok().filter(|prefix| *prefix <= width))?;
    Some(VirtualAddress { address, prefix })
}

/// As [`address`], where `default` means all of IPv4.
pub(super) fn network(data: &[u8]) -> Option<VirtualAddress> {
    if data == b"default" {
        return Some(VirtualAddress { address: IpAddr::from([0; 4]), prefix: 0 });
    }
    address(data)
}

pub(super) fn plain_address(data: &[u8]) -> Option<IpAddr> {
    text(data)?.trim().parse().ok()
}

/// Every item, or nothing.
pub(super) fn each<T>(items: List<'_>, read: fn(&[u8]) -> Option<T>) -> Option<Vec<T>> {
    items.iter().map(read).collect()
}

/// More digits than any time needs.
const TIME_DIGITS_MAX: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units_down_to_milliseconds() {
        for (text, millis) in [
            ("1", 1000),
            ("1s", 1000),
            ("250ms", 250),
            ("0.25", 250),
            ("1.5s", 1500),
            ("2 m", 120_000),
            ("1h", 3_600_000),
        ] {
            assert_eq!(time(text.as_bytes()), Some(Duration::from_millis(millis)), "{text}");
        }
        for wrong in ["", "s", "ms", "1.ms", "1.5m", ".5", "1.", "-1", "1w", "1.0000001", "9999999999999"] {
            assert_eq!(time(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn an_address_without_prefix_is_that_of_a_host() {
        let read = |text: &str| address(text.as_bytes()).map(|held| (held.address.to_string(), held.prefix));
        assert_eq!(read("192.0.2.1/24"), Some(("192.0.2.1".into(), 24)));
        assert_eq!(read("fe80::1"), Some(("fe80::1".into(), 128)));
        for wrong in ["", "192.0.2.1/33", "192.0.2.1/", "fe80::1/129", "x"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
