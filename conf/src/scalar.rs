//! The scalar types of settings: booleans, numbers, times, sizes and lists, as written in text.

use std::fmt;
use std::time::Duration;

/// What is wrong with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// Not UTF-8 where text is needed.
    NotText,
    /// Neither yes, true, enabled, 1 nor no, false, disabled, 0.
    NotBool,
    /// Not an integer: decimal, hexadecimal with 0x, or octal with a leading 0.
    NotInteger,
    /// An integer that the setting cannot hold.
    OutOfRange,
    /// Not a decimal number.
    NotNumber,
    /// Not an integer with an optional unit s, m, h or d.
    NotTime,
    /// Not an integer with an optional unit k, m or g.
    NotBytes,
    /// None of the words that are possible.
    NotOneOf(&'static [&'static str]),
    /// Not a firewall mark.
    NotMark,
    /// Not a value of the attribute of the configuration payload, if there is one of that name.
    NotAttribute,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotText => "is not UTF-8 text",
            Self::NotBool => "is neither yes nor no",
            Self::NotInteger => "is not an integer",
            Self::OutOfRange => "is out of range",
            Self::NotNumber => "is not a number",
            Self::NotTime => "is not a time (an integer and optionally s, m, h or d)",
            Self::NotBytes => "is not a size (an integer and optionally k, m or g)",
            Self::NotOneOf(words) => return write!(f, "is none of {}", words.join(", ")),
            Self::NotMark => "is not a mark ([!]mark[/mask])",
            Self::NotAttribute => "is not a value of this attribute",
        })
    }
}

impl std::error::Error for Problem {}

/// yes, true, enabled, 1 or no, false, disabled, 0, in any case.
///
/// # Errors
/// [`Problem::NotBool`] for anything else.
pub fn parse_bool(text: &str) -> Result<bool, Problem> {
    let is = |words: [&str; 4]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(["yes", "true", "enabled", "1"]) {
        Ok(true)
    } else if is(["no", "false", "disabled", "0"]) {
        Ok(false)
    } else {
        Err(Problem::NotBool)
    }
}

/// An integer: decimal, hexadecimal with 0x, or octal with a leading 0; a sign may stand before it.
///
/// # Errors
/// [`Problem::NotInteger`], or [`Problem::OutOfRange`] if the target type cannot hold it.
pub fn parse_int<T: TryFrom<i128>>(text: &str) -> Result<T, Problem> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let magnitude = magnitude(digits, Problem::NotInteger)?;
    let magnitude = i128::from(magnitude);
    T::try_from(if negative { -magnitude } else { magnitude }).map_err(|_| Problem::OutOfRange)
}

/// A decimal number, such as 1.8.
///
/// # Errors
/// [`Problem::NotNumber`] for anything else, infinities included.
pub fn parse_float(text: &str) -> Result<f64, Problem> {
    text.parse().ok().filter(|number: &f64| number.is_finite()).ok_or(Problem::NotNumber)
}

/// Seconds, or an integer with a unit: s, m, h or d, in any case.
///
/// # Errors
/// [`Problem::NotTime`], or [`Problem::OutOfRange`] beyond 2^64 seconds.
pub fn parse_time(text: &str) -> Result<Duration, Problem> {
    let (digits, unit) = split_unit(text);
    let seconds = match unit.to_ascii_lowercase().as_str() {
        "" | "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => return Err(Problem::NotTime),
    };
    let count = magnitude(digits, Problem::NotTime)?;
    count.checked_mul(seconds).map(Duration::from_secs).ok_or(Problem::OutOfRange)
}

/// Bytes, or an integer with a unit of powers of 1024: k, m or g, in any case. Too much is as much as fits.
///
/// # Errors
/// [`Problem::NotBytes`], or [`Problem::OutOfRange`] if the integer itself exceeds 2^64.
pub fn parse_bytes(text: &str) -> Result<u64, Problem> {
    let (digits, unit) = split_unit(text);
    let factor = match unit.to_ascii_lowercase().as_str() {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        _ => return Err(Problem::NotBytes),
    };
    Ok(magnitude(digits, Problem::NotBytes)?.saturating_mul(factor))
}

/// The items of a comma-separated list, blanks around them trimmed; empty items are left out.
pub fn split_list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// One of some words, in any case.
///
/// # Errors
/// [`Problem::NotOneOf`] for anything else.
pub fn parse_choice(text: &str, words: &'static [&'static str]) -> Result<&'static str, Problem> {
    words.iter().find(|word| text.eq_ignore_ascii_case(word)).copied().ok_or(Problem::NotOneOf(words))
}

/// A firewall mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Whether a leading `!` inverts the match.
    pub inverted: bool,
    /// The value.
    pub value: u32,
    /// Bits that count; all unless given.
    pub mask: u32,
}

/// A firewall mark, `[!]mark[/mask]`.
///
/// # Errors
/// [`Problem::NotMark`] for anything else.
pub fn parse_mark(text: &str) -> Result<Mark, Problem> {
    let (inverted, text) = match text.strip_prefix('!') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let (value, mask) = text.split_once('/').map_or((text, None), |(value, mask)| (value, Some(mask)));
    let number = |text: &str| parse_int::<u32>(text.trim()).map_err(|_| Problem::NotMark);
    Ok(Mark { inverted, value: number(value)?, mask: mask.map_or(Ok(u32::MAX), number)? })
}

