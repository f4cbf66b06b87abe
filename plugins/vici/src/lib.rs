//! The VICI server: sockets, sessions, commands, events. It parses and renders; what happens is decided by
//! [`Control`](charon_core::control::Control).
#![deny(unsafe_code)]

mod access;
mod address;
mod algorithms;
mod broadcast;
mod certificate;
mod clock;
mod command;
mod emit;
mod event;
mod handed_over;
mod inbound;
mod link;
mod listener;
mod listing;
mod load_conn;
mod load_pool;
mod load_vrouter;
mod outbound;
mod plugin;
mod render;
mod reply;
mod request;
mod serve;
mod server;
mod session;
mod sys;
mod wipe;

pub use address::Address;
pub use event::EventKind;
pub use load_conn::rehearse;
pub use plugin::{SocketOverride, Vici};
pub use session::{Call, End, NoRoom, Rejection, Session, Step};
