//! Connections: where they come from and which one fits.

mod names;
mod select;
mod store;
mod vrouters;

pub use names::ResolvedNames;
pub use select::{ike_candidates, peer_candidates};
pub use store::{Connections, Loading};
pub use vrouters::VrouterRoles;
