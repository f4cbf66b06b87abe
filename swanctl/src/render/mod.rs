//! Replies and events as text, a file for each shape.

pub(crate) mod counters;
mod json;
pub(crate) mod list_algs;
pub(crate) mod list_authorities;
pub(crate) mod list_certs;
pub(crate) mod list_conns;
pub(crate) mod list_pols;
pub(crate) mod list_pools;
pub(crate) mod list_sas;
pub(crate) mod list_vrouters;
pub(crate) mod raw;
pub(crate) mod stats;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod version;

#[cfg(test)]
mod golden;
