//! Traps and shunts by name.

use std::fmt;

use tracing::error;

use super::Control;

/// Why a policy was not installed or removed. The texts are those that clients of strongSwan know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyError {
    /// No child was named.
    MissingName,
    /// No such configuration.
    NotFound,
    /// It failed; the log says why.
    Failed(String),
    /// There is no such policy.
    NotInstalled(String),
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingName => f.write_str("missing configuration name"),
            Self::NotFound => f.write_str("configuration name not found"),
            Self::Failed(child) => write!(f, "installing policy '{child}' failed"),
            Self::NotInstalled(child) => write!(f, "policy '{child}' not found"),
        }
    }
}

impl std::error::Error for PolicyError {}

impl Control {
    /// Installs the trap or shunt of a child: the first one of that name, or that of the connection named.
    ///
    /// # Errors
    /// [`PolicyError`]
    pub async fn install(&self, ike: Option<&str>, child: Option<&str>) -> Result<(), PolicyError> {
        let name = child.ok_or(PolicyError::MissingName)?;
        let (connection, child) = self.connections.child(ike, name).ok_or(PolicyError::NotFound)?;
        self.policies.install(&connection, &child).await.map_err(|why| {
            error!(target: "CFG", "installing policy '{name}' failed: {why}");
            PolicyError::Failed(name.to_owned())
        })
    }

    /// Removes the trap or shunt of a child.
    ///
    /// # Errors
    /// [`PolicyError`]
    pub async fn uninstall(&self, ike: Option<&str>, child: Option<&str>) -> Result<(), PolicyError> {
        let name = child.ok_or(PolicyError::MissingName)?;
        let removed = self.policies.uninstall(ike, name).await;
        if removed { Ok(()) } else { Err(PolicyError::NotInstalled(name.to_owned())) }
    }
}
