//! The service, and the tasks behind it.

use std::sync::Arc;
use std::time::Duration;

use charon_core::plugin::LoadError;
use charon_core::service::kernel_net::{Family, Rule, RulePackets};
use charon_core::service::{BoxFuture, EspReceiver, IkeSockets, KernelIpsec, KernelNet};
use charon_types::kernel_op::{
    KernelCapabilities, KernelError, KernelEvent, KernelOp, KernelResult, Policy, PolicyDirection,
};
use esp_proto::{Discard, Engine, Sealer};
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::clock::Clock;
use crate::device::TunDevice;
use crate::events::{self, Events};
use crate::inbound::Receiver;
use crate::outbound;
use crate::routes::{self, Request, Routes};
use crate::settings::{self, Settings};

/// MTU of the device. An inner packet of this size fits an Ethernet frame with every algorithm over IPv4 and, but for CBC with
/// HMAC-SHA-512, over IPv6; the kernel tells inner senders of larger ones.
const MTU: u32 = 1400;

/// How long the device may take to come up; it takes microseconds.
const LINK_UP_MAX: Duration = Duration::from_secs(2);

/// SAs and policies of userspace ESP.
pub struct LibIpsec {
    engine: Arc<Engine>,
    capabilities: KernelCapabilities,
    clock: Clock,
    settings: Settings,
    net: Arc<dyn KernelNet>,
    receiver: Arc<Receiver>,
    routes: mpsc::Sender<Request>,
    timers_changed: Arc<Notify>,
    events: Mutex<Option<mpsc::Receiver<KernelEvent>>>,
    tasks: Mutex<JoinSet<()>>,
}

impl LibIpsec {
    /// Makes the device, the rules and the tasks. Call it within a tokio runtime.
    ///
    /// # Errors
    /// [`LoadError::Unavailable`] if this machine has no TUN devices for us; others if the device cannot be set up.
    pub async fn start(
        engine: Engine,
        net: Arc<dyn KernelNet>,
        sockets: Arc<dyn IkeSockets>,
        settings: Settings,
    ) -> Result<Self, LoadError> {
        let device = Arc::new(TunDevice::create()?);
        net.set_link_up(device.index(), Some(MTU))
            .await
            .map_err(|error| LoadError::Unavailable(format!("bringing {} up: {error}", device.name())))?;
        let opened = tokio::time::timeout(LINK_UP_MAX, device.writable()).await;
        if !matches!(opened, Ok(Ok(()))) {
            return Err(LoadError::Unavailable(format!("{} takes no packets", device.name())));
        }
        // What a predecessor left that was killed.
        if let Err(error) = net.flush_table(settings.table).await {
            warn!(target: "KNL", "flushing routing table {} failed: {error}", settings.table);
        }
        if settings.routes == settings::Routes::Install {
            add_rules(&*net, settings).await;
        }
        let engine = Arc::new(engine);
        let clock = Clock::start();
        let (sender, receiver) = mpsc::channel(events::DEPTH);
        let events = Events::new(Arc::clone(&engine), sender);
        let inbound = Receiver::new(Arc::clone(&engine), Arc::clone(&device), events.clone(), clock);
        let inbound = Arc::new(inbound);
        let (routes, requests) = mpsc::channel(routes::DEPTH);
        let timers_changed = Arc::new(Notify::new());
        let sealer = Sealer::new(Arc::clone(&engine));
        let keeper = Routes::new(Arc::clone(&net), settings, device.index());
        let timers = run_timers(Arc::clone(&engine), events.clone(), clock, Arc::clone(&timers_changed));
        let mut tasks = JoinSet::new();
        tasks.spawn(outbound::run(Arc::clone(&device), sealer, Arc::clone(&sockets), events, clock));
        tasks.spawn(keeper.run(requests));
        tasks.spawn(timers);
        sockets.attach_esp(Arc::clone(&inbound) as Arc<dyn EspReceiver>);
        info!(target: "KNL", "created TUN device {}, MTU {MTU}", device.name());
        Ok(Self {
            capabilities: engine.capabilities(),
            engine,
            clock,
            settings,
            net,
            receiver: inbound,
            routes,
            timers_changed,
            events: Mutex::new(Some(receiver)),
            tasks: Mutex::new(tasks),
        })
    }

