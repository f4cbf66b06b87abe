//! The VICI server: sockets, sessions, commands, events. It parses and renders; what happens is decided by
//! [`Control`](charon_core::control::Control).
#![deny(unsafe_code)]

mod algorithms;
mod broadcast;
mod certificate;
mod clock;
mod command;
mod emit;
mod event;
mod listener;
mod load_conn;
mod outbound;
mod plugin;
mod render;
mod reply;
mod request;
mod server;
mod session;
mod sys;

pub use plugin::{SocketOverride, Vici};
