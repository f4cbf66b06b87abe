//! Plugin registry, service traits, event bus, connections, credentials and control.
#![forbid(unsafe_code)]
