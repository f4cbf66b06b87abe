//! Userspace ESP over a TUN device: component `ipsec`.
//!
//! Routes lead the packets that policies protect into the TUN device; [`esp_proto`] seals them; the IKE sockets carry them in
//! UDP. What the sockets hand back is opened and written to the device. Inner packets come and go in batches of up to 64 KiB,
//! by segmentation offload on the device and on the sockets.
#![forbid(unsafe_code)]

mod clock;
mod device;
mod events;
mod inbound;
mod ipsec;
mod offload;
mod outbound;
mod routes;
mod settings;
mod shunts;

use std::sync::Arc;

use charon_core::plugin::{Component, Plugin, Unload, daemon_settings};
use charon_core::service::{IkeSockets, KernelIpsec, KernelNet};
use esp_proto::Engine;

pub use ipsec::LibIpsec;
pub use settings::{PeerSelector, Routes, Settings};

/// The plugin.
#[derive(Clone, Copy, Debug, Default)]
pub struct KernelLibipsecPlugin;

impl Plugin for KernelLibipsecPlugin {
    fn name(&self) -> &'static str {
        "kernel-libipsec"
    }

    fn components(&self) -> Vec<Component> {
        let ipsec = Component::new("ipsec", |context| {
            Box::pin(async move {
                let settings = Settings::read(&daemon_settings(&context.settings().current()))?;
                let net = context.require::<dyn KernelNet>()?;
                let sockets = context.require::<dyn IkeSockets>()?;
                let engine = Engine::new(context.crypto()?);
                let ipsec = Arc::new(LibIpsec::start(engine, net, sockets, settings).await?);
                context.provide::<dyn KernelIpsec>(Arc::clone(&ipsec) as Arc<dyn KernelIpsec>)?;
                let unload: Unload = Box::new(move || Box::pin(async move { ipsec.stop().await }));
                Ok(unload)
            })
        });
        vec![
            ipsec
                .provides::<dyn KernelIpsec>()
                .depends::<dyn KernelNet>()
                .depends::<dyn IkeSockets>()
                .wants_algorithms(),
        ]
    }
}
