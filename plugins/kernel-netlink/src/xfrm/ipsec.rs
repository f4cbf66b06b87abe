//! The service.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use charon_core::kernel::{Change, PolicyTable, RouteDone, RouteSettings, TunnelRoutes};
use charon_core::plugin::LoadError;
use charon_core::service::{BoxFuture, KernelIpsec, KernelNet};
use charon_types::id::{EspSpi, Mark};
use charon_types::kernel_op::{
    AddSa, Encap, KernelCapabilities, KernelError, KernelEvent, KernelOp, KernelReply, KernelResult, Offload,
    Policy, SaKey,
};
use nix::ifaddrs::getifaddrs;
use nix::net::if_::if_nametoindex;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use super::leftovers::{self, SpiRange, Tags};
use super::pipeline::{Answer, EEXIST, EINVAL, ENOENT, ENOSYS, EOPNOTSUPP, EPROTONOSUPPORT, ESRCH, refused};
use super::wire::{self, Attributes, Writer};
use super::{Pipeline, XfrmSocket, event, policy, probe, state};

/// Seconds that a reserved SPI lives.
const LARVAL_LIFE: &str = "/proc/sys/net/core/xfrm_acq_expires";

/// SAs and policies of the kernel of the namespace in which it was made.
pub struct XfrmIpsec {
    capabilities: KernelCapabilities,
    shared: Arc<Shared>,
    events: Mutex<Option<mpsc::Receiver<KernelEvent>>>,
    tasks: Mutex<JoinSet<()>>,
}

struct Shared {
    inner: Mutex<Inner>,
    routes: Option<TunnelRoutes>,
    spis: SpiRange,
}

struct Inner {
    pipeline: Pipeline<XfrmSocket>,
    policies: PolicyTable,
    tags: Tags,
    /// Reservations that were not completed yet.
    reserved: HashSet<SaKey>,
    /// Marks of SAs that have one: they are a part of an SA's name.
    marks: HashMap<SaKey, Mark>,
}

/// A request under way, and what its answer means.
struct Pending {
    at: usize,
    asked: Asked,
}

enum Asked {
    Reserve { destination: std::net::IpAddr, protocol: charon_types::proposal::Protocol },
    AddSa(Box<AddSa>),
    DeleteSa(SaKey),
    QuerySa,
    Install(Box<Policy>, Box<Policy>),
    Uninstall,
}

impl XfrmIpsec {
    /// Asks the kernel what it can, removes leftovers and watches events. Call it within a tokio runtime. Without `routes`,
    /// others install the routes of tunnels; reserved SPIs are forgotten after `larval`.
    ///
    /// # Errors
    /// [`LoadError::Unavailable`] if this kernel has no ESP, or no XFRM for us.
    pub async fn start(
        net: Arc<dyn KernelNet>,
        routes: Option<RouteSettings>,
        spis: SpiRange,
        larval: Duration,
    ) -> Result<Self, LoadError> {
        let mut pipeline = open()?;
        let capabilities = probe::capabilities(&mut pipeline).map_err(LoadError::Unavailable)?;
        if let Err(error) = std::fs::write(LARVAL_LIFE, larval.as_secs().to_string()) {
            info!(target: "KNL", "setting {LARVAL_LIFE} failed: {error}");
        }
        leftovers::report(leftovers::remove(&mut pipeline, spis));
        let socket = XfrmSocket::for_events().and_then(XfrmSocket::into_async);
        let socket = socket.map_err(|error| LoadError::Os { what: "watch events of XFRM".into(), error })?;
        let (sender, events) = mpsc::channel(event::DEPTH);
        let mut tasks = JoinSet::new();
        tasks.spawn(event::run(socket, sender));
        let routes = match routes {
            Some(settings) => Some(TunnelRoutes::start(net, settings).await),
            None => None,
        };
        let inner = Inner {
            pipeline,
            policies: PolicyTable::default(),
            tags: Tags::default(),
            reserved: HashSet::new(),
            marks: HashMap::new(),
        };
        Ok(Self {
            capabilities,
            shared: Arc::new(Shared { inner: Mutex::new(inner), routes, spis }),
            events: Mutex::new(Some(events)),
            tasks: Mutex::new(tasks),
        })
    }

    /// Removes all that is left of ours, and ends the task.
    pub async fn stop(&self) {
        if let Some(routes) = &self.shared.routes {
            routes.stop().await;
        }
        let mut tasks = std::mem::take(&mut *self.tasks.lock());
        tasks.shutdown().await;
        leftovers::report(leftovers::remove(&mut self.shared.inner.lock().pipeline, self.shared.spis));
    }
}

