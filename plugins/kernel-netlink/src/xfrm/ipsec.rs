//! The service.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use charon_core::kernel::{Change, PolicyTable, RouteSettings, SpiRange, TunnelRoutes, refused, refused_sa};
use charon_core::plugin::LoadError;
use charon_core::service::{BoxFuture, KernelIpsec, KernelNet};
use charon_types::id::{EspSpi, Mark};
use charon_types::kernel_op::{
    AddSa, Encap, KernelCapabilities, KernelError, KernelEvent, KernelOp, KernelReply, KernelResult, Mode,
    Offload, Policy, SaKey,
};
use nix::ifaddrs::getifaddrs;
use nix::net::if_::if_nametoindex;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use super::leftovers::{self, Tags};
use super::migrate::Resident;
use super::pipeline::{Answer, CHUNK, EEXIST, EINVAL, ENOENT, ENOSYS, ESRCH, Listed};
use super::settings::hash_policies;
use super::wire::{self, Attributes, Writer};
use super::{Pipeline, XfrmSettings, XfrmSocket, event, policy, probe, state};

/// The kernel is built without `XFRM_MSG_MIGRATE`.
const ENOPROTOOPT: i32 = 92;

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
    settings: XfrmSettings,
    /// Policies of this batch that stay in the kernel until they are added again, as they are there.
    staying: Vec<Policy>,
    migration: Migration,
}

/// Whether the kernel can move an SA with its policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Migration {
    Untried,
    Missing,
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
    /// others install the routes of tunnels.
    ///
    /// # Errors
    /// [`LoadError::Unavailable`] if this kernel has no ESP, or no XFRM for us.
    pub async fn start(
        net: Arc<dyn KernelNet>,
        routes: Option<RouteSettings>,
        spis: SpiRange,
        settings: XfrmSettings,
    ) -> Result<Self, LoadError> {
        let mut pipeline = open()?;
        let capabilities = probe::capabilities(&mut pipeline).map_err(LoadError::Unavailable)?;
        if let Err(error) = std::fs::write(LARVAL_LIFE, settings.larval_life.as_secs().to_string()) {
            info!(target: "KNL", "setting {LARVAL_LIFE} failed: {error}");
        }
        if let Some(from) = settings.hashed_from
            && let Err(error) = hash_policies(&mut pipeline, from)
        {
            warn!(target: "KNL", "policies are hashed as ever: {error}");
        }
        leftovers::remove(&mut pipeline, spis).report();
        let socket = XfrmSocket::for_events(settings.events_buffer).and_then(XfrmSocket::into_async);
        let socket = socket.map_err(|error| LoadError::Os { what: "watch events of XFRM".into(), error })?;
        let (sender, events) = mpsc::channel(event::DEPTH);
        let mut tasks = JoinSet::new();
        tasks.spawn(event::run(socket, sender));
        let routes = TunnelRoutes::start(net, routes).await;
        let inner = Inner {
            pipeline,
            policies: PolicyTable::default(),
            tags: Tags::default(),
            reserved: HashSet::new(),
            marks: HashMap::new(),
            settings,
            staying: Vec::new(),
            migration: Migration::Untried,
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
        leftovers::remove(&mut self.shared.inner.lock().pipeline, self.shared.spis).report();
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
        let Shared { inner, routes, .. } = &*self.shared;
        TunnelRoutes::run(routes.as_ref(), inner, ops, Inner::run)
    }

    fn take_events(&self) -> Option<mpsc::Receiver<KernelEvent>> {
        self.events.lock().take()
    }
}

/// What becomes of a policy that is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stay {
    No,
    /// A later operation of the batch adds it again.
    UntilAdded,
}

