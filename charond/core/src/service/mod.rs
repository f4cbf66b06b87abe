//! Services that plugins provide and require. A service is a trait; whoever needs one holds an `Arc<dyn Trait>`.

use std::pin::Pin;

pub mod ike_engine;
pub mod ike_sockets;
pub mod kernel_ipsec;
pub mod kernel_links;
pub mod kernel_net;
pub mod settings_reload;
pub mod vrrp_engine;

pub use ike_engine::IkeEngine;
pub use ike_sockets::{EspReceiver, IkeSockets};
pub use kernel_ipsec::KernelIpsec;
pub use kernel_links::KernelLinks;
pub use kernel_net::KernelNet;
pub use settings_reload::{ReloadError, SettingsReload};
pub use vrrp_engine::VrrpEngine;

/// A future on the heap, for traits that are used as objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