/// A socket for requests.
fn open() -> Result<Pipeline<XfrmSocket>, LoadError> {
    let socket = XfrmSocket::for_requests();
    socket.map(Pipeline::new).map_err(|error| match error.kind() {
        io::ErrorKind::PermissionDenied => LoadError::Unavailable(format!("no XFRM for us: {error}")),
        _ => LoadError::Unavailable(format!("the kernel has no XFRM: {error}")),
    })
}

impl KernelIpsec for XfrmIpsec {
    fn name(&self) -> &'static str {
        "kernel-netlink"
    }

    fn capabilities(&self) -> &KernelCapabilities {
        &self.capabilities
    }

    fn is_of_system(&self) -> bool {
        true
    }

    fn submit(&self, ops: Vec<KernelOp>) -> BoxFuture<'static, Vec<KernelResult>> {
        let policies: Vec<_> = ops.iter().map(policy_change).collect();
        let mut results = self.shared.inner.lock().run(ops);
        let Some(routes) = &self.shared.routes else { return Box::pin(std::future::ready(results)) };
        let mut waiting = Vec::new();
        for (at, change) in policies.into_iter().enumerate() {
            if results.get(at).is_none_or(Result::is_err) {
                continue;
            }
            let done = match &change {
                Some(PolicyChange::Added(policy)) => routes.add(policy),
                Some(PolicyChange::Deleted(policy)) => routes.remove(policy),
                None => None,
            };
            if let Some(done) = done {
                waiting.push((at, done));
            }
        }
        if waiting.is_empty() {
            return Box::pin(std::future::ready(results));
        }
        Box::pin(async move {
            for (at, done) in waiting {
                settle(&mut results, at, done).await;
            }
            results
        })
    }

    fn take_events(&self) -> Option<mpsc::Receiver<KernelEvent>> {
        self.events.lock().take()
    }
}

/// A policy works without its route for everybody but the host itself, so that a failed route is no failed policy.
async fn settle(results: &mut [KernelResult], at: usize, done: RouteDone) {
    match done.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!(target: "KNL", "the route of a policy failed: {error}"),
        Err(_) => {
            if let Some(result) = results.get_mut(at) {
                *result = Err(KernelError::Gone);
            }
        }
    }
}

enum PolicyChange {
    Added(Box<Policy>),
    Deleted(Box<Policy>),
}

fn policy_change(op: &KernelOp) -> Option<PolicyChange> {
    match op {
        KernelOp::AddPolicy(policy) => Some(PolicyChange::Added(policy.clone())),
        KernelOp::DeletePolicy(policy) => Some(PolicyChange::Deleted(policy.clone())),
        KernelOp::AllocSpi { .. }
        | KernelOp::AddSa(_)
        | KernelOp::UpdateSa { .. }
        | KernelOp::DeleteSa(_)
        | KernelOp::QuerySa(_) => None,
    }
}

impl Inner {
    /// Runs operations in order, as many as possible in one datagram.
    fn run(&mut self, ops: Vec<KernelOp>) -> Vec<KernelResult> {
        let mut results = vec![Ok(KernelReply::Done); ops.len()];
        let (mut requests, mut pending) = (Vec::new(), Vec::new());
        for (at, op) in ops.into_iter().enumerate() {
            if let KernelOp::UpdateSa { sa, source, destination, encap } = op {
                self.flush(&mut requests, &mut pending, &mut results);
                if let Some(result) = results.get_mut(at) {
                    *result = self.update_sa(sa, source, destination, encap);
                }
                continue;
            }
            match self.request(op) {
                Ok(Some((request, asked))) => {
                    requests.push(request);
                    pending.push(Pending { at, asked });
                }
                Ok(None) => {}
                Err(error) => {
                    if let Some(result) = results.get_mut(at) {
                        *result = Err(error);
                    }
                }
            }
        }
        self.flush(&mut requests, &mut pending, &mut results);
        results
    }

