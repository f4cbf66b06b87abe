//! Virtual routers: sockets, interfaces and the kernel around `vrrp-proto`.
//!
//! `engine` takes commands; each interface (`interface`) owns its virtual routers, hears and sends by one packet socket
//! (`advert_socket`), and says what it wants of the kernel to a task (`host`). One thread serves all interfaces (`reactor`). `track` watches what priorities
//! depend on, `group` keeps routers together, `report` runs scripts. Protocol decisions are all in `vrrp-proto`.
#![deny(unsafe_code)]

mod advert_socket;
mod announce;
mod commands;
mod convert;
mod engine;
mod filter;
mod frames;
mod group;
mod host;
mod interface;
mod key;
mod leftovers;
mod net_state;
mod pace;
mod poller;
mod question;
mod reactor;
mod report;
mod roster;
mod shared;
mod slot;
mod sys;
mod sysctl;
mod track;
mod unicast;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use charon_core::config::{Connections, VrouterRoles};
use charon_core::control::follow_vrouters;
use charon_core::plugin::{Component, LoadContext, LoadError, Plugin, Unload, daemon_settings};
use charon_core::pools::Pools;
use charon_core::service::{IkeEngine, KernelLinks, VrrpEngine};
use tokio::sync::mpsc;
use tracing::warn;

use engine::Engine;
use group::Groups;
use reactor::Reactor;
use shared::Shared;
use sysctl::Sysctls;
use track::Sources;

/// The plugin.
#[derive(Clone, Copy, Debug, Default)]
pub struct Vrrp;

impl Plugin for Vrrp {
    fn name(&self) -> &'static str {
        "vrrp"
    }

    fn components(&self) -> Vec<Component> {
        vec![
            Component::new("engine", |context| Box::pin(load(context)))
                .provides::<dyn VrrpEngine>()
                .depends::<dyn KernelLinks>()
                .depends::<VrouterRoles>()
                .wants::<Connections>()
                .wants::<dyn IkeEngine>()
                .wants::<Pools>()
                .wants_algorithms(),
        ]
    }
}

async fn load(context: &mut LoadContext) -> Result<Unload, LoadError> {
    let (state_file, realtime_priority) = {
        let settings = context.settings().current();
        let daemon = daemon_settings(&settings);
        let fault = |error: charon_conf::ValueError| LoadError::Settings(error.to_string());
        let file = daemon.text("plugins.vrrp.state_file").map_err(fault)?;
        let priority: i32 = daemon.int("plugins.vrrp.realtime_priority").map_err(fault)?;
        (
            file.filter(|file| !file.is_empty()).map(PathBuf::from),
            Some(priority).filter(|priority| *priority > 0),
        )
    };
    let net = context.require::<dyn KernelLinks>()?;
    let kernel = |error| LoadError::Unavailable(format!("the kernel does not tell of its links: {error:?}"));
    let (state, following) = net_state::follow(&net).await.map_err(kernel)?;
    let left = state.borrow().clone();
    leftovers::remove(&*net, &left).await;
    let os = |what: &str| {
        let what = what.to_owned();
        move |error| LoadError::Os { what, error }
    };
    // A burst of IKE on the other threads must not delay adverts.
    let prepare = move || {
        if let Some(priority) = realtime_priority
            && let Err(error) = sys::set_realtime_priority(priority)
        {
            warn!(target: "DMN", "no real-time priority for virtual routers: {error}");
        }
    };
    let reactor = Arc::new(Reactor::start(prepare).map_err(os("starting the thread of virtual routers"))?);
    let (waker, mut changes) = (reactor.waker(), state.clone());
    let waking = tokio::spawn(async move {
        while changes.changed().await.is_ok() {
            waker.wake();
        }
    });
    let (reports, receiver) = mpsc::channel(report::DEPTH);
    let reporting = tokio::spawn(report::run(receiver));
    let shared = Arc::new(Shared {
        crypto: context.crypto()?,
        bus: Arc::clone(context.bus()),
        roles: context.require::<VrouterRoles>()?,
        groups: Groups::default(),
        state: state.clone(),
        begin: Instant::now(),
        reports,
    });
    let sources = Sources {
        net: Arc::clone(&net),
        state,
        bus: Arc::clone(context.bus()),
        ike: context.want::<dyn IkeEngine>()?,
        pools: context.want::<Pools>()?,
    };
    let binding = match (context.want::<Connections>()?, context.want::<dyn IkeEngine>()?) {
        (Some(connections), Some(engine)) => {
            Some(tokio::spawn(follow_vrouters(Arc::clone(context.bus()), connections, engine)))
        }
        _ => None,
    };
    let sysctls = Arc::new(Sysctls::new(Arc::clone(&net), state_file));
    let engine = Arc::new(Engine::new(shared, sources, sysctls, net, Arc::clone(&reactor)));
    context.provide::<dyn VrrpEngine>(Arc::clone(&engine) as Arc<dyn VrrpEngine>)?;
    Ok(Box::new(move || {
        Box::pin(async move {
            engine.stop().await;
            following.abort();
            if let Some(binding) = binding {
                binding.abort();
            }
            waking.abort();
            // Waits for the thread, which has nothing more to do.
            drop(tokio::task::spawn_blocking(move || reactor.end()).await);
            drop(engine);
            reporting.abort();
        })
    }))
}
