//! Shared vocabulary of the daemon: ids, identities, selectors, proposals, kernel operations, events.
#![forbid(unsafe_code)]
