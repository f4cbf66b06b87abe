//! Shared keys, private keys and certificates, as immutable snapshots.

mod authority;
mod cache;
mod own;
mod shared_key;
mod store;
mod trust;

pub use authority::Authority;
pub use cache::CertificateCache;
pub use own::OwnCertificate;
pub use shared_key::{SharedKey, SharedKeyKind};
pub use store::{CredentialSnapshot, Credentials, KeyId, LoadedKey};
pub use trust::{Demand, TrustError};