fn magnitude(digits: &str, otherwise: Problem) -> Result<u64, Problem> {
    let (digits, radix) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => (hex, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (digits, 8),
        None => (digits, 10),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return Err(otherwise);
    }
    u64::from_str_radix(digits, radix).map_err(|_| Problem::OutOfRange)
}

/// Splits a trailing letter off a number. Hexadecimal digits stay with the number.
fn split_unit(text: &str) -> (&str, &str) {
    let is_hex = text.starts_with("0x") || text.starts_with("0X");
    let is_digit =
        |c: char| c.is_ascii_digit() || (is_hex && (c.is_ascii_hexdigit() || c == 'x' || c == 'X'));
    let end = text.find(|c| !is_digit(c)).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    (digits, unit.trim_start_matches(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_have_four_spellings_each() {
        for text in ["yes", "TRUE", "Enabled", "1"] {
            assert_eq!(parse_bool(text), Ok(true), "{text}");
        }
        for text in ["no", "false", "DISABLED", "0"] {
            assert_eq!(parse_bool(text), Ok(false), "{text}");
        }
        for text in ["", "on", "2", "yes "] {
            assert_eq!(parse_bool(text), Err(Problem::NotBool), "{text}");
        }
    }

    #[test]
    fn integers_have_three_bases_and_a_range() {
        assert_eq!(parse_int::<u32>("0xffffffff"), Ok(u32::MAX));
        assert_eq!(parse_int::<u32>("010"), Ok(8));
        assert_eq!(parse_int::<i8>("-1"), Ok(-1));
        assert_eq!(parse_int::<u8>("0"), Ok(0));
        assert_eq!(parse_int::<u8>("256"), Err(Problem::OutOfRange));
        assert_eq!(parse_int::<u8>("-1"), Err(Problem::OutOfRange));
        for text in ["", "0x", "08", "1 ", "--1", "+-1", "1e3", "99999999999999999999x"] {
            assert_eq!(parse_int::<u64>(text), Err(Problem::NotInteger), "{text}");
        }
        assert_eq!(parse_int::<u64>("99999999999999999999"), Err(Problem::OutOfRange));
    }

    #[test]
    fn times_are_seconds_unless_a_unit_says_otherwise() {
        let seconds = |text| parse_time(text).map(|time| time.as_secs());
        assert_eq!(seconds("90"), Ok(90));
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("3 m"), Ok(180));
        assert_eq!(seconds("4H"), Ok(14400));
        assert_eq!(seconds("1d"), Ok(86400));
        assert_eq!(seconds("0x10"), Ok(16));
        assert_eq!(seconds("0"), Ok(0));
        for text in ["", "s", "-1", "1w", "1 s s", "1.5s"] {
            assert_eq!(seconds(text), Err(Problem::NotTime), "{text}");
        }
        assert_eq!(seconds("18446744073709551615d"), Err(Problem::OutOfRange));
    }

    #[test]
    fn sizes_grow_by_1024_and_saturate() {
        assert_eq!(parse_bytes("5"), Ok(5));
        assert_eq!(parse_bytes("2k"), Ok(2048));
        assert_eq!(parse_bytes("3 M"), Ok(3 << 20));
        assert_eq!(parse_bytes("1G"), Ok(1 << 30));
        assert_eq!(parse_bytes("18446744073709551615g"), Ok(u64::MAX));
        assert_eq!(parse_bytes("1t"), Err(Problem::NotBytes));
    }

    #[test]
    fn marks_have_an_optional_mask_and_may_be_inverted() {
        assert_eq!(parse_mark("42"), Ok(Mark { inverted: false, value: 42, mask: u32::MAX }));
        assert_eq!(parse_mark("!0x10/0xf0"), Ok(Mark { inverted: true, value: 16, mask: 0xf0 }));
        for text in ["", "!", "x", "1/", "-1", "4294967296"] {
            assert_eq!(parse_mark(text), Err(Problem::NotMark), "{text}");
        }
    }

    #[test]
    fn a_word_may_be_written_in_any_case() {
        assert_eq!(parse_choice("MS", &["ms", "us"]), Ok("ms"));
        assert_eq!(
            parse_choice("ns", &["ms", "us"]).expect_err("no such word").to_string(),
            "is none of ms, us"
        );
    }

    #[test]
    fn numbers_are_finite() {
        assert_eq!(parse_float("1.8"), Ok(1.8));
        for text in ["", "inf", "NaN", "1,5", "1.8s"] {
            assert_eq!(parse_float(text), Err(Problem::NotNumber), "{text}");
        }
    }

    #[test]
    fn lists_split_at_commas() {
        assert_eq!(split_list(" a, b ,,c d ").collect::<Vec<_>>(), ["a", "b", "c d"]);
        assert_eq!(split_list("").count(), 0);
    }
}
