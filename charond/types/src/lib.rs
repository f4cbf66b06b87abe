//! Shared vocabulary of the daemon: ids, identities, selectors, proposals, kernel operations, events.
//!
//! Plain data and the pure functions that belong to it. Nothing here does I/O, reads a clock or knows a protocol's
//! state; whatever two crates must both name lives here, and nothing else does.
#![forbid(unsafe_code)]

pub mod alert;
pub mod algorithm;
pub mod config_attribute;
pub mod connection;
pub mod distinguished_name;
pub mod endpoint;
pub mod event;
mod hex;
pub mod id;
pub mod identity;
pub mod kernel_op;
pub mod lease;
pub mod lifetime;
pub mod proposal;
pub mod secret;
pub mod selector;
pub mod services;
pub mod snapshot;
pub mod tag;
pub mod vrouter;

pub use id::{EspSpi, IfId, IkeSpi, Mark, MessageId, Reqid, Role, UniqueId};
pub use identity::Identity;
pub use secret::Secret;
