//! What an operator can ask for, whatever it was asked through. Transports parse and render; nothing is decided there.

mod connections;
mod credentials;
mod initiate;
mod install;
mod rekey;
mod start_action;
mod terminate;
mod vrouter_binding;
mod vrouters;

use std::sync::Arc;
use std::time::Duration;

use charon_types::event::LogRecord;
use tokio::sync::mpsc;

use crate::config::Connections;
use crate::credentials::Credentials;
use crate::log::LogHub;
use crate::policies::Policies;
use crate::pools::Pools;
use crate::service::{BoxFuture, IkeEngine, VrrpEngine};

pub use connections::UnloadError;
pub use credentials::{CertificateKind, KeyType, LoadCertificateError, LoadKeyError, X509Flag};
pub use initiate::{InitiateError, InitiateRequest, Kind};
pub use install::PolicyError;
pub use rekey::{RekeyError, Rekeyed, Renewal};
pub use terminate::{Force, TerminateError, TerminateRequest, Terminated};
pub use vrouter_binding::follow_vrouters;

/// How long a command waits for its outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// As long as it takes.
    Forever,
    /// At most that long; what was begun goes on.
    Limit(Duration),
    /// Not at all: begin, and return.
    None,
}

/// The log lines of the SA that a command controls, up to a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLevel(pub i8);

/// A command under way: its log lines, and its end. The lines end before the outcome is ready.
pub struct Running<T> {
    /// Lines of the SAs concerned.
    pub lines: mpsc::Receiver<Arc<LogRecord>>,
    /// The outcome. Dropping it abandons the wait, not the work.
    pub outcome: BoxFuture<'static, T>,
}

/// The commands.
pub struct Control {
    /// Connections loaded.
    pub connections: Arc<Connections>,
    /// Certificates, keys and secrets loaded.
    pub credentials: Arc<Credentials>,
    /// Virtual addresses for peers.
    pub pools: Arc<Pools>,
    /// The IKE_SAs.
    pub engine: Arc<dyn IkeEngine>,
    /// The virtual routers, if plugin vrrp is loaded.
    pub vrrp: Option<Arc<dyn VrrpEngine>>,
    /// Traps and shunts.
    pub policies: Arc<Policies>,
    /// The log.
    pub log: LogHub,
}
