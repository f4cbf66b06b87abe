//! IKEv2: sockets, shards and jobs around `ikev2-proto`.
//!
//! `socket` receives in batches, `route` finds the shard by arithmetic, a shard owns its IKE_SAs and drives them, `jobs` and
//! the kernel queue do what takes time, `engine` takes commands. Protocol decisions are all in `ikev2-proto`.
#![deny(unsafe_code)]

mod acquire;
mod alerts;
mod counting;
mod credential_view;
mod engine;
mod events;
mod greylist;
mod half_open;
mod host_addresses;
mod inactivity;
mod inlet;
mod interfaces;
mod jobs;
mod kernel_queue;
mod lane;
mod listing;
mod name_servers;
mod names;
mod order;
mod peers;
mod reauth;
mod restart;
mod roam;
mod route;
mod settings;
mod shard;
mod shared;
mod socket;
mod spi_map;
mod sys;
mod timer_queue;
mod udp;
mod uniqueness;
mod virtual_ips;

use std::sync::Arc;

use charon_conf::ValueError;
use charon_core::config::{Connections, VrouterRoles};
use charon_core::credentials::Credentials;
use charon_core::kernel::Reqids;
use charon_core::plugin::{
    Component, LoadContext, LoadError, Plugin, Unload, daemon_settings, nothing_to_undo,
};
use charon_core::policies::Policies;
use charon_core::pools::Pools;
use charon_core::service::{IkeEngine, IkeSockets, KernelIpsec, KernelNet};
use ikev2_proto::Settings;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use acquire::Acquires;
use engine::Engine;
use half_open::HalfOpenTable;
use host_addresses::HostAddresses;
use inlet::Inlet;
use interfaces::UsableAddresses;
use names::Names;
use peers::Peers;
use route::{EspSpiSpace, SHARDS_MAX, SpiSpace};
use settings::LiveOptions;
use shard::{Input, Shard};
use shared::{Counters, Ids, Shared};
use socket::{IkeReceiver, Sockets};
use virtual_ips::VirtualIps;

/// Datagrams that wait for a shard; the newest is dropped when full, since IKE retransmits.
const DATAGRAMS_DEPTH: usize = 4096;
/// Other inputs that wait for a shard; senders wait when full.
const INPUTS_DEPTH: usize = 1024;

/// The plugin.
#[derive(Debug)]
pub struct Ikev2;

impl Plugin for Ikev2 {
    fn name(&self) -> &'static str {
        "ikev2"
    }

    fn components(&self) -> Vec<Component> {
        vec![
            Component::new("sockets", |context| Box::pin(load_sockets(context)))
                .provides::<dyn IkeSockets>()
                .provides::<Sockets>(),
            Component::new("policies", |context| Box::pin(load_policies(context)))
                .provides::<Reqids>()
                .provides::<Policies>()
                .depends::<dyn KernelIpsec>()
                .depends::<dyn KernelNet>(),
            Component::new("engine", |context| Box::pin(load_engine(context)))
                .provides::<dyn IkeEngine>()
                .provides::<charon_core::counters::Counters>()
                .depends::<Sockets>()
                .depends::<Connections>()
                .wants::<VrouterRoles>()
                .depends::<Credentials>()
                .depends::<Reqids>()
                .depends::<Policies>()
                .depends::<Pools>()
                .depends::<dyn KernelIpsec>()
                .depends::<dyn KernelNet>()
                .wants_algorithms(),
        ]
    }
}

#[expect(clippy::unused_async, reason = "every load is a future")]
async fn load_sockets(context: &mut LoadContext) -> Result<Unload, LoadError> {
    let settings = context.settings().current();
    let config = settings::socket_config(&daemon_settings(&settings)).map_err(setting)?;
    let sockets = Sockets::bind(&config).map_err(|(address, error)| LoadError::Os {
        what: format!("binding UDP port {} of {}", address.port(), address.ip()),
        error,
    })?;
    let sockets = Arc::new(sockets);
    context.provide::<Sockets>(Arc::clone(&sockets))?;
    context.provide::<dyn IkeSockets>(sockets)?;
    Ok(nothing_to_undo())
}