impl Inner {
    /// Runs operations in order, as many as possible in one datagram.
    fn run(&mut self, ops: Vec<KernelOp>) -> Vec<KernelResult> {
        let mut results = vec![Ok(KernelReply::Done); ops.len()];
        let returning = PolicyTable::returning(&ops);
        let (mut requests, mut pending) = (Vec::new(), Vec::new());
        for (at, op) in ops.into_iter().enumerate() {
            if let KernelOp::UpdateSa { sa, source, destination, encap } = op {
                self.flush(&mut requests, &mut pending, &mut results);
                if let Some(result) = results.get_mut(at) {
                    *result = self.update_sa(sa, source, destination, encap);
                }
                continue;
            }
            let stay = if returning.contains(&at) { Stay::UntilAdded } else { Stay::No };
            match self.request(op, stay) {
                Ok(Some((request, asked))) => {
                    requests.push(request);
                    pending.push(Pending { at, asked });
                    // What is built and answered soon stays in the processor's cache.
                    if requests.len() == CHUNK {
                        self.flush(&mut requests, &mut pending, &mut results);
                    }
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
        self.staying.clear();
        results
    }

    /// The request that an operation takes; `None` if the kernel has nothing to do.
    fn request(&mut self, op: KernelOp, stay: Stay) -> Result<Option<(Writer, Asked)>, KernelError> {
        let request = match op {
            KernelOp::AllocSpi { source, destination, protocol, min, max } => (
                state::reserve(source, destination, protocol, min, max),
                Asked::Reserve { destination, protocol },
            ),
            KernelOp::AddSa(mut sa) => {
                if sa.mode != Mode::Tunnel && !self.settings.transport_ports.is_enabled() {
                    // A second SA between the two hosts has the same addresses.
                    for ts in sa.source_ts.iter_mut().chain(&mut sa.destination_ts) {
                        *ts = ts.with_ports(0, 0, u16::MAX);
                    }
                }
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
                    Change::Install(wanted) if self.replaces_silently() => (wire::UPDPOLICY, wanted),
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
                Change::Remove(gone) if stay == Stay::UntilAdded => {
                    self.staying.push(*gone);
                    return Ok(None);
                }
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

    /// Whether a policy that is there already is replaced.
    fn replaces_silently(&self) -> bool {
        self.settings.policy_update.is_enabled() || !self.staying.is_empty()
    }

    /// Moves an SA: with a policy that moves, too, if that can be; else reads all of it, deletes it and adds it again, the last two
    /// in one datagram.
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
        let moved = SaKey { destination: destination.ip(), ..key };
        if mark == Mark::default()
            && let Some(resident) = Resident::read(&info)
            && self.migrates(&resident, moved, source, destination, encap)
        {
            return Ok(KernelReply::Done);
        }
        let add = state::moved(&info, source, destination, encap);
        let add = add.ok_or(KernelError::Os { what: "move an SA", errno: EINVAL })?;
        let delete = state::name(wire::DELSA, key, mark);
        let answers = self.pipeline.run(vec![delete, add]);
        answers.into_iter().collect::<Result<Vec<_>, _>>().map_err(failed)?;
        if let Some(mark) = self.marks.remove(&key) {
            self.marks.insert(moved, mark);
        }
        Ok(KernelReply::Done)
    }

    /// Moves the only SA of its kind with one of the policies that lead to it; `false` if it is where it was.
    fn migrates(
        &mut self,
        resident: &Resident,
        moved: SaKey,
        source: SocketAddr,
        destination: SocketAddr,
        encap: Encap,
    ) -> bool {
        let fits = |policy: &&Policy| resident.moves_with(policy, source, destination, encap);
        let Some(policy) = self.staying.iter().find(fits).filter(|_| self.migration != Migration::Missing)
        else {
            return false;
        };
        let request = resident.migrate(policy, source, destination, encap);
        let like = |listed: &Listed| Resident::read(&listed.1).is_some_and(|other| resident.is_like(&other));
        let alone =
            self.pipeline.dump(|| resident.neighbours()).map(|all| all.iter().filter(|sa| like(sa)).count());
        if alone != Ok(1) {
            return false;
        }
        let check = state::name(wire::GETSA, moved, Mark::default());
        let mut answers = self.pipeline.run(vec![request, check]).into_iter();
        match (answers.next(), answers.next()) {
            (Some(Ok(_)), Some(Ok(_))) => {
                debug!(target: "KNL", "the kernel migrated SA {} to {}", moved.spi, moved.destination);
                true
            }
            (Some(Err(ENOPROTOOPT | ENOSYS)), _) => {
                self.migration = Migration::Missing;
                false
            }
            (answer, _) => {
                debug!(target: "KNL", "migrating SA {} failed ({:?}), it is added anew", moved.spi, answer.map(|a| a.err()));
                false
            }
        }
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

#[cfg(test)]
mod tests;
