//! The settings as stored: reading them, and what is wrong with them.

use charon_conf::{FileSystem, Settings};
use charon_core::log::logger_faults;
use charon_core::plugin::{daemon_section, daemon_settings};
use charon_vici::Address;

use crate::cli::SettingsFile;
use crate::load_line::Selection;

/// Reads the settings. That the default file is missing is fine; a file asked for must be there.
///
/// # Errors
/// Why not, with the place and its line.
pub(crate) fn read(file: &SettingsFile) -> Result<Settings, String> {
    match Settings::load(&FileSystem, &file.path) {
        Ok(settings) => Ok(settings),
        Err(error) if error.is_missing_file() && !file.is_explicit() => Ok(Settings::empty()),
        Err(error) => Err(format!("{error}\n{}", error.picture()).trim_end().to_owned()),
    }
}

/// All values that the daemon cannot work with, each with file, line and key.
pub(crate) fn faults(settings: &Settings) -> Vec<String> {
    let notices = charon_conf::check(settings);
    let mut faults: Vec<String> =
        notices.iter().filter(|notice| notice.is_fault()).map(ToString::to_string).collect();
    faults.extend(Selection::of(&daemon_section(settings)).err());
    let daemon = daemon_settings(settings);
    faults.extend(logger_faults(&daemon));
    for key in SOCKETS {
        if let Ok(Some(text)) = daemon.text(key)
            && let Err(error) = Address::parse_list(text)
        {
            let place = daemon.view().value(key).map(|value| value.location().to_string());
            faults.push(format!("{}: {key}: '{text}': {error}", place.unwrap_or_default()));
        }
    }
    faults.dedup();
    faults
}

const SOCKETS: [&str; 2] = ["plugins.vici.socket", "plugins.vici.readonly_socket"];
