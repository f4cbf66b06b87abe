//! What all kernel backends, and whoever drives them, decide alike.

mod leftovers;
mod local_source;
mod octets;
mod policies;
mod refusal;
mod reqid;
mod routes;
mod transport;

pub use leftovers::{Removed, SpiRange};
pub use local_source::{LocalSources, forget_route};
pub use octets::{OctetReader, OctetWriter};
pub use policies::{Change, PolicyTable};
pub use refusal::{refused, refused_sa};
pub use reqid::{PolicyKey, Reqids};
pub use routes::{InterfaceRoutes, RouteSettings, TunnelRoutes, rule_mark};
pub use transport::{ScriptedKernel, Transport};
