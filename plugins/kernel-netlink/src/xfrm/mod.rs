//! SAs and policies by XFRM netlink.
//!
//! `wire` knows the layout of messages, `pipeline` carries them, `state` and `policy` say what is in them, `event` reads what
//! the kernel reports, `probe` asks what it can do, `leftovers` removes what a killed predecessor left, `ipsec` is the service.

mod algorithm;
mod event;
mod ipsec;
mod leftovers;
mod pipeline;
mod policy;
mod probe;
mod socket;
mod state;
mod wire;

pub use event::read as read_event;
pub use ipsec::XfrmIpsec;
pub use leftovers::SpiRange;
pub(crate) use pipeline::Pipeline;
pub(crate) use socket::XfrmSocket;
pub use wire::Messages;
