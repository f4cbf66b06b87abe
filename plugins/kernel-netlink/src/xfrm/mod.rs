//! SAs and policies by XFRM netlink.
//!
//! `wire` knows the layout of messages, `pipeline` carries them, `state` and `policy` say what is in them, `event` reads what
//! the kernel reports, `probe` asks what it can do, `migrate` moves an SA with its policy, `leftovers` removes what a killed predecessor left, `ipsec` is the service.

mod algorithm;
mod event;
mod ipsec;
mod leftovers;
mod migrate;
mod pipeline;
mod policy;
mod probe;
pub mod scripted;
mod settings;
mod socket;
mod state;
mod wire;

pub use event::read as read_event;
pub use ipsec::XfrmIpsec;
pub(crate) use pipeline::Pipeline;
pub use settings::{HashedFrom, XfrmSettings};
pub(crate) use socket::XfrmSocket;
pub use wire::Messages;
