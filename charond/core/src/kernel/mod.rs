//! What all kernel backends, and whoever drives them, decide alike.

mod policies;
mod reqid;
mod routes;
mod selector;

pub use policies::{Change, PolicyTable};
pub use reqid::{PolicyKey, Reqids};
pub use routes::{RouteDone, RouteSettings, TunnelRoutes};
pub use selector::{KernelSelector, PortMask};
