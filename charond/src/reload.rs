//! Reading the settings again, on SIGHUP and by command.

use charon_conf::Settings;
use charon_core::log::{Levels, LogHub, sinks_from_settings};
use charon_core::plugin::{SettingsHandle, daemon_settings};
use charon_core::service::{BoxFuture, ReloadError, SettingsReload};
use tracing::{error, info};

use crate::cli::{LevelOptions, SettingsFile};
use crate::stored;

/// Puts new settings in place: as a whole, or not at all.
pub(crate) struct Reloader {
    file: SettingsFile,
    settings: SettingsHandle,
    log: LogHub,
    levels: LevelOptions,
}

impl Reloader {
    pub(crate) const fn new(
        file: SettingsFile,
        settings: SettingsHandle,
        log: LogHub,
        levels: LevelOptions,
    ) -> Self {
        Self { file, settings, log, levels }
    }

    /// Reads the file, then replaces settings and loggers. A file with faults changes nothing.
    pub(crate) fn reload_now(&self) -> Result<(), ReloadError> {
        let failed = |why: String| {
            error!(target: "CFG", "{why}");
            ReloadError { file: self.file.path.display().to_string() }
        };
        let settings = stored::read(&self.file).map_err(failed)?;
        let faults = stored::faults(&settings);
        if !faults.is_empty() {
            return Err(failed(faults.join("\n")));
        }
        self.open_logs(&settings).map_err(failed)?;
        self.settings.replace(settings);
        info!(target: "CFG", "settings are reloaded");
        Ok(())
    }

    /// Opens the loggers of the settings in place of those before; all or none.
    pub(crate) fn open_logs(&self, settings: &Settings) -> Result<(), String> {
        let settings = daemon_settings(settings);
        let journal = Levels::of_logger(&settings, "journal").map_err(|error| error.to_string())?;
        self.log.set_sinks(sinks_from_settings(&settings, self.levels.over(journal))?);
        Ok(())
    }
}

impl SettingsReload for Reloader {
    fn reload(&self) -> BoxFuture<'_, Result<(), ReloadError>> {
        Box::pin(async { self.reload_now() })
    }
}
