//! Compares settings with the table of options, so that nothing set in vain stays unnoticed.

use std::fmt;

use crate::options::{self, Configured, Opt, Program, Status};
use crate::{Location, Settings, ValueError, View};

/// Something in strongswan.conf that will not do what its author hopes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// A key or section that is not in the table.
    Unknown {
        /// Where it was written.
        location: Location,
        /// Its path from the root.
        path: String,
    },
    /// A key that is accepted but has no effect.
    NoMeaning {
        /// Where it was written.
        location: Location,
        /// Its path from the root.
        path: String,
        /// Why it has none.
        reason: &'static str,
    },
    /// A value that is not of the type of its key.
    Invalid(ValueError),
    /// Two values that cannot both be.
    Contradiction {
        /// Where one of them was written.
        location: Location,
        /// Its path from the root.
        path: String,
        /// What is wrong, as a clause.
        problem: &'static str,
    },
}

impl Notice {
    /// Whether the daemon cannot work with such settings.
    pub fn is_fault(&self) -> bool {
        match self {
            Self::Unknown { .. } | Self::NoMeaning { .. } => false,
            Self::Invalid(_) | Self::Contradiction { .. } => true,
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { location, path } => write!(f, "{location}: {path} is unknown"),
            Self::NoMeaning { location, path, reason } => {
                write!(f, "{location}: {path} has no effect: {reason}")
            }
            Self::Invalid(error) => error.fmt(f),
            Self::Contradiction { location, path, problem } => write!(f, "{location}: {path} {problem}"),
        }
    }
}

/// What in the sections of the daemon and the command is unknown, without effect, not of its type or contradictory.
/// Sections of other programs are not looked at.
pub fn check(settings: &Settings) -> Vec<Notice> {
    let mut notices = Vec::new();
    for program in [Program::Daemon, Program::Swanctl] {
        for name in program.sections() {
            if let Some(view) = settings.section(name) {
                walk(&view, program, &mut Vec::new(), &mut notices);
            }
        }
    }
    notices.extend(contradictions(&Configured::new(settings, Program::Daemon)));
    notices
}

/// Pairs of values of the daemon that exclude each other. What is not of its type was told before.
fn contradictions(daemon: &Configured<'_>) -> Vec<Notice> {
    let int = |path| daemon.int::<u32>(path).ok();
    let mut found = Vec::new();
    let mut contradiction = |paths: [&'static str; 2], problem| {
        if let Some((path, value)) = paths.into_iter().rev().find_map(|path| daemon.view().find(path)) {
            found.push(Notice::Contradiction { location: value.location(), path, problem });
        }
    };
    if int("port").is_some_and(|port| port != 0 && int("port_nat_t") == Some(port)) {
        contradiction(["port", "port_nat_t"], "must differ from the other port");
    }
    if int("spi_min").zip(int("spi_max")).is_some_and(|(min, max)| min > max) {
        contradiction(["spi_min", "spi_max"], "leaves no SPI: spi_min is above spi_max");
    }
    found
}

/// The table bounds the depth: no unknown section is entered, so that references in a circle come to an end.
fn walk<'a>(view: &View<'a>, program: Program, path: &mut Vec<&'a str>, notices: &mut Vec<Notice>) {
    for (key, value) in view.keys() {
        path.push(key);
        match options::find(program, path) {
            None => notices.push(Notice::Unknown { location: value.location(), path: below(view, key) }),
            Some(Opt { status: Status::NoMeaning(reason), .. }) => {
                notices.push(Notice::NoMeaning {
                    location: value.location(),
                    path: below(view, key),
                    reason,
                });
            }
            Some(option) => {
                let fault = view.typed(key, |text| option.kind.check(text)).err();
                notices.extend(fault.map(Notice::Invalid));
            }
        }
        path.pop();
    }
    for section in view.sections() {
        path.push(section.name());
        if options::is_section(program, path) {
            walk(&section, program, path, notices);
        } else if let Some(location) =
            section.location().filter(|_| holds_something(&section, EMPTY_DEPTH_MAX))
        {
            let path = below(view, section.name());
            notices.push(Notice::Unknown { location, path });
        }
        path.pop();
    }
}

/// Packaged files hold empty sections with commented keys, which are nothing to speak of.
fn holds_something(view: &View<'_>, depth: usize) -> bool {
    view.keys().next().is_some()
        || depth == 0
        || view.sections().any(|inner| holds_something(&inner, depth - 1))
}

/// How deep a section is looked into for being empty; references in a circle end here.
const EMPTY_DEPTH_MAX: usize = 4;

fn below(view: &View<'_>, name: &str) -> String {
    format!("{}.{name}", view.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notices(text: &str) -> Vec<String> {
        let settings = Settings::parse("s.conf", text.as_bytes()).expect("the test writes valid settings");
        check(&settings).iter().map(Notice::to_string).collect()
    }

    #[test]
    fn a_file_of_effective_settings_gives_no_notice() {
        let text = "charon {\n retransmit_tries = 3\n filelog { f { path = /var/log/x\n ike = 2 } }\n}\nlibtls { x = y }";
        assert_eq!(notices(text), [""; 0]);
    }

    #[test]
    fn unknown_ineffective_and_mistyped_keys_are_named_with_their_line() {
        let text = "charon {\n  retransmit_tires = 3\n  cisco_unity = yes\n  port = ike\n  plugin { a = b }\n  port_nat_t = 65536\n  filelog { x { time_precision = ns\n default = 5 } }\n}";
        assert_eq!(
            notices(text),
            [
                "s.conf:2: charon.retransmit_tires is unknown",
                "s.conf:3: charon.cisco_unity has no effect: IKEv1 is not supported",
                "s.conf:4: charon.port: 'ike' is not an integer",
                "s.conf:6: charon.port_nat_t: '65536' is out of range",
                "s.conf:5: charon.plugin is unknown",
                "s.conf:7: charon.filelog.x.time_precision: 'ns' is none of ms, us",
                "s.conf:8: charon.filelog.x.default: '5' is out of range",
            ]
        );
    }

    #[test]
    fn values_that_exclude_each_other_are_faults() {
        assert_eq!(
            notices("charon {\n port = 4500\n spi_max = 0x1000 }"),
            [
                "s.conf:2: charon.port must differ from the other port",
                "s.conf:3: charon.spi_max leaves no SPI: spi_min is above spi_max",
            ]
        );
        assert_eq!(notices("charon {\n port = 0\n port_nat_t = 0 }"), [""; 0]);
    }

    #[test]
    fn empty_sections_are_nothing_to_speak_of() {
        assert_eq!(notices("charon { tnc { }\n plugins { x { servers { } } } }"), [""; 0]);
        assert_eq!(notices("charon { tnc { a { b = c } } }"), ["s.conf:1: charon.tnc is unknown"]);
    }

    #[test]
    fn references_in_a_circle_come_to_an_end() {
        let text = "charon { plugins : charon { plugins : charon { } } }";
        assert_eq!(notices(text), ["s.conf:1: charon.plugins.plugins.plugins is unknown"]);
    }
}
