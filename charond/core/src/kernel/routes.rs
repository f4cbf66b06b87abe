//! Routes that let the host's own packets meet the policies of tunnels: for backends whose policies sit in the kernel.
//!
//! A route in a table of our own leads to each remote selector the way that the peer lies, with one of our addresses inside the
//! local selector as its source. Where we have no such address there is no route: packets of others are routed as ever.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use charon_conf::options::Configured;
use charon_conf::{ValueError, scalar};
use charon_types::id::IfId;
use charon_types::kernel_op::{
    KernelError, KernelOp, KernelResult, Mode, Policy, PolicyAction, PolicyDirection,
};
use charon_types::selector::TrafficSelector;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tracing::{debug, warn};

use super::local_source::{LocalSources, forget_route};
use crate::service::kernel_net::{Family, FwMark, Inverted, NetEvent, Route, Rule, RulePackets};
use crate::service::{BoxFuture, KernelNet};

/// Requests that may wait for the task; more are answered with [`KernelError::Gone`].
const DEPTH: usize = 8192;

/// Where routes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteSettings {
    /// Table of our routes (`routing_table`).
    pub table: u32,
    /// Priority of the rule that leads there (`routing_table_prio`).
    pub priority: u32,
    /// Mark that the rule asks for.
    pub fwmark: Option<FwMark>,
    /// Whether tunnels of XFRM interfaces get routes into those (`plugins.kernel-netlink.install_routes_xfrmi`).
    pub interfaces: InterfaceRoutes,
}

/// Who installs the routes into XFRM interfaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InterfaceRoutes {
    /// Whoever made the interface.
    #[default]
    Others,
    /// We do.
    Ours,
}

impl RouteSettings {
    /// Reads the daemon's settings; `None` if others install the routes (`install_routes`).
    ///
    /// # Errors
    /// The value that is none, with file, line and key.
    pub fn read(daemon: &Configured<'_>) -> Result<Option<Self>, ValueError> {
        if !daemon.bool("install_routes")? {
            return Ok(None);
        }
        Ok(Some(Self {
            table: daemon.int("routing_table")?,
            priority: daemon.int("routing_table_prio")?,
            fwmark: rule_mark(daemon)?,
            interfaces: if daemon.bool("plugins.kernel-netlink.install_routes_xfrmi")? {
                InterfaceRoutes::Ours
            } else {
                InterfaceRoutes::Others
            },
        }))
    }
}

/// The mark of the rule that leads to our table: as configured for it, else "not what our own sockets set".
///
/// # Errors
/// The value that is none, with file, line and key.
pub fn rule_mark(daemon: &Configured<'_>) -> Result<Option<FwMark>, ValueError> {
    let inverted = |inverted: bool| if inverted { Inverted::Yes } else { Inverted::No };
    let rule = |mark: scalar::Mark| FwMark {
        invert: inverted(mark.inverted),
        value: mark.value & mark.mask,
        mask: mark.mask,
    };
    if let Some(mark) = daemon.mark("plugins.kernel-netlink.fwmark")? {
        return Ok(Some(rule(mark)));
    }
    let of_sockets = daemon.mark("plugins.socket-default.fwmark")?;
    Ok(of_sockets.map(|mark| FwMark { invert: Inverted::Yes, ..rule(mark) }))
}

/// The routes of installed policies, kept by a task.
#[derive(Debug)]
pub struct TunnelRoutes {
    requests: mpsc::Sender<Request>,
    interfaces: InterfaceRoutes,
    _task: JoinSet<()>,
}

/// Where the outcome of a request goes, once the task has come to it.
type Done = oneshot::Sender<Result<(), KernelError>>;

/// [`Request::Add`] or [`Request::Remove`].
type Change = fn(Wanted, Done) -> Request;

#[derive(Debug)]
enum Request {
    Add(Wanted, Done),
    Remove(Wanted, Done),
    RemoveAll(oneshot::Sender<()>),
}

/// What a policy asks of routing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wanted {
    destination: (IpAddr, u8),
    within: TrafficSelector,
    local: IpAddr,
    peer: IpAddr,
    if_id: IfId,
}

impl TunnelRoutes {
    /// Removes what a killed predecessor left in the table, adds the rules and starts the task. It ends with the value; routes
    /// are removed by [`Self::stop`] only. Without settings others install the routes.
    pub async fn start(net: Arc<dyn KernelNet>, settings: Option<RouteSettings>) -> Option<Self> {
        let settings = settings?;
        if let Err(error) = net.flush_table(settings.table).await {
            warn!(target: "KNL", "flushing routing table {} failed: {error}", settings.table);
        }
        for rule in rules(settings) {
            // A kernel without IPv6 refuses the second one; that is no reason to do without IPv4.
            if let Err(error) = net.add_rule(rule).await {
                let table = settings.table;
                warn!(target: "KNL", "adding the {:?} rule for table {table} failed: {error}", rule.family);
            }
        }
        let (requests, receiver) = mpsc::channel(DEPTH);
        let mut task = JoinSet::new();
        let sources = LocalSources::new(Arc::clone(&net));
        task.spawn(Keeper { net, settings, sources, routes: HashMap::new() }.run(receiver));
        Some(Self { requests, interfaces: settings.interfaces, _task: task })
    }

