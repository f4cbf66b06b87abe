//! Plugin registry, service traits, event bus, connections, credentials and control.
//!
//! Plugins never know each other: they meet at the traits of [`service`], find each other through [`plugin`], and tell what
//! happened over [`bus`].
#![forbid(unsafe_code)]

pub mod bus;
pub mod config;
pub mod control;
pub mod counters;
pub mod credentials;
pub mod kernel;
pub mod log;
pub mod plugin;
pub mod policies;
pub mod pools;
#[cfg(test)]
mod samples;
pub mod service;
pub mod thread;
