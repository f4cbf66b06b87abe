//! Single values: numbers, times, amounts, words, as strongSwan reads them.

use std::time::Duration;

use charon_types::connection::Action;
use charon_types::id::{IfId, Mark};
use charon_types::identity::Identity;
use charon_types::kernel_op::TfcPadding;
use charon_types::tag::{IfIdRule, MarkRule, SetMark};

/// Printable ASCII text.
pub(crate) fn text(value: &[u8]) -> Option<&str> {
    value.iter().all(|byte| (0x20..=0x7e).contains(byte)).then(|| std::str::from_utf8(value).ok())?
}

/// `yes true enabled 1` or `no false disabled 0` in any case.
pub(crate) fn boolean(value: &[u8]) -> Option<bool> {
    let text = text(value)?;
    let is = |word: &&str| text.eq_ignore_ascii_case(word);
    if ["yes", "true", "enabled", "1"].iter().any(is) {
        Some(true)
    } else if ["no", "false", "disabled", "0"].iter().any(is) {
        Some(false)
    } else {
        None
    }
}

/// A number as C reads it: `0x` for hexadecimal, a leading `0` for octal; with what follows it.
fn number(text: &str) -> Option<(u64, &str)> {
    let text = text.trim_start();
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) if digits.starts_with(|c: char| c.is_ascii_hexdigit()) => (digits, 16),
        _ if text.starts_with('0') => (text, 8),
        _ => (text, 10),
    };
    let end = digits.find(|c: char| !c.is_digit(radix)).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(end);
    if digits.is_empty() {
        return None;
    }
    // Too large is the largest, as C has it.
    Some((u64::from_str_radix(digits, radix).unwrap_or(u64::MAX), rest))
}

/// A whole number of 64 bits.
pub(super) fn unsigned64(value: &[u8]) -> Option<u64> {
    match number(text(value)?)? {
        (number, "") => Some(number),
        _ => None,
    }
}

/// A number that may be negative, as C reads it.
pub(crate) fn integer(value: &[u8]) -> Option<i64> {
    let text = text(value)?;
    if text.len() > INTEGER_LEN_MAX {
        return None;
    }
    let (digits, sign) = text.strip_prefix('-').map_or((text, 1), |digits| (digits, -1));
    let number = unsigned64(digits.as_bytes())?;
    Some(i64::try_from(number).unwrap_or(i64::MAX).saturating_mul(sign))
}

/// A whole number of 32 bits.
pub(super) fn unsigned(value: &[u8]) -> Option<u32> {
    u32::try_from(unsigned64(value)?).ok()
}

/// A UDP port.
pub(super) fn port(value: &[u8]) -> Option<u16> {
    u16::try_from(unsigned64(value)?).ok()
}

/// A number of seconds, or with `s`, `m`, `h`, `d` behind it.
pub(super) fn seconds(value: &[u8]) -> Option<u64> {
    let text = text(value)?;
    if text.len() > TIME_LEN_MAX {
        return None;
    }
    let (number, unit) = number(text)?;
    let factor = match unit.trim_start() {
        "" | "s" | "S" => 1,
        "m" | "M" => 60,
        "h" | "H" => 3600,
        "d" | "D" => 86_400,
        _ => return None,
    };
    Some(number.saturating_mul(factor))
}

/// As [`seconds`].
pub(super) fn time(value: &[u8]) -> Option<Duration> {
    seconds(value).map(Duration::from_secs)
}

/// A number of octets, or with `k`, `m`, `g` behind it for powers of 1024.
pub(super) fn octets(value: &[u8]) -> Option<u64> {
    let (number, unit) = number(text(value)?)?;
    let factor = match unit.trim_start() {
        "" => 1,
        "k" | "K" => 1 << 10,
        "m" | "M" => 1 << 20,
        "g" | "G" => 1 << 30,
        _ => return None,
    };
    Some(number.saturating_mul(factor))
}

/// An identity. UTF-8 beyond ASCII is refused, as strongSwan does.
pub(crate) fn identity(value: &[u8]) -> Option<Identity> {
    Identity::parse(text(value)?).ok()
}

/// `none`, `trap`, `start`, their older names, or several joined by `|`.
pub(super) fn action(value: &[u8]) -> Option<Action> {
    let mut action = Action::default();
    for word in text(value)?.split('|') {
        match word.trim().to_ascii_lowercase().as_str() {
            "none" | "clear" => {}
            "trap" | "route" | "hold" => action.trap = true,
            "start" | "restart" => action.start = true,
            _ => return None,
        }
    }
    Some(action)
}

/// A mark: `value[/mask]`, `%unique[/mask]` or `%unique-dir[/mask]`.
pub(super) fn mark(value: &[u8]) -> Option<MarkRule> {
    let (mark, mask) = masked(value)?;
    match mark {
        "%unique" => Some(MarkRule::Unique { mask }),
        "%unique-dir" => Some(MarkRule::UniqueDir { mask }),
        mark => fixed_mark(mark, mask).map(MarkRule::Fixed),
    }
}

