//! What the daemon knows as sections of messages. Order of keys, and which are left out, are strongSwan's.

pub(crate) mod child_sa;
pub(crate) mod connection;
pub(crate) mod ike_sa;
pub(crate) mod log;
pub(crate) mod policy;
pub(crate) mod vrouter;
