//! The VICI server.
#![forbid(unsafe_code)]
