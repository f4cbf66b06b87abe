//! What all kernel backends, and whoever drives them, decide alike.

mod reqid;

pub use reqid::{PolicyKey, Reqids};