    /// Has a backend run a batch, and the routes follow what succeeded, in the order in which the backend came to it. The
    /// results come once the routes are settled. A policy works without its route for everybody but the host itself, so that a
    /// failed route is no failed policy.
    pub fn run<Backend>(
        routes: Option<&Self>,
        backend: &Mutex<Backend>,
        ops: Vec<KernelOp>,
        run: impl FnOnce(&mut Backend, Vec<KernelOp>) -> Vec<KernelResult>,
    ) -> BoxFuture<'static, Vec<KernelResult>> {
        let asked: Vec<_> = match routes {
            Some(routes) => ops.iter().map(|op| routes.asked(op)).collect(),
            None => Vec::new(),
        };
        let mut backend = backend.lock();
        let mut results = run(&mut backend, ops);
        let mut waiting = Vec::new();
        if let Some(routes) = routes {
            for (at, (asked, result)) in asked.into_iter().zip(&results).enumerate() {
                if let (Some((change, wanted)), Ok(_)) = (asked, result) {
                    let (done, answer) = oneshot::channel();
                    // Full or gone: the answer's sender is dropped, which is noticed as such.
                    let _ = routes.requests.try_send(change(wanted, done));
                    waiting.push((at, answer));
                }
            }
        }
        drop(backend);
        if waiting.is_empty() {
            return Box::pin(std::future::ready(results));
        }
        Box::pin(async move {
            for (at, answer) in waiting {
                match (answer.await, results.get_mut(at)) {
                    (Err(_), Some(result)) => *result = Err(KernelError::Gone),
                    (Ok(Err(error)), _) => debug!(target: "KNL", "the route of a policy failed: {error}"),
                    (Ok(Ok(())), _) | (Err(_), None) => {}
                }
            }
            results
        })
    }

    /// Removes routes and rules.
    pub async fn stop(&self) {
        let (done, removed) = oneshot::channel();
        if self.requests.send(Request::RemoveAll(done)).await.is_ok() {
            // An error says that the task has ended, which it does not before it has removed everything.
            let _ = removed.await;
        }
    }

    /// What an operation that succeeds asks for; `None` if it needs no route.
    fn asked(&self, op: &KernelOp) -> Option<(Change, Wanted)> {
        let (change, policy): (Change, _) = match op {
            KernelOp::AddPolicy(policy) => (Request::Add, policy),
            KernelOp::DeletePolicy(policy) => (Request::Remove, policy),
            KernelOp::AllocSpi { .. }
            | KernelOp::AddSa(_)
            | KernelOp::UpdateSa { .. }
            | KernelOp::DeleteSa(_)
            | KernelOp::QuerySa(_) => return None,
        };
        let wanted = Wanted::of(policy)?;
        (wanted.if_id.0 == 0 || self.interfaces == InterfaceRoutes::Ours).then_some((change, wanted))
    }
}

impl Wanted {
    fn of(policy: &Policy) -> Option<Self> {
        let PolicyAction::Protect { source: local, destination: peer, mode, .. } = policy.action else {
            return None;
        };
        // A route cannot be for a protocol alone.
        let ours = policy.direction == PolicyDirection::Out && mode != Mode::Transport;
        let all = |selector: &TrafficSelector| selector.protocol == 0 && selector.is_any_port();
        (ours && all(&policy.source) && all(&policy.destination)).then(|| Self {
            destination: policy.destination.covering_subnet(),
            within: policy.source,
            local,
            peer,
            if_id: policy.if_id,
        })
    }
}

struct Keeper {
    net: Arc<dyn KernelNet>,
    settings: RouteSettings,
    sources: LocalSources,
    routes: HashMap<(IpAddr, u8), Entry>,
}

/// A destination behind tunnels.
struct Entry {
    /// Who wants it, the oldest first; the latest counts.
    owners: Vec<Wanted>,
    installed: Option<Route>,
}

