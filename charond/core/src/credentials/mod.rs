//! Shared keys, private keys and certificates, as immutable snapshots.

mod shared_key;
mod store;

pub use shared_key::{SharedKey, SharedKeyKind};
pub use store::{CredentialSnapshot, Credentials, KeyId, LoadedKey};
