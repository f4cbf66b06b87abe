//! Reading the settings again.

use std::fmt;

use super::BoxFuture;

/// Reads the settings file again and puts its values into effect where they can change while the daemon runs.
pub trait SettingsReload: Send + Sync {
    /// Ready when the new values are in effect, or with the reason why the old ones stay.
    fn reload(&self) -> BoxFuture<'_, Result<(), ReloadError>>;
}

/// Why the old settings stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReloadError {
    /// The file.
    pub file: String,
}

impl fmt::Display for ReloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "reloading '{}' failed", self.file)
    }
}

impl std::error::Error for ReloadError {}
