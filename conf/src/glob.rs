//! Shell patterns for one path component: `*`, `?`, `[a-z]`, `[!a-z]` and backslash escapes, as glob(7) has them.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Whether a path component has to be matched rather than just opened.
pub(crate) fn is_pattern(part: &Path) -> bool {
    part.as_os_str().as_bytes().iter().any(|byte| matches!(byte, b'*' | b'?' | b'[' | b'\\'))
}

/// Whether a name fits a pattern. A leading dot is matched by a dot only.
pub(crate) fn matches(pattern: &Path, name: &Path) -> bool {
    let (pattern, name) = (pattern.as_os_str().as_bytes(), name.as_os_str().as_bytes());
    if name.first() == Some(&b'.') && !matches!(pattern, [b'.', ..] | [b'\\', b'.', ..]) {
        return false;
    }
    fits(pattern, name)
}

/// Linear in time but for the last star, which is the only one that ever needs another try.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut rest, mut left) = (pattern, name);
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', after @ ..] = rest {
            retry = Some((after, left));
            rest = after;
            continue;
        }
        let step = match left {
            [] if rest.is_empty() => return true,
            [byte, name_after @ ..] => one(rest, *byte).map(|pattern_after| (pattern_after, name_after)),
            [] => None,
        };
        match (step, retry) {
            (Some((pattern_after, name_after)), _) => (rest, left) = (pattern_after, name_after),
            (None, Some((after, [_, shorter @ ..]))) => {
                retry = Some((after, shorter));
                (rest, left) = (after, shorter);
            }
            (None, _) => return false,
        }
    }
}

/// Matches one byte against the first element of a pattern; gives the rest of the pattern.
fn one(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    match pattern {
        [b'?', after @ ..] => Some(after),
        [b'[', set @ ..] => match in_set(set, byte) {
            Some((Member::Yes, after)) => Some(after),
            Some((Member::No, _)) => None,
            None => (byte == b'[').then_some(set),
        },
        [b'\\', escaped, after @ ..] => (*escaped == byte).then_some(after),
        [plain, after @ ..] => (*plain == byte).then_some(after),
        [] => None,
    }
}

enum Member {
    Yes,
    No,
}

/// Looks a byte up in a bracket expression; `None` if the bracket does not close.
fn in_set(set: &[u8], byte: u8) -> Option<(Member, &[u8])> {
    let (negated, mut rest) = match set {
        [b'!' | b'^', after @ ..] => (true, after),
        _ => (false, set),
    };
    let mut hit = false;
    let mut first = true;
    loop {
        match rest {
            [b']', after @ ..] if !first => {
                return Some((if hit == negated { Member::No } else { Member::Yes }, after));
            }
            [low, b'-', high, after @ ..] if *high != b']' => {
                hit |= (*low..=*high).contains(&byte);
                rest = after;
            }
            [b'\\', escaped, after @ ..] => {
                hit |= *escaped == byte;
                rest = after;
            }
            [plain, after @ ..] => {
                hit |= *plain == byte;
                rest = after;
            }
            [] => return None,
        }
        first = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_the_shell_does() {
        let cases: [(&str, &str, bool); 16] = [
            ("*.conf", "a.conf", true),
            ("*.conf", "a.conf~", false),
            ("*.conf", ".conf", false),
            (".*", ".conf", true),
            ("*", "", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("?", "x", true),
            ("?", "", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[]x]", "]", true),
            ("[ab", "[ab", true),
            ("a\\*", "a*", true),
            ("a\\*", "ab", false),
            ("*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(matches(Path::new(pattern), Path::new(name)), expected, "{pattern} {name}");
        }
    }
}