/// Traps and shunts, and the reqids that traps share with CHILD_SAs.
#[expect(clippy::unused_async, reason = "every load is a future")]
async fn load_policies(context: &mut LoadContext) -> Result<Unload, LoadError> {
    let settings = context.settings().current();
    let reqid_base = settings::reqid_base(&daemon_settings(&settings)).map_err(setting)?;
    let reqids = Arc::new(Reqids::new(reqid_base));
    let (kernel, net) = (context.require::<dyn KernelIpsec>()?, context.require::<dyn KernelNet>()?);
    let policies = Arc::new(Policies::new(kernel, net, Arc::clone(&reqids)));
    context.provide::<Reqids>(reqids)?;
    context.provide::<Policies>(Arc::clone(&policies))?;
    Ok(Box::new(move || Box::pin(async move { policies.clear().await })))
}

async fn load_engine(context: &mut LoadContext) -> Result<Unload, LoadError> {
    let settings = context.settings().current();
    let daemon = daemon_settings(&settings);
    let sockets = context.require::<Sockets>()?;
    let options = LiveOptions::new(context.settings().clone(), sockets.ports()).map_err(setting)?;
    let net = context.require::<dyn KernelNet>()?;
    let usable = Arc::new(UsableAddresses::default());
    let interfaces = match settings::restricts_interfaces(&daemon).map_err(setting)? {
        true => Some(usable.follow(&net).await),
        false => None,
    };
    let (virtual_ips, keep_virtual_ips) = VirtualIps::new(Arc::clone(&net));
    let connections = context.require::<Connections>()?;
    let names = Arc::new(Names::default());
    let resolving = names.follow(&connections);
    let Settings { spi_min, spi_max, .. } = options.current().ike;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let shards = cores.min(SHARDS_MAX);
    let (inputs, receivers): (Vec<_>, Vec<_>) = (0..shards).map(|_| mpsc::channel(INPUTS_DEPTH)).unzip();
    let kernel = context.require::<dyn KernelIpsec>()?;
    if kernel.is_of_system() {
        sockets.share_with_kernel();
    }
    let shared = Arc::new(Shared {
        sockets: Arc::clone(&sockets),
        crypto: context.crypto()?,
        kernel,
        net,
        usable,
        names,
        bus: Arc::clone(context.bus()),
        connections,
        roles: context.want::<VrouterRoles>()?,
        policies: context.require::<Policies>()?,
        acquires: Acquires::default(),
        credentials: context.require::<Credentials>()?,
        pools: context.require::<Pools>()?,
        virtual_ips,
        host: HostAddresses::default(),
        peers: Peers::default(),
        half_open: HalfOpenTable::new(),
        cookies: Mutex::default(),
        ids: Ids::new(context.require::<Reqids>()?),
        space: SpiSpace::new(shards),
        esp_space: EspSpiSpace::new(spi_min, spi_max, shards),
        options,
        counters: Counters::default(),
        counted: Arc::default(),
        job_slots: Semaphore::new(cores),
        inputs,
    });
    let mut datagrams = Vec::with_capacity(shards);
    let mut tasks = JoinSet::new();
    for (index, inputs) in receivers.into_iter().enumerate() {
        let (sender, receiver) = mpsc::channel(DATAGRAMS_DEPTH);
        datagrams.push(sender);
        let shard = Shard::new(index, Arc::clone(&shared), shared.inputs[index].clone());
        tasks.spawn(shard.run(inputs, receiver));
    }
    let mut keeping = JoinSet::new();
    keeping.spawn(keep_virtual_ips);
    let roaming = roam::follow(&shared).await;
    let kernel_events = kernel_queue::follow_events(&shared);
    let inlet = Inlet::new(Arc::clone(&shared), datagrams);
    let receiving = sockets.start(&(Arc::new(inlet) as Arc<dyn IkeReceiver>));
    context.provide(Arc::clone(&shared.counted))?;
    context.provide::<dyn IkeEngine>(Arc::new(Engine::new(Arc::clone(&shared))))?;
    Ok(Box::new(move || {
        Box::pin(async move {
            for shard in 0..shared.shards() {
                shared.send_to(shard, Input::Stop).await;
            }
            while tasks.join_next().await.is_some() {}
            shared.virtual_ips.finish().await;
            drop((receiving, kernel_events, roaming, keeping, interfaces, resolving));
        })
    }))
}

fn setting(fault: ValueError) -> LoadError {
    LoadError::Settings(fault.to_string())
}