    /// The request that an operation takes; `None` if the kernel has nothing to do.
    fn request(&mut self, op: KernelOp) -> Result<Option<(Writer, Asked)>, KernelError> {
        let request = match op {
            KernelOp::AllocSpi { source, destination, protocol, min, max } => (
                state::reserve(source, destination, protocol, min, max),
                Asked::Reserve { destination, protocol },
            ),
            KernelOp::AddSa(sa) => {
                let key = SaKey { destination: sa.destination.ip(), protocol: sa.protocol, spi: sa.spi };
                let kind = if self.reserved.remove(&key) { wire::UPDSA } else { wire::NEWSA };
                let device = if sa.options.offload == Offload::No { None } else { device_of(&sa) };
                (state::add(&sa, kind, self.tags.sa(), device)?, Asked::AddSa(sa))
            }
            KernelOp::DeleteSa(key) => {
                (state::name(wire::DELSA, key, self.mark_of(key)), Asked::DeleteSa(key))
            }
            KernelOp::QuerySa(key) => (state::name(wire::GETSA, key, self.mark_of(key)), Asked::QuerySa),
            KernelOp::AddPolicy(policy) => {
                let (kind, wanted) = match self.policies.add(&policy) {
                    Change::Install(wanted) => (wire::NEWPOLICY, wanted),
                    Change::Replace(wanted) => (wire::UPDPOLICY, wanted),
                    Change::Remove(_) | Change::Nothing => return Ok(None),
                };
                match policy::add(&wanted, kind, self.tags.policy()) {
                    Ok(request) => (request, Asked::Install(policy, wanted)),
                    Err(error) => {
                        self.forget(&policy);
                        return Err(error);
                    }
                }
            }
            KernelOp::DeletePolicy(policy) => match self.policies.remove(&policy)? {
                Change::Remove(gone) => (policy::delete(&gone)?, Asked::Uninstall),
                Change::Install(wanted) | Change::Replace(wanted) => {
                    (policy::add(&wanted, wire::UPDPOLICY, self.tags.policy())?, Asked::Uninstall)
                }
                Change::Nothing => return Ok(None),
            },
            KernelOp::UpdateSa { .. } => return Err(KernelError::Unsupported("an update among requests")),
        };
        Ok(Some(request))
    }

    fn flush(
        &mut self,
        requests: &mut Vec<Writer>,
        pending: &mut Vec<Pending>,
        results: &mut [KernelResult],
    ) {
        let answers = self.pipeline.run(std::mem::take(requests));
        for (Pending { at, asked }, answer) in std::mem::take(pending).into_iter().zip(answers) {
            let result = self.judge(asked, answer);
            if let Some(place) = results.get_mut(at) {
                *place = result;
            }
        }
    }

    /// What an answer means.
    fn judge(&mut self, asked: Asked, answer: Answer) -> KernelResult {
        match asked {
            Asked::Reserve { destination, protocol } => {
                let info = answer.map_err(|errno| match errno {
                    // All tries met SPIs in use.
                    ENOENT => KernelError::SpiExhausted,
                    errno => refused("reserve an SPI", errno),
                })?;
                let spi = state::spi(&info).and_then(|spi| EspSpi::from_be_bytes(spi.to_be_bytes()));
                let spi = spi.ok_or(KernelError::Os { what: "reserve an SPI", errno: EINVAL })?;
                self.reserved.insert(SaKey { destination, protocol, spi });
                Ok(KernelReply::Spi(spi))
            }
            Asked::AddSa(sa) => self.judge_added(&sa, answer),
            Asked::DeleteSa(key) => {
                self.reserved.remove(&key);
                self.marks.remove(&key);
                answer.map(|_| KernelReply::Done).map_err(|errno| refused("delete an SA", errno))
            }
            Asked::QuerySa => {
                let info = answer.map_err(|errno| refused("query an SA", errno))?;
                let usage = state::usage(&info, SystemTime::now());
                usage.map(KernelReply::Usage).ok_or(KernelError::Os { what: "query an SA", errno: EINVAL })
            }
            Asked::Install(policy, wanted) => self.judge_installed(&policy, &wanted, answer),
            Asked::Uninstall => match answer {
                // Somebody else removed it, and that is what was wanted.
                Ok(_) | Err(ENOENT | ESRCH) => Ok(KernelReply::Done),
                Err(errno) => Err(refused("delete a policy", errno)),
            },
        }
    }

