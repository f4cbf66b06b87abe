//! Bringing an SA up by name.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use charon_types::connection::{ChildConfig, Connection};

use super::{Control, LogLevel, Patience, Running};
use crate::service::ike_engine::Initiate;

/// What to initiate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitiateRequest {
    /// Name of the connection: alone for an IKE_SA without child, with `child` to look only there.
    pub ike: Option<String>,
    /// Name of the child.
    pub child: Option<String>,
    /// How long to wait.
    pub patience: Patience,
    /// Level of the log lines streamed.
    pub level: LogLevel,
}

/// What was to be brought up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An IKE_SA alone.
    Ike,
    /// A CHILD_SA.
    Child,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ike => "IKE_SA",
            Self::Child => "CHILD_SA",
        })
    }
}

/// Why nothing came up. The texts are those that clients of strongSwan know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InitiateError {
    /// Neither connection nor child was named.
    MissingName,
    /// No such configuration.
    NotFound(Kind, String),
    /// Not up in time; the attempt goes on.
    Timeout(Kind, String, Duration),
    /// It failed; the log says why.
    Failed(Kind, String),
}

impl fmt::Display for InitiateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingName => f.write_str("missing configuration name"),
            Self::NotFound(kind, name) => write!(f, "{kind} config '{name}' not found"),
            Self::Timeout(kind, name, limit) => {
                write!(f, "{kind} '{name}' not established after {}ms", limit.as_millis())
            }
            Self::Failed(kind, name) => write!(f, "establishing {kind} '{name}' failed"),
        }
    }
}

impl std::error::Error for InitiateError {}

impl Control {
    /// Begins to bring an SA up.
    ///
    /// # Errors
    /// [`InitiateError::MissingName`] and [`InitiateError::NotFound`] at once; the others are outcomes.
    pub fn initiate(
        &self,
        request: &InitiateRequest,
    ) -> Result<Running<Result<(), InitiateError>>, InitiateError> {
        let (connection, child) = self.find(request)?;
        let (kind, name) = match &child {
            Some(child) => (Kind::Child, child.name.to_string()),
            None => (Kind::Ike, connection.name.to_string()),
        };
        let (tap, lines) = self.log.tap(request.level.0);
        let done = self.engine.initiate(Initiate { connection, child, packet: None, tap: Some(tap) });
        let patience = request.patience;
        let outcome = Box::pin(async move {
            let result = match patience {
                Patience::None => return Ok(()),
                Patience::Forever => done.await,
                Patience::Limit(limit) => match tokio::time::timeout(limit, done).await {
                    Ok(result) => result,
                    Err(_) => return Err(InitiateError::Timeout(kind, name, limit)),
                },
            };
            result.map_err(|_| InitiateError::Failed(kind, name))
        });
        Ok(Running { lines, outcome })
    }

    /// The connection and child meant: the first child of that name in any connection, unless one is named.
    fn find(
        &self,
        request: &InitiateRequest,
    ) -> Result<(Arc<Connection>, Option<Arc<ChildConfig>>), InitiateError> {
        match (&request.child, &request.ike) {
            (Some(name), ike) => self
                .connections
                .child(ike.as_deref(), name)
                .map(|(connection, child)| (connection, Some(child)))
                .ok_or_else(|| InitiateError::NotFound(Kind::Child, name.clone())),
            (None, Some(name)) => self
                .connections
                .by_name(name)
                .map(|connection| (connection, None))
                .ok_or_else(|| InitiateError::NotFound(Kind::Ike, name.clone())),
            (None, None) => Err(InitiateError::MissingName),
        }
    }
}
