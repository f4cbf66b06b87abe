//! The one table of the keys of strongswan.conf: what they are called, hold, default to and mean.
//!
//! Defaults, the notices at start, the manual page and the reference page all come from here.

mod configured;
mod ike;
mod logging;
mod network;
mod plugins;
mod process;
pub mod swanctl_conf;

use std::fmt;

pub use configured::Configured;

use crate::scalar::{self, Problem};

/// A key of strongswan.conf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opt {
    /// The program whose sections hold the key.
    pub program: Program,
    /// The path below the program's section; `<name>` stands for any one name.
    pub path: &'static str,
    /// What the value is.
    pub kind: Kind,
    /// The default as it would be written; empty if there is none.
    pub default: &'static str,
    /// What the number counts.
    pub unit: Unit,
    /// Whether setting it has an effect.
    pub status: Status,
    /// What it does, as a clause.
    pub meaning: &'static str,
}

/// Whose settings a key belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// The daemon: sections `charond`, `charon-systemd`, `charon`.
    Daemon,
    /// The command: section `swanctl`.
    Swanctl,
}

impl Program {
    /// The top-level sections read, the first ones winning.
    pub fn sections(self) -> &'static [&'static str] {
        match self {
            Self::Daemon => &["charond", "charon-systemd", "charon"],
            Self::Swanctl => &["swanctl"],
        }
    }
}

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// yes or no.
    Bool,
    /// An integer within these bounds.
    Int {
        /// The least.
        min: i64,
        /// The greatest.
        max: i64,
    },
    /// A decimal number above zero.
    Float,
    /// An integer of seconds with an optional unit.
    Time,
    /// An integer of bytes with an optional unit.
    Size,
    /// Text.
    Text,
    /// A comma or space separated list.
    List,
    /// One of these words, in any case.
    Choice(&'static [&'static str]),
    /// A firewall mark, `[!]mark[/mask]`.
    Mark,
}

impl Kind {
    /// Whether a text is a value of this kind.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(self, text: &str) -> Result<(), Problem> {
        match self {
            Self::Bool => scalar::parse_bool(text).map(drop),
            Self::Int { min, max } => match scalar::parse_int::<i64>(text)? {
                number if (min..=max).contains(&number) => Ok(()),
                _ => Err(Problem::OutOfRange),
            },
            Self::Float => match scalar::parse_float(text)? {
                number if number > 0.0 => Ok(()),
                _ => Err(Problem::OutOfRange),
            },
            Self::Time => scalar::parse_time(text).map(drop),
            Self::Size => scalar::parse_bytes(text).map(drop),
            Self::Choice(words) => scalar::parse_choice(text, words).map(drop),
            Self::Mark => scalar::parse_mark(text).map(drop),
            Self::Text | Self::List => Ok(()),
        }
    }
}

/// A number of things.
const COUNT: Kind = Kind::Int { min: 0, max: u32::MAX as i64 };
/// A UDP port.
const PORT: Kind = Kind::Int { min: 0, max: u16::MAX as i64 };
/// A log level.
const LEVEL: Kind = Kind::Int { min: -1, max: 4 };

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool => "yes or no",
            Self::Int { .. } => "integer",
            Self::Float => "number",
            Self::Time => "time",
            Self::Size => "size",
            Self::Text => "text",
            Self::List => "list",
            Self::Choice(words) => return f.write_str(&words.join(", ")),
            Self::Mark => "mark",
        })
    }
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Nothing in particular.
    None,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Bytes.
    Bytes,
    /// Bits.
    Bits,
    /// Packets.
    Packets,
    /// Hundredths.
    Percent,
    /// IKE SAs.
    IkeSas,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "",
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::Bytes => "bytes",
            Self::Bits => "bits",
            Self::Packets => "packets",
            Self::Percent => "%",
            Self::IkeSas => "IKE SAs",
        })
    }
}

/// Whether setting a key has an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The program acts on it.
    Effective,
    /// Accepted, so that an existing file stays usable, and named once at start. With the reason.
    NoMeaning(&'static str),
}

/// All options, grouped by subject.
pub fn all() -> impl Iterator<Item = &'static Opt> {
    groups().into_iter().flat_map(|(_, options)| options)
}

/// The options by subject, for manuals.
pub fn groups() -> [(&'static str, &'static [Opt]); 5] {
    [
        ("IKE", ike::OPTIONS),
        ("Network and kernel", network::OPTIONS),
        ("Plugins", plugins::OPTIONS),
        ("Process", process::OPTIONS),
        ("Logging", logging::OPTIONS),
    ]
}

/// The option at a path below a program's section.
pub fn find(program: Program, path: &[&str]) -> Option<&'static Opt> {
    all()
        .filter(|option| option.program == program)
        .find(|option| option.path.split('.').count() == path.len() && fits(option.path, path))
}

/// Whether some option lies below a path.
pub fn is_section(program: Program, path: &[&str]) -> bool {
    all()
        .filter(|option| option.program == program)
        .any(|option| option.path.split('.').count() > path.len() && fits(option.path, path))
}

fn fits(pattern: &str, path: &[&str]) -> bool {
    pattern.split('.').zip(path).all(|(wanted, name)| match wanted {
        "<facility>" => FACILITIES.contains(name),
        _ => wanted.starts_with('<') || wanted == *name,
    })
}

/// Facilities of the system log that a logger may have.
const FACILITIES: &[&str] = &["daemon", "auth"];

/// A row of the daemon's tables.
const fn daemon(
    path: &'static str,
    kind: Kind,
    default: &'static str,
    unit: Unit,
    status: Status,
    meaning: &'static str,
) -> Opt {
    Opt { program: Program::Daemon, path, kind, default, unit, status, meaning }
}

/// A row for the command.
const fn swanctl(
    path: &'static str,
    kind: Kind,
    default: &'static str,
    unit: Unit,
    status: Status,
    meaning: &'static str,
) -> Opt {
    Opt { program: Program::Swanctl, path, kind, default, unit, status, meaning }
}

const IKEV1: Status = Status::NoMeaning("IKEv1 is not supported");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_value_of_its_type() {
        for option in all().filter(|option| !option.default.is_empty()) {
            assert_eq!(option.kind.check(option.default), Ok(()), "{} = {}", option.path, option.default);
        }
    }

    #[test]
    fn no_option_is_listed_twice() {
        let mut seen = std::collections::HashSet::new();
        for option in all() {
            assert!(seen.insert((option.program == Program::Daemon, option.path)), "{}", option.path);
        }
    }

    #[test]
    fn placeholders_stand_for_one_name() {
        let path = |path| find(Program::Daemon, path).map(|option| option.path);
        assert_eq!(path(&["filelog", "any", "path"]), Some("filelog.<name>.path"));
        assert_eq!(path(&["filelog", "path"]), None);
        assert!(is_section(Program::Daemon, &["filelog"]));
        assert!(!is_section(Program::Daemon, &["threads"]));
    }
}