/// A mark to be set: `value[/mask]` or `%same[/mask]`.
pub(super) fn set_mark(value: &[u8]) -> Option<SetMark> {
    match masked(value)? {
        ("%same", mask) => Some(SetMark::Same { mask }),
        (mark, mask) => fixed_mark(mark, mask).map(SetMark::Fixed),
    }
}

/// What stands before the mask, and the mask, all bits by default.
fn masked(value: &[u8]) -> Option<(&str, u32)> {
    let text = text(value)?;
    match text.split_once('/') {
        Some((mark, mask)) => Some((mark, unsigned(mask.as_bytes())?)),
        None => Some((text, u32::MAX)),
    }
}

fn fixed_mark(mark: &str, mask: u32) -> Option<Mark> {
    let value = unsigned(mark.as_bytes())? & mask;
    // Without a value, as without a mask, none is meant.
    Some(if value == 0 && mask == u32::MAX { Mark::default() } else { Mark { value, mask } })
}

/// An XFRM interface id: a number or `%unique`, `%unique-dir`.
pub(super) fn interface_id(value: &[u8]) -> Option<IfIdRule> {
    match value {
        b"%unique" => Some(IfIdRule::Unique),
        b"%unique-dir" => Some(IfIdRule::UniqueDir),
        _ => unsigned(value).map(|id| IfIdRule::Fixed(IfId(id))),
    }
}

/// Octets up to which packets are padded, or `mtu`.
pub(super) fn padding(value: &[u8]) -> Option<TfcPadding> {
    match value {
        b"mtu" => Some(TfcPadding::Mtu),
        _ => unsigned(value)
            .map(|octets| if octets == 0 { TfcPadding::None } else { TfcPadding::Octets(octets) }),
    }
}

/// The longest text that is read as a number.
const INTEGER_LEN_MAX: usize = 31;
/// The longest text that is read as a time.
const TIME_LEN_MAX: usize = 15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_c_does() {
        assert_eq!(unsigned(b"16"), Some(16));
        assert_eq!(unsigned(b"0x10"), Some(16));
        assert_eq!(unsigned(b"020"), Some(16));
        assert_eq!(unsigned(b"0"), Some(0));
        for wrong in [b"".as_slice(), b"abc", b"1x", b"-1", b"0x", b"08", b"4294967296"] {
            assert_eq!(unsigned(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn times_have_units_in_any_case_and_after_spaces() {
        assert_eq!(seconds(b"30 s"), Some(30));
        assert_eq!(seconds(b"4h"), Some(14_400));
        assert_eq!(seconds(b"1D"), Some(86_400));
        assert_eq!(seconds(b"2 m"), Some(120));
        for wrong in [b"".as_slice(), b"abc", b"1w", b"1 h x", b"0000000000000001"] {
            assert_eq!(seconds(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn amounts_have_units_of_1024_and_do_not_wrap() {
        assert_eq!(octets(b"2 G"), Some(2_147_483_648));
        assert_eq!(octets(b"1k"), Some(1024));
        assert_eq!(octets(b"18446744073709551615g"), Some(u64::MAX));
        assert_eq!(octets(b"1t"), None);
    }

    #[test]
    fn actions_combine_and_have_older_names() {
        assert_eq!(action(b"trap | START"), Some(Action { trap: true, start: true }));
        assert_eq!(action(b"clear"), Some(Action::default()));
        assert_eq!(action(b"restart"), Some(Action { trap: false, start: true }));
        assert_eq!(action(b"bogus"), None);
    }

    #[test]
    fn a_mark_is_masked_and_its_mask_is_complete_by_default() {
        let fixed = |value, mask| Some(MarkRule::Fixed(Mark { value, mask }));
        assert_eq!(mark(b"0/0"), fixed(0, 0));
        assert_eq!(mark(b"0x2a"), fixed(42, u32::MAX));
        assert_eq!(mark(b"1/0"), fixed(0, 0));
        assert_eq!(mark(b"0x1ff/0xff"), fixed(0xff, 0xff));
        assert_eq!(mark(b"%unique/0xff"), Some(MarkRule::Unique { mask: 0xff }));
        assert_eq!(mark(b"%unique-dir"), Some(MarkRule::UniqueDir { mask: u32::MAX }));
        assert_eq!(set_mark(b"%same/0xf0"), Some(SetMark::Same { mask: 0xf0 }));
        for wrong in [b"x".as_slice(), b"%same", b"%unique/x", b"%uniquely", b"1/2/3", b"/1"] {
            assert_eq!(mark(wrong), None, "{wrong:?}");
        }
        assert_eq!(set_mark(b"%unique"), None);
    }
}
