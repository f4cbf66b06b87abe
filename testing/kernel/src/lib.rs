//! One suite for all kernel backends: `backend` makes them, `ipsec` and `net` are the contracts, `bench` counts.
#![forbid(unsafe_code)]

pub mod backend;
pub mod bench;
pub mod ipsec;
pub mod net;
mod promises;
mod sample;
