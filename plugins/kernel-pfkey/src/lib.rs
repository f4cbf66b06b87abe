//! SAs and policies by PF_KEY v2 (RFC 2367) with Linux's extensions for policies and NAT traversal: component `ipsec`.
//!
//! What is not message format (owners of policies, priorities, routes) is decided in `charon_core::kernel`, as for XFRM. PF_KEY
//! has no combined-mode ciphers, no 64-bit sequence numbers, no marks, and HMAC-SHA2-256 with 96 bits only;
//! `capabilities()` says so, and nothing else is negotiated.
#![forbid(unsafe_code)]

mod algorithm;
pub mod event;
mod ipsec;
mod leftovers;
mod policy;
mod sa;
pub mod scripted;
mod socket;
pub mod wire;

use std::sync::Arc;

use charon_conf::ValueError;
use charon_conf::options::Configured;
use charon_core::kernel::{RouteSettings, SpiRange};
use charon_core::plugin::{Component, LoadError, Plugin, Unload, daemon_settings};
use charon_core::service::{KernelIpsec, KernelNet};

pub use ipsec::PfkeyIpsec;

/// The plugin.
#[derive(Clone, Copy, Debug, Default)]
pub struct KernelPfkeyPlugin;

impl Plugin for KernelPfkeyPlugin {
    fn name(&self) -> &'static str {
        "kernel-pfkey"
    }

    fn components(&self) -> Vec<Component> {
        let ipsec = Component::new("ipsec", |context| {
            Box::pin(async move {
                let settings = context.settings().current();
                let setting = |error: ValueError| LoadError::Settings(error.to_string());
                let daemon = daemon_settings(&settings);
                let routes = RouteSettings::read(&daemon).map_err(setting)?;
                let spis = SpiRange::read(&daemon).map_err(setting)?;
                let events_buffer = events_buffer(&daemon).map_err(setting)?;
                let net = context.require::<dyn KernelNet>()?;
                let ipsec = Arc::new(PfkeyIpsec::start(net, routes, spis, events_buffer).await?);
                context.provide::<dyn KernelIpsec>(Arc::clone(&ipsec) as Arc<dyn KernelIpsec>)?;
                let unload: Unload = Box::new(move || Box::pin(async move { ipsec.stop().await }));
                Ok(unload)
            })
        });
        vec![ipsec.provides::<dyn KernelIpsec>().depends::<dyn KernelNet>()]
    }
}

/// Room for events that wait, octets.
fn events_buffer(daemon: &Configured<'_>) -> Result<usize, ValueError> {
    let octets = daemon.bytes("plugins.kernel-pfkey.events_buffer_size")?;
    // What does not fit an int is more than any system gives.
    Ok(usize::try_from(octets.min(1 << 30)).unwrap_or(1 << 30))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_room_for_events_is_a_mebibyte_or_what_is_configured() {
        let read = |size: &str| {
            let text = format!("charon {{\n plugins {{\n kernel-pfkey {{\n {size}\n }}\n }}\n}}\n");
            let settings = charon_conf::Settings::parse("test.conf", text.as_bytes()).unwrap();
            events_buffer(&daemon_settings(&settings)).ok()
        };
        assert_eq!(read(""), Some(1 << 20));
        assert_eq!(read("events_buffer_size = 0"), Some(0));
        assert_eq!(read("events_buffer_size = 3M"), Some(3 << 20));
        assert_eq!(read("events_buffer_size = 9G"), Some(1 << 30));
        assert_eq!(read("events_buffer_size = much"), None);
    }
}
