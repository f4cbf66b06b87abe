//! Loading and unloading connections, with their start actions.

use std::fmt;
use std::sync::Arc;

use charon_pki::Certificate;
use charon_types::connection::Connection;
use tracing::info;

use super::Control;
use super::start_action::Changes;
use crate::config::Loading;

/// Why a connection was not unloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnloadError {
    /// There is none of that name.
    NotFound(String),
}

impl fmt::Display for UnloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(name) => write!(f, "unload: connection '{name}' not found"),
        }
    }
}

impl std::error::Error for UnloadError {}

impl Control {
    /// Loads a connection: new, or in place of the one of its name. What did not change keeps its SAs. Traps and shunts are
    /// there when it returns; children that start by themselves are begun, not waited for; SAs that such children had
    /// before end.
    pub async fn load_connection(&self, connection: Connection) {
        self.keep_certificates(&connection);
        let name = Arc::clone(&connection.name);
        let old = match self.connections.load(connection) {
            Loading::Unchanged => return,
            Loading::Added => {
                info!(target: "CFG", "added vici connection: {name}");
                None
            }
            Loading::Replaced(old) => {
                info!(target: "CFG", "updated vici connection: {name}");
                Some(old)
            }
        };
        if let Some(new) = self.connections.by_name(&name) {
            let mut changes = Changes::between(old.as_deref(), Some(&new));
            changes.apply_policies(&self.policies, &name).await;
            changes.carry_out(&self.engine, &name);
        }
    }

    /// Unloads a connection. SAs of children that start by themselves end; others stay up.
    ///
    /// # Errors
    /// [`UnloadError::NotFound`]
    pub async fn unload_connection(&self, name: &str) -> Result<(), UnloadError> {
        let old = self.connections.unload(name).ok_or_else(|| UnloadError::NotFound(name.to_owned()))?;
        info!(target: "CFG", "removed vici connection: {name}");
        let mut changes = Changes::between(Some(&old), None);
        changes.apply_policies(&self.policies, name).await;
        changes.carry_out(&self.engine, name);
        Ok(())
    }

    /// The certificates that a connection brings are known to all, as if they had been loaded by themselves.
    fn keep_certificates(&self, connection: &Connection) {
        for auth in connection.local.iter().chain(&connection.remote) {
            for der in auth.certs.iter().chain(&auth.cacerts) {
                if let Ok(certificate) = Certificate::from_der(der) {
                    self.credentials.add_certificate(certificate);
                }
            }
        }
    }
}
