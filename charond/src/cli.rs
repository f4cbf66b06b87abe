//! Command line.

use std::path::PathBuf;

use charon_core::log::Levels;
use charon_types::event::LogGroup;
use charon_vici::Address;
use clap::{Parser, Subcommand};

use crate::DEFAULT_SETTINGS;

/// IKEv2 daemon, configured by swanctl over VICI.
#[derive(Debug, Parser)]
#[command(name = "charond", version, about, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) tool: Option<Tool>,
    /// Settings file instead of $STRONGSWAN_CONF or /etc/strongswan.conf
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// VICI socket instead of the configured one, as unix://PATH, tcp://HOST:PORT, vsock://CID:PORT or systemd://NAME
    #[arg(long, value_name = "URI")]
    pub(crate) socket: Option<Address>,
    /// Print what would load, in order, and what not, and end
    #[arg(long)]
    pub(crate) plan: bool,
    /// Check the settings and end, with an error if there is a fault
    #[arg(long)]
    pub(crate) check: bool,
    #[command(flatten)]
    pub(crate) levels: LevelOptions,
}

/// What is done instead of serving.
#[derive(Debug, Subcommand)]
pub(crate) enum Tool {
    /// Make or check an entry of `users` in rVRRPd's configuration file
    RvrrpdPw(RvrrpdPw),
    /// Make an XFRM interface for route-based tunnels, or list all
    Xfrmi(Xfrmi),
}

/// An interface to make; without a name all are listed.
#[derive(Debug, clap::Args)]
pub(crate) struct Xfrmi {
    /// Name of the new interface
    #[arg(long, requires = "id")]
    pub(crate) name: Option<String>,
    /// Its id, that of `if_id_in` and `if_id_out` of children: a number, or 0x and hexadecimal digits
    #[arg(long, requires = "name", value_parser = if_id)]
    pub(crate) id: Option<u32>,
    /// The interface below it
    #[arg(long, requires = "name")]
    pub(crate) dev: Option<String>,
    /// List all, which is what is done without a name
    #[arg(long, conflicts_with_all = ["name", "id", "dev"])]
    list: bool,
}

fn if_id(text: &str) -> Result<u32, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    match parsed {
        Ok(0) | Err(_) => Err("an id is a number from 1 to 4294967295".to_owned()),
        Ok(id) => Ok(id),
    }
}

/// An entry to make or to check.
#[derive(Debug, clap::Args)]
pub(crate) struct RvrrpdPw {
    /// Name of the user, 1 to 64 letters and digits
    #[arg(required_unless_present = "check")]
    pub(crate) user: Option<String>,
    /// Password; by default the first line of standard input, which no other user of the host can see
    pub(crate) password: Option<String>,
    /// How the password is kept: sha256 or scrypt
    #[arg(default_value = "sha256")]
    pub(crate) algorithm: String,
    /// Check the password of this entry instead; exit status 0 if it is right
    #[arg(long, value_name = "ENTRY")]
    pub(crate) check: Option<String>,
}

/// Log levels of standard error as given; they win over the settings.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct LevelOptions {
    /// Log level of all groups: -1 silent, 0 audit, 1 control (default), 2 more, 3 raw
    #[arg(long, value_name = "LEVEL", allow_negative_numbers = true, value_parser = clap::value_parser!(i8).range(-1..=4))]
    debug: Option<i8>,
    #[command(flatten)]
    groups: GroupLevels,
}

macro_rules! group_options {
    ($($field:ident $group:ident;)*) => {
        /// Log level of one group.
        #[derive(Clone, Debug, clap::Args)]
        struct GroupLevels {
            $(#[arg(long = concat!("debug-", stringify!($field)), value_name = "LEVEL", allow_negative_numbers = true,
                hide = true, value_parser = clap::value_parser!(i8).range(-1..=4))]
            $field: Option<i8>,)*
        }

        impl GroupLevels {
            fn given(&self) -> impl Iterator<Item = (LogGroup, i8)> {
                [$((LogGroup::$group, self.$field)),*].into_iter().filter_map(|(group, level)| Some((group, level?)))
            }
        }
    };
}

group_options! {
    dmn Dmn; mgr Mgr; ike Ike; chd Chd; job Job; wch Wch; cfg Cfg; knl Knl; net Net; asn Asn; enc Enc; tnc Tnc; imc Imc;
    imv Imv; pts Pts; tls Tls; app App; esp Esp; lib Lib;
}

/// A settings file, and who named it.
#[derive(Clone, Debug)]
pub(crate) struct SettingsFile {
    pub(crate) path: PathBuf,
    pub(crate) source: Source,
}

/// Who named a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Nobody.
    Default,
    /// The user.
    Explicit,
}

impl SettingsFile {
    pub(crate) fn is_explicit(&self) -> bool {
        self.source == Source::Explicit
    }
}

impl Arguments {
    /// `--config`, else the environment, else the default.
    pub(crate) fn settings_file(&self) -> SettingsFile {
        let named = self.config.clone().or_else(|| std::env::var_os("STRONGSWAN_CONF").map(PathBuf::from));
        named.map_or_else(|| DEFAULT_SETTINGS.into(), |path| SettingsFile { path, source: Source::Explicit })
    }
}

impl LevelOptions {
    /// What the settings say, changed by what was given.
    pub(crate) fn over(&self, settings: Levels) -> Levels {
        let mut levels = self.debug.map_or(settings, Levels::all);
        for (group, level) in self.groups.given() {
            levels.set(group, level);
        }
        levels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_take_the_general_level_unless_they_have_their_own() {
        let arguments = Arguments::parse_from(["charond", "--debug", "-1", "--debug-ike", "2"]);
        let levels = arguments.levels.over(Levels::all(3));
        assert_eq!((levels.get(LogGroup::Ike), levels.get(LogGroup::Net)), (2, -1));
        let arguments = Arguments::parse_from(["charond", "--debug-ike", "2"]);
        let levels = arguments.levels.over(Levels::all(3));
        assert_eq!((levels.get(LogGroup::Ike), levels.get(LogGroup::Net)), (2, 3));
    }
}
