//! Reading the settings again, on SIGHUP and by command.

use charon_conf::{FileSystem, Settings};
use charon_core::log::{Levels, LogHub, sinks_from_settings};
use charon_core::plugin::{SettingsHandle, daemon_section};
use charon_core::service::{BoxFuture, ReloadError, SettingsReload};
use tracing::{error, info};

use crate::cli::SettingsFile;

/// Puts new settings in place: as a whole, or not at all.
pub(crate) struct Reloader {
    file: SettingsFile,
    settings: SettingsHandle,
    log: LogHub,
    levels: Levels,
}

impl Reloader {
    pub(crate) const fn new(
        file: SettingsFile,
        settings: SettingsHandle,
        log: LogHub,
        levels: Levels,
    ) -> Self {
        Self { file, settings, log, levels }
    }

    /// Reads the file, then replaces settings and loggers.
    pub(crate) fn reload_now(&self) -> Result<(), ReloadError> {
        let failed = |why: String| {
            error!(target: "CFG", "{why}");
            ReloadError { file: self.file.path.display().to_string() }
        };
        let settings = match Settings::load(&FileSystem, &self.file.path) {
            Ok(settings) => settings,
            Err(error) if error.is_missing_file() && !self.file.is_explicit() => Settings::empty(),
            Err(error) => return Err(failed(error.picture())),
        };
        let sinks = sinks_from_settings(&daemon_section(&settings), self.levels).map_err(failed)?;
        self.log.set_sinks(sinks);
        self.settings.replace(settings);
        info!(target: "CFG", "settings are reloaded");
        Ok(())
    }
}

impl SettingsReload for Reloader {
    fn reload(&self) -> BoxFuture<'_, Result<(), ReloadError>> {
        Box::pin(async { self.reload_now() })
    }
}
