//! rVRRPd, unchanged for its users: its file makes virtual routers, and its REST API answers its clients.
//!
//! The file is read by `rvrrpd-conf`, at start and when the settings are read again; `site` puts it into effect; what runs is asked of [`VrrpEngine`](charon_core::service::VrrpEngine), as VICI does. The
//! API only reads. Routes, JSON, cookies and tokens are those of rVRRPd 0.1.3; its defects are not: secrets are hidden, a
//! session ends, an unknown user takes as long to refuse as a known one, and every request gets its own answer.
//! `openapi.json` describes it and is served.
#![forbid(unsafe_code)]

mod api;
mod config_routes;
mod link_address;
mod log_files;
mod login;
mod plugin;
mod process_file;
mod routes;
mod run_routes;
mod server;
mod session;
mod site;

pub use plugin::HttpApi;

#[cfg(test)]
mod tests;
