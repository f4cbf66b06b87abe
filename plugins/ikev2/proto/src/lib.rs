//! IKEv2 (RFC 7296) as values: wire formats, exchanges, key material; no sockets, no clock.
//!
//! [`IkeSa`] is one IKE_SA. It is fed by its `handle_*` methods and drained by `poll_output` and `poll_timeout`, in that
//! order, until `poll_output` returns `None`. Time and every view of the world are arguments ([`Now`], [`Env`]); randomness
//! comes from the crypto provider. [`admission`] decides about IKE_SA_INIT requests before an IKE_SA exists.
#![forbid(unsafe_code)]

pub mod admission;
mod assignment;
pub mod auth;
mod child_sa;
pub mod cookie;
mod driver;
mod ending;
pub mod env;
mod exchange;
pub mod failure;
mod glimpse;
pub mod ike_sa;
pub mod job;
pub mod keymat;
mod mobility;
pub mod natd;
pub mod output;
mod proposal;
mod reauth;
mod receive;
mod retransmit;
mod sa;
mod schedule;
mod state;
mod successor;
pub mod tally;
mod task;
mod text;
pub mod timer;
mod transmit;
pub mod uniqueness;
mod upkeep;
mod window;
pub mod wire;

pub use env::{Env, Now, Settings};
pub use failure::Failure;
pub use ike_sa::{Command, IkeSa};
pub use job::{Job, JobResult};
pub use output::{CommandToken, IkeEvent, JobId, OpId, Output};

#[cfg(test)]
mod tests;
