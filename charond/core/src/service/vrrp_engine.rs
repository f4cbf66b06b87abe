//! The virtual routers, as control sees them.

use std::fmt;
use std::sync::Arc;

use charon_types::vrouter::{Vrouter, VrouterFault, VrouterSnapshot};

use super::BoxFuture;

/// What loading a virtual router changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VrouterLoading {
    /// There was none of that name.
    Added,
    /// The same as before; nothing happened.
    Unchanged,
    /// Another was replaced, or its settings changed while it went on.
    Replaced,
}

/// Why a virtual router was refused, or not unloaded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum VrouterError {
    /// A key is wrong.
    Fault(VrouterFault),
    /// Another has the same interface, id and family.
    Taken {
        /// Its name.
        by: Arc<str>,
    },
    /// There is none of that name.
    NotFound(String),
    /// There are as many as there may be.
    TooMany,
    /// The daemon is ending.
    ShuttingDown,
    /// Nothing that could do it is loaded.
    Unavailable,
}

impl fmt::Display for VrouterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => write!(f, "{fault}, config discarded"),
            Self::Taken { by } => {
                write!(
                    f,
                    "invalid value for: vrid, vrouter '{by}' has it on this interface, config discarded"
                )
            }
            Self::NotFound(name) => write!(f, "unload: vrouter '{name}' not found"),
            Self::TooMany => f.write_str("there are too many vrouters, config discarded"),
            Self::ShuttingDown => f.write_str("the daemon is ending"),
            Self::Unavailable => f.write_str("plugin vrrp is not loaded"),
        }
    }
}

impl std::error::Error for VrouterError {}

/// Runs virtual routers.
pub trait VrrpEngine: Send + Sync {
    /// Loads a virtual router, or changes the one of its name; ready when it takes part or waits for its interface. One whose
    /// definition did not change goes on undisturbed.
    fn load(&self, vrouter: Vrouter) -> BoxFuture<'_, Result<VrouterLoading, VrouterError>>;

    /// Ends a virtual router; ready when its addresses are gone.
    fn unload<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), VrouterError>>;

    /// Their names, in the order loaded.
    fn names(&self) -> Vec<Arc<str>>;

    /// All of them as they stand, in the order loaded.
    fn list(&self) -> BoxFuture<'_, Vec<VrouterSnapshot>>;
}
