//! The exchanges, one module each; in them, one type per thing expected.

pub(crate) mod certreq;
pub(crate) mod config_payload;
pub(crate) mod create_child;
pub(crate) mod ike_auth;
pub(crate) mod ike_sa_init;
pub(crate) mod informational;
pub(crate) mod mobike;
pub(crate) mod nat_detection;
mod parts;
pub(crate) mod rekey_ike;