    fn judge_added(&mut self, sa: &AddSa, mut answer: Answer) -> KernelResult {
        let key = SaKey { destination: sa.destination.ip(), protocol: sa.protocol, spi: sa.spi };
        if answer == Err(ESRCH) {
            // The reservation had ended by itself.
            answer = self.pipeline.run_one(state::add(sa, wire::NEWSA, self.tags.sa(), None)?);
        }
        if answer.is_err() && sa.options.offload == Offload::Auto {
            answer = self.pipeline.run_one(state::add(sa, wire::NEWSA, self.tags.sa(), None)?);
        }
        answer.map_err(|errno| refused_sa(sa, errno))?;
        if sa.mark != Mark::default() {
            self.marks.insert(key, sa.mark);
        }
        if matches!(sa.options.offload, Offload::Crypto | Offload::Packet) && !self.is_offloaded(key) {
            // The kernel does the work itself where a device cannot; that is not what was asked for.
            drop(self.pipeline.run_one(state::name(wire::DELSA, key, sa.mark)));
            self.marks.remove(&key);
            return Err(KernelError::Unsupported("hardware offload on that interface"));
        }
        Ok(KernelReply::Done)
    }

    fn judge_installed(&mut self, policy: &Policy, wanted: &Policy, mut answer: Answer) -> KernelResult {
        if answer == Err(EEXIST) {
            info!(
                target: "KNL",
                "policy {} === {} {:?} already exists, try to update it",
                wanted.source, wanted.destination, wanted.direction
            );
            answer = self.pipeline.run_one(policy::add(wanted, wire::UPDPOLICY, self.tags.policy())?);
        }
        answer.map(|_| KernelReply::Done).map_err(|errno| {
            self.forget(policy);
            refused("install a policy", errno)
        })
    }

    /// Takes back what [`PolicyTable::add`] noted.
    fn forget(&mut self, policy: &Policy) {
        if let Err(error) = self.policies.remove(policy) {
            warn!(target: "KNL", "a policy that was not installed is not known: {error}");
        }
    }

    /// Moves an SA: reads all of it, deletes it and adds it again, the last two in one datagram.
    fn update_sa(
        &mut self,
        key: SaKey,
        source: SocketAddr,
        destination: SocketAddr,
        encap: Encap,
    ) -> KernelResult {
        let mark = self.mark_of(key);
        let failed = |errno| refused("move an SA", errno);
        let info = self.pipeline.run_one(state::name(wire::GETSA, key, mark)).map_err(failed)?;
        let add = state::moved(&info, source, destination, encap);
        let add = add.ok_or(KernelError::Os { what: "move an SA", errno: EINVAL })?;
        let delete = state::name(wire::DELSA, key, mark);
        let answers = self.pipeline.run(vec![delete, add]);
        answers.into_iter().collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let moved = SaKey { destination: destination.ip(), ..key };
        if let Some(mark) = self.marks.remove(&key) {
            self.marks.insert(moved, mark);
        }
        Ok(KernelReply::Done)
    }

    fn mark_of(&self, key: SaKey) -> Mark {
        self.marks.get(&key).copied().unwrap_or_default()
    }

    fn is_offloaded(&mut self, key: SaKey) -> bool {
        let request = state::name(wire::GETSA, key, self.mark_of(key));
        let info = self.pipeline.run_one(request).unwrap_or_default();
        let attributes = info.get(wire::SA_INFO_LEN..).map(Attributes::new);
        attributes.is_some_and(|attributes| attributes.find(wire::A_OFFLOAD_DEV).is_some())
    }
}

/// Why an SA was refused, with the algorithm if that is what the kernel lacks.
fn refused_sa(sa: &AddSa, errno: i32) -> KernelError {
    match errno {
        ENOSYS | EPROTONOSUPPORT | EOPNOTSUPP => match (&sa.encryption, &sa.integrity) {
            (Some((id, _)), _) => KernelError::UnsupportedEncryption(*id),
            (None, Some((id, _))) => KernelError::UnsupportedIntegrity(*id),
            (None, None) => KernelError::KeyLength,
        },
        errno => refused("add an SA", errno),
    }
}

/// The interface that has our address of an SA.
fn device_of(sa: &AddSa) -> Option<u32> {
    let ours = match sa.direction {
        charon_types::kernel_op::Direction::Inbound => sa.destination.ip(),
        charon_types::kernel_op::Direction::Outbound => sa.source.ip(),
    };
    let mut held = getifaddrs().ok()?;
    let found = held.find(|held| {
        let address = held.address.as_ref();
        let v4 = address.and_then(|address| address.as_sockaddr_in()).map(|address| address.ip().into());
        let v6 = || address.and_then(|address| address.as_sockaddr_in6()).map(|address| address.ip().into());
        v4.or_else(v6) == Some(ours)
    })?;
    if_nametoindex(found.interface_name.as_str()).ok()
}
