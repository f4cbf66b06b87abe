//! Where the configuration lies: strongswan.conf for the address of the daemon, swanctl.conf and the directories of
//! credentials beside it.

use std::env;
use std::io::Write;
use std::path::{Path, PathBuf};

use charon_conf::{FileSystem, Settings};
use vici::Uri;

use crate::args::Options;
use crate::failure::Failure;

const DIRECTORY: &str = "/etc/swanctl";
const STRONGSWAN_CONF: &str = "/etc/strongswan.conf";

/// The address of the daemon: as given, else as strongswan.conf has it, else the usual one.
pub(crate) fn uri(given: Option<&str>, err: &mut dyn Write) -> Result<Uri, Failure> {
    let parse = |text: &str| {
        text.parse().map_err(|error| Failure::Misuse(format!("connecting to '{text}' URI failed: {error}")))
    };
    if let Some(text) = given {
        return parse(text);
    }
    let path = env::var_os("STRONGSWAN_CONF").map_or_else(|| PathBuf::from(STRONGSWAN_CONF), PathBuf::from);
    let settings = match Settings::load(&FileSystem, &path) {
        Ok(settings) => settings,
        Err(error) if error.is_missing_file() => return Ok(Uri::default()),
        Err(error) => {
            // A mistake in the daemon's settings should not keep its user from talking to it.
            writeln!(err, "{error}\n{}using the default socket", error.picture())?;
            return Ok(Uri::default());
        }
    };
    let root = settings.root();
    for key in ["swanctl.socket", "swanctl.plugins.vici.socket"] {
        if let Some(value) = root.value(key) {
            return parse(&String::from_utf8_lossy(value.as_bytes()));
        }
    }
    Ok(Uri::default())
}

/// A loaded swanctl.conf.
pub(crate) struct Config {
    pub(crate) settings: Settings,
    /// The file itself.
    pub(crate) path: PathBuf,
    /// What relative names of credential files are relative to.
    pub(crate) directory: PathBuf,
}

impl Config {
    /// Loads the file given by `--file`, else swanctl.conf below `SWANCTL_DIR` or /etc/swanctl.
    pub(crate) fn load(options: &Options) -> Result<Self, Failure> {
        let path = match options.value("file") {
            Some(file) => PathBuf::from(file),
            None => {
                let directory = env::var_os("SWANCTL_DIR");
                directory.map_or_else(|| PathBuf::from(DIRECTORY), PathBuf::from).join("swanctl.conf")
            }
        };
        Self::read(&path)
    }

    /// Loads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let settings = Settings::load(&FileSystem, path).map_err(|error| Failure::settings(&error))?;
        let directory = path.parent().unwrap_or_else(|| Path::new("")).to_owned();
        Ok(Self { settings, path: path.to_owned(), directory })
    }
}
