//! rVRRPd's configuration file, TOML or JSON, and the `users` entries of its REST API. No I/O.
//!
//! [`Document::parse`] reads every directive, those that rVRRPd's manual leaves out as well, and names directive and line of
//! what it cannot take. [`Document::vrouters`] makes of it what our own virtual routers are made of. A [`Document`]
//! serializes to what the REST API shows of it, secrets left out.
//!
//! What differs on purpose from rVRRPd 0.1.3: a wrong value is an error instead of a panic, an unknown directive is named
//! instead of ignored in silence, both spellings of `p1-b8-shake256` are taken, and intervals are kept.
#![forbid(unsafe_code)]

mod convert;
mod directive;
mod document;
mod place;
mod user;

pub use convert::VROUTERS_MAX;
pub use directive::{AuthType, Hidden};
pub use document::{Api, Document, Format, Protocols, RouterTable, StaticRoute, Timers, UserList};
pub use place::FileError;
pub use user::{Algorithm, UserEntry, UserError};
