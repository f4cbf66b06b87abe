//! ESP (RFC 4303) as values: packets, replay window, policy lookup.
#![forbid(unsafe_code)]
