//! Connections: where they come from and which one fits.

mod select;
mod store;

pub use select::{ike_candidates, peer_candidates};
pub use store::{Connections, Loading};