impl Keeper {
    async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut changes = self.net.watch();
        let mut watching = true;
        loop {
            tokio::select! {
                biased;
                request = requests.recv() => match request {
                    // Whoever asked may have lost interest in the answer.
                    Some(Request::Add(wanted, done)) => drop(done.send(self.add(wanted).await)),
                    Some(Request::Remove(wanted, done)) => drop(done.send(self.remove(wanted).await)),
                    Some(Request::RemoveAll(done)) => {
                        self.remove_all().await;
                        let _ = done.send(());
                        return;
                    }
                    None => return,
                },
                change = changes.recv(), if watching => {
                    self.sources.on_event(change.as_ref());
                    match change {
                        Some(NetEvent::AddressAdded(_) | NetEvent::AddressRemoved(_) | NetEvent::LinkChanged(_)) => {
                            self.refresh().await;
                        }
                        Some(NetEvent::RoutesChanged) => {}
                        None => watching = false,
                    }
                }
            }
        }
    }

    async fn add(&mut self, wanted: Wanted) -> Result<(), KernelError> {
        let entry = self
            .routes
            .entry(wanted.destination)
            .or_insert_with(|| Entry { owners: Vec::new(), installed: None });
        let known = entry.owners.last().is_some_and(|latest| *latest == wanted);
        entry.owners.push(wanted);
        if !known {
            let source = self.sources.within(&wanted.within).await?;
            entry.install(&*self.net, self.settings.table, source).await;
        }
        Ok(())
    }

    async fn remove(&mut self, wanted: Wanted) -> Result<(), KernelError> {
        let entry = self.routes.get_mut(&wanted.destination).ok_or(KernelError::NotFound)?;
        let at = entry.owners.iter().rposition(|owner| *owner == wanted).ok_or(KernelError::NotFound)?;
        let counted = at + 1 == entry.owners.len();
        entry.owners.remove(at);
        if entry.owners.is_empty() {
            if let Some(route) = self.routes.remove(&wanted.destination).and_then(|entry| entry.installed) {
                forget_route(&*self.net, route).await;
            }
        } else if counted && let Some(latest) = entry.owners.last().filter(|latest| **latest != wanted) {
            let source = self.sources.within(&latest.within).await?;
            entry.install(&*self.net, self.settings.table, source).await;
        }
        Ok(())
    }

    /// Installs anew what an address or a link took with it, or what leads elsewhere now.
    async fn refresh(&mut self) {
        if self.routes.is_empty() {
            return;
        }
        if self.sources.refresh().await.is_err() {
            return;
        }
        for entry in self.routes.values_mut() {
            let source = entry.owners.last().and_then(|latest| self.sources.known_within(&latest.within));
            entry.install(&*self.net, self.settings.table, source).await;
        }
    }

    async fn remove_all(&mut self) {
        for (_, entry) in self.routes.drain() {
            if let Some(route) = entry.installed {
                forget_route(&*self.net, route).await;
            }
        }
        for rule in rules(self.settings) {
            match self.net.remove_rule(rule).await {
                Ok(()) | Err(KernelError::NotFound) => {}
                Err(error) => warn!(target: "KNL", "removing a routing rule failed: {error}"),
            }
        }
    }
}

impl Entry {
    /// Installs the route of the latest owner. That there is none to the peer at the moment is no fault of the policy's.
    async fn install(&mut self, net: &dyn KernelNet, table: u32, source: Option<IpAddr>) {
        let Some(wanted) = self.owners.last() else { return };
        let route = match route(net, table, wanted, source).await {
            Ok(route) => route,
            Err(error) => {
                debug!(target: "KNL", "no route to {} for the tunnel: {error}", wanted.peer);
                return;
            }
        };
        match (route, self.installed.take()) {
            (Some(route), before) => match net.add_route(route.clone()).await {
                Ok(()) => self.installed = Some(route),
                Err(error) => {
                    let (destination, prefix) = route.destination;
                    warn!(target: "KNL", "installing the route to {destination}/{prefix} failed: {error}");
                    self.installed = before;
                }
            },
            (None, Some(before)) => forget_route(net, before).await,
            (None, None) => {
                debug!(target: "KNL", "no local address lies in {}, so no route is installed", wanted.within);
            }
        }
    }
}

async fn route(
    net: &dyn KernelNet,
    table: u32,
    wanted: &Wanted,
    source: Option<IpAddr>,
) -> Result<Option<Route>, KernelError> {
    let any = wanted.within.contains(&TrafficSelector::ANY_IPV4)
        || wanted.within.contains(&TrafficSelector::ANY_IPV6);
    if source.is_none() && !any {
        return Ok(None);
    }
    if wanted.if_id.0 != 0 {
        let all = net.xfrm_interfaces().await?;
        let found = all.into_iter().find(|(_, interface)| interface.if_id == wanted.if_id);
        // It may come later: a link that comes up makes all look again.
        let (interface, _) = found.ok_or(KernelError::NotFound)?;
        let source = if any { None } else { source };
        return Ok(Some(Route { destination: wanted.destination, interface, gateway: None, source, table }));
    }
    let hop = net.next_hop(wanted.peer, Some(wanted.local)).await?;
    Ok(Some(Route {
        destination: wanted.destination,
        interface: hop.interface,
        // A peer on the link is the gateway itself: who is behind it does not answer there.
        gateway: hop
            .gateway
            .or_else(|| (wanted.peer.is_ipv4() == wanted.destination.0.is_ipv4()).then_some(wanted.peer)),
        source: if any { None } else { source },
        table,
    }))
}

fn rules(settings: RouteSettings) -> [Rule; 2] {
    let RouteSettings { table, priority, fwmark, .. } = settings;
    [Family::Ipv4, Family::Ipv6].map(|family| Rule {
        family,
        packets: RulePackets::default(),
        table: Some(table),
        priority,
        fwmark,
    })
}
