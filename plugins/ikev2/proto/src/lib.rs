//! IKEv2 (RFC 7296) as values: wire formats, exchanges, key material; no sockets, no clock.
#![forbid(unsafe_code)]
