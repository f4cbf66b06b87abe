//! Addresses, routes and links by rtnetlink.
#![forbid(unsafe_code)]