    /// Removes routes, rules and the device, and ends the tasks.
    pub async fn stop(&self) {
        self.receiver.close();
        let (done, removed) = oneshot::channel();
        if self.routes.send(Request::RemoveAll(done)).await.is_ok() {
            // An error says that the task has ended already, and it removes everything before it ends.
            let _ = removed.await;
        }
        if self.settings.routes == settings::Routes::Install {
            for rule in rules(self.settings) {
                match self.net.remove_rule(rule).await {
                    Ok(()) | Err(KernelError::NotFound) => {}
                    Err(error) => warn!(target: "KNL", "removing a routing rule failed: {error}"),
                }
            }
        }
        let mut tasks = std::mem::take(&mut *self.tasks.lock());
        tasks.shutdown().await;
        let discards = self.engine.discards();
        for reason in Discard::ALL {
            let count = discards.get(reason);
            if count > 0 {
                info!(target: "ESP", "packets dropped, {reason}: {count}");
            }
        }
    }

    /// Packets dropped for that reason so far.
    #[must_use]
    pub fn dropped(&self, reason: Discard) -> u64 {
        self.engine.discards().get(reason)
    }

    /// Asks for the route that a policy needs, or its removal.
    fn request_route(&self, op: &KernelOp) -> Option<Pending> {
        if self.settings.routes == settings::Routes::Leave {
            return None;
        }
        let (done, answer) = oneshot::channel();
        let (request, added) = match op {
            KernelOp::AddPolicy(policy) if policy.direction == PolicyDirection::Out => {
                (Request::Add(policy.clone(), done), Some(policy.clone()))
            }
            KernelOp::DeletePolicy(policy) if policy.direction == PolicyDirection::Out => {
                (Request::Remove(policy.clone(), done), None)
            }
            _ => return None,
        };
        // Full or gone: the answer's sender is dropped, which is noticed as such.
        let _ = self.routes.try_send(request);
        Some(Pending { answer, added })
    }
}

/// A policy whose route is under way.
struct Pending {
    answer: oneshot::Receiver<Result<(), KernelError>>,
    /// The policy to take back if that fails.
    added: Option<Box<Policy>>,
}

impl KernelIpsec for LibIpsec {
    fn name(&self) -> &'static str {
        "kernel-libipsec"
    }

    fn capabilities(&self) -> &KernelCapabilities {
        &self.capabilities
    }

    fn submit(&self, ops: Vec<KernelOp>) -> BoxFuture<'static, Vec<KernelResult>> {
        let now = self.clock.now();
        let mut results = Vec::with_capacity(ops.len());
        let mut pending = Vec::new();
        // Only those have deadlines.
        let adds_sas = ops.iter().any(|op| matches!(op, KernelOp::AddSa(_)));
        for op in ops {
            let result = self.engine.apply(now, op.clone());
            if result.is_ok()
                && let Some(route) = self.request_route(&op)
            {
                pending.push((results.len(), route));
            }
            results.push(result);
        }
        if adds_sas {
            self.timers_changed.notify_one();
        }
        let engine = Arc::clone(&self.engine);
        Box::pin(async move {
            for (at, Pending { answer, added }) in pending {
                let Err(error) = answer.await.unwrap_or(Err(KernelError::Gone)) else { continue };
                if let Some(policy) = added {
                    // It was there a moment ago; if it is not any more, that is what we want.
                    let _ = engine.apply(now, KernelOp::DeletePolicy(policy));
                }
                if let Some(result) = results.get_mut(at) {
                    *result = Err(error);
                }
            }
            results
        })
    }

    fn take_events(&self) -> Option<mpsc::Receiver<KernelEvent>> {
        self.events.lock().take()
    }
}

/// Ends SAs in time. Abort is safe: the engine keeps the deadlines.
async fn run_timers(engine: Arc<Engine>, events: Events, clock: Clock, changed: Arc<Notify>) {
    loop {
        match engine.poll_timeout() {
            Some(deadline) => {
                let wait = tokio::time::sleep(clock.now().until(deadline));
                tokio::select! {
                    () = wait => {
                        engine.handle_timeout(clock.now());
                        events.forward();
                    }
                    () = changed.notified() => {}
                }
            }
            None => changed.notified().await,
        }
    }
}

fn rules(settings: Settings) -> [Rule; 2] {
    let Settings { table, priority, fwmark, .. } = settings;
    let packets = RulePackets::default();
    [Family::Ipv4, Family::Ipv6].map(|family| Rule { family, packets, table: Some(table), priority, fwmark })
}

/// A kernel without IPv6 refuses the second one; that is no reason to do without IPv4.
async fn add_rules(net: &dyn KernelNet, settings: Settings) {
    for rule in rules(settings) {
        if let Err(error) = net.add_rule(rule).await {
            let table = settings.table;
            warn!(target: "KNL", "adding the {:?} rule for table {table} failed: {error}", rule.family);
        }
    }
}
