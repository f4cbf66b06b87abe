//! The kernel by netlink: component `net` is addresses, routes, rules and links, component `ipsec` SAs and policies.
//!
//! The `rtnetlink` crate carries the requests of `net`. XFRM has a socket of its own: its requests are answered while they are
//! sent, so that a batch of thousands needs neither task nor timer, and no crate offers that.
#![forbid(unsafe_code)]

mod address;
mod error;
mod interfaces;
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
pub mod xfrm;
mod xfrm_interface;

use std::num::NonZeroU32;
use std::sync::Arc;

use charon_conf::ValueError;
use charon_core::kernel::{RouteSettings, SpiRange};
use charon_core::plugin::{Component, LoadError, Plugin, Unload, daemon_settings};
use charon_core::service::{KernelIpsec, KernelLinks, KernelNet};
use tracing::{info, warn};

pub use interfaces::Interfaces;
pub use net::NetlinkNet;
pub use route::RouteMetrics;
pub use xfrm::{XfrmIpsec, XfrmSettings};

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
                let metric = |key| {
                    let octets: u32 =
                        daemon.int(key).map_err(|error| LoadError::Settings(error.to_string()))?;
                    Ok::<_, LoadError>(NonZeroU32::new(octets))
                };
                let follows = |key| daemon.bool(key).map_err(|error| LoadError::Settings(error.to_string()));
                let rules = follows("plugins.kernel-netlink.process_rules")?;
                let metrics = RouteMetrics {
                    mtu: metric("plugins.kernel-netlink.mtu")?,
                    mss: metric("plugins.kernel-netlink.mss")?,
                };
                let net = NetlinkNet::connect(interfaces, own_table)
                    .map(|net| net.with_metrics(metrics).with_rules_followed(rules.into()))
                    .map_err(|error| LoadError::Os { what: "open a netlink socket".into(), error })?;
                match net.remove_leftovers().await {
                    Ok(0) => {}
                    Ok(count) => info!(target: "KNL", "removed {count} addresses that a predecessor left"),
                    Err(error) => {
                        warn!(target: "KNL", "looking for addresses of a predecessor failed: {error}")
                    }
                }
                let net = Arc::new(net);
                context.provide::<dyn KernelLinks>(Arc::clone(&net) as Arc<dyn KernelLinks>)?;
                context.provide::<dyn KernelNet>(net)?;
                // The socket closes with the last who holds the service.
                let unload: Unload = Box::new(|| Box::pin(async {}));
                Ok(unload)
            })
        });
        let ipsec = Component::new("ipsec", |context| {
            Box::pin(async move {
                let settings = context.settings().current();
                let daemon = daemon_settings(&settings);
                let setting = |error: ValueError| LoadError::Settings(error.to_string());
                let spis = SpiRange::read(&daemon).map_err(setting)?;
                let xfrm = XfrmSettings::read(&daemon).map_err(setting)?;
                let routes = RouteSettings::read(&daemon).map_err(setting)?;
                let net = context.require::<dyn KernelNet>()?;
                let ipsec = XfrmIpsec::start(net, routes, spis, xfrm).await?;
                let ipsec = Arc::new(ipsec);
                context.provide::<dyn KernelIpsec>(Arc::clone(&ipsec) as Arc<dyn KernelIpsec>)?;
                let unload: Unload = Box::new(move || Box::pin(async move { ipsec.stop().await }));
                Ok(unload)
            })
        });
        let net = net.provides::<dyn KernelNet>().provides::<dyn KernelLinks>();
        vec![net, ipsec.provides::<dyn KernelIpsec>().depends::<dyn KernelNet>()]
    }
}
