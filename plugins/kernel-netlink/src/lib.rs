//! Addresses, routes, rules and links by rtnetlink: component `net`.
//!
//! The `rtnetlink` crate carries the requests: its typed messages of all four families replace some thousand lines that
//! neli, which carries XFRM, would leave to us.
#![forbid(unsafe_code)]

mod address;
mod error;
mod link;
mod links;
mod macvlan;
mod marked;
mod net;
mod next_hop;
mod route;
mod rule;
mod sysctl;
mod watch;

use std::sync::Arc;

use charon_core::plugin::{Component, LoadError, Plugin, Unload, daemon_settings};
use charon_core::service::{KernelLinks, KernelNet};

pub use net::{Interfaces, NetlinkNet};

/// The plugin.
#[derive(Clone, Copy, Debug, Default)]
pub struct KernelNetlinkPlugin;

impl Plugin for KernelNetlinkPlugin {
    fn name(&self) -> &'static str {
        "kernel-netlink"
    }

    fn components(&self) -> Vec<Component> {
        let net = Component::new("net", |context| {
            Box::pin(async move {
                let settings = context.settings().current();
                let daemon = daemon_settings(&settings);
                let names = |key| {
                    let listed = daemon.list(key).map_err(|error| LoadError::Settings(error.to_string()))?;
                    Ok::<_, LoadError>(listed.into_iter().map(str::to_owned).collect())
                };
                let interfaces = Interfaces::new(names("interfaces_use")?, names("interfaces_ignore")?);
                let own_table =
                    daemon.int("routing_table").map_err(|error| LoadError::Settings(error.to_string()))?;
                let net = NetlinkNet::connect(interfaces, own_table)
                    .map_err(|error| LoadError::Os { what: "open a netlink socket".into(), error })?;
                let net = Arc::new(net);
                context.provide::<dyn KernelLinks>(Arc::clone(&net) as Arc<dyn KernelLinks>)?;
                context.provide::<dyn KernelNet>(net)?;
                // The socket closes with the last who holds the service.
                let unload: Unload = Box::new(|| Box::pin(async {}));
                Ok(unload)
            })
        });
        vec![net.provides::<dyn KernelNet>().provides::<dyn KernelLinks>()]
    }
}
