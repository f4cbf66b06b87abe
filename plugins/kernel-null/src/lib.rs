//! A kernel in memory: [`NullIpsec`] and [`NullNet`] keep what a real kernel would and write down every misuse.
//!
//! For tests, simulation and benches. As plugin `kernel-null` it is loaded only where the load line names it.
#![forbid(unsafe_code)]

mod ipsec;
mod net;

use std::sync::Arc;

use charon_core::plugin::{Component, Plugin};
use charon_core::service::{KernelIpsec, KernelNet};

pub use ipsec::{InstalledPolicy, InstalledSa, NullIpsec, Violation};
pub use net::{LinkState, NullNet};

/// The plugin.
#[derive(Debug)]
pub struct KernelNullPlugin;

impl Plugin for KernelNullPlugin {
    fn name(&self) -> &'static str {
        "kernel-null"
    }

    fn components(&self) -> Vec<Component> {
        let net = Component::new("net", |context| {
            Box::pin(async move {
                context.provide::<dyn KernelNet>(Arc::new(NullNet::new()))?;
                Ok(nothing_to_undo())
            })
        });
        let ipsec = Component::new("ipsec", |context| {
            Box::pin(async move {
                let crypto = context.crypto()?;
                let ipsec = NullIpsec::new(ipsec::capabilities(&crypto));
                context.provide::<dyn KernelIpsec>(Arc::new(ipsec))?;
                Ok(nothing_to_undo())
            })
        });
        vec![net.provides::<dyn KernelNet>(), ipsec.provides::<dyn KernelIpsec>().wants_algorithms()]
    }
}

fn nothing_to_undo() -> charon_core::plugin::Unload {
    Box::new(|| Box::pin(async {}))
}
