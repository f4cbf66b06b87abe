//! The service.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use charon_core::kernel::{Change, PolicyTable, RouteSettings, SpiRange, TunnelRoutes, refused, refused_sa};
use charon_core::plugin::LoadError;
use charon_core::service::{BoxFuture, KernelIpsec, KernelNet};
use charon_types::algorithm::Esn;
use charon_types::id::EspSpi;
use charon_types::kernel_op::{
    AddSa, Direction, Encap, EncapSupport, KernelCapabilities, KernelError, KernelEvent, KernelOp,
    KernelReply, KernelResult, Mode, Policy, PolicyAction, SaKey, SaUsage,
};
use charon_types::proposal::Protocol;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::warn;

use crate::algorithm::{ENCRYPTION, INTEGRITY};
use crate::event::{self, Report};
use crate::socket::{Exchange, KeySocket, REQUESTS_BUFFER_LEN};
use crate::wire::{self, KeyWriter, Message, Writer};
use crate::{leftovers, policy, sa};

const ENOENT: i32 = 2;
const ESRCH: i32 = 3;
const EEXIST: i32 = 17;
const EINVAL: i32 = 22;

/// SAs and policies of the kernel of the namespace in which it was made.
pub struct PfkeyIpsec {
    capabilities: KernelCapabilities,
    shared: Arc<Shared>,
    events: Mutex<Option<mpsc::Receiver<KernelEvent>>>,
    tasks: Mutex<JoinSet<()>>,
}

/// What requests and events have in common.
pub(crate) struct Shared {
    inner: Mutex<Inner>,
    routes: Option<TunnelRoutes>,
}

struct Inner {
    exchange: Exchange<KeySocket>,
    policies: PolicyTable,
    /// Policies by the kernel's number, since acquires say no more.
    indices: HashMap<u32, Policy>,
    /// Reservations that were not completed yet.
    reserved: HashSet<SaKey>,
    /// SAs: what was last seen of their traffic, since the kernel does not say when.
    sas: HashMap<SaKey, Seen>,
}

struct Seen {
    direction: Direction,
    packets: u64,
    at: Option<Instant>,
}

impl PfkeyIpsec {
    /// Asks the kernel what it can, removes leftovers and watches events. Call it within a tokio runtime. Without `routes`,
    /// others install the routes of tunnels; `spis` is what we reserve, `events_buffer` the room for events that wait in octets,
    /// 0 for what the system gives.
    ///
    /// # Errors
    /// [`LoadError::Unavailable`] if this kernel has no PF_KEY, or nothing of use behind it.
    pub async fn start(
        net: Arc<dyn KernelNet>,
        routes: Option<RouteSettings>,
        spis: SpiRange,
        events_buffer: usize,
    ) -> Result<Self, LoadError> {
        let open = |buffer_len| {
            KeySocket::open(buffer_len)
                .map_err(|error| LoadError::Unavailable(format!("the kernel has no PF_KEY: {error}")))
        };
        let mut exchange = Exchange::new(open(REQUESTS_BUFFER_LEN)?);
        let esp = registered(&mut exchange, wire::SATYPE_ESP)?;
        let ah = registered(&mut exchange, wire::SATYPE_AH);
        let capabilities = capabilities(&esp, ah.is_ok());
        if capabilities.encryption.is_empty() || capabilities.integrity.is_empty() {
            return Err(LoadError::Unavailable("the kernel's PF_KEY has no ESP algorithms".into()));
        }
        leftovers::remove(&mut exchange, spis).report();
        // A socket of its own hears of events, so that requests do not have to wade through them.
        let mut listening = Exchange::new(open(events_buffer)?);
        for kind in [wire::SATYPE_ESP, wire::SATYPE_AH] {
            drop(listening.ask(Writer::message(wire::REGISTER, kind)));
        }
        let socket = listening.into_transport().into_async();
        let socket =
            socket.map_err(|error| LoadError::Os { what: "watch events of PF_KEY".into(), error })?;
        let routes = TunnelRoutes::start(net, routes).await;
        let inner = Inner {
            exchange,
            policies: PolicyTable::default(),
            indices: HashMap::new(),
            reserved: HashSet::new(),
            sas: HashMap::new(),
        };
        let shared = Arc::new(Shared { inner: Mutex::new(inner), routes });
        let (sender, events) = mpsc::channel(event::DEPTH);
        let mut tasks = JoinSet::new();
        tasks.spawn(event::run(socket, Arc::clone(&shared), sender));
        Ok(Self { capabilities, shared, events: Mutex::new(Some(events)), tasks: Mutex::new(tasks) })
    }

    /// Removes all that is left of ours, and ends the task.
    pub async fn stop(&self) {
        if let Some(routes) = &self.shared.routes {
            routes.stop().await;
        }
        let mut tasks = std::mem::take(&mut *self.tasks.lock());
        tasks.shutdown().await;
        self.shared.inner.lock().remove_all();
    }
}

impl KernelIpsec for PfkeyIpsec {
    fn name(&self) -> &'static str {
        "kernel-pfkey"
    }

    fn capabilities(&self) -> &KernelCapabilities {
        &self.capabilities
    }

    fn is_of_system(&self) -> bool {
        true
    }

    fn submit(&self, ops: Vec<KernelOp>) -> BoxFuture<'static, Vec<KernelResult>> {
        TunnelRoutes::run(self.shared.routes.as_ref(), &self.shared.inner, ops, |inner, ops| {
            ops.iter().map(|op| inner.run(op)).collect()
        })
    }

    fn take_events(&self) -> Option<mpsc::Receiver<KernelEvent>> {
        self.events.lock().take()
    }
}

impl Shared {
    /// What a report means here; `None` if it concerns nobody.
    pub(crate) fn event(&self, report: Report) -> Option<KernelEvent> {
        let inner = self.inner.lock();
        match report {
            Report::Acquire { policy } => {
                let policy = inner.indices.get(&policy)?;
                let PolicyAction::Protect { reqid, .. } = policy.action else { return None };
                Some(KernelEvent::Acquire { reqid, source: policy.source, destination: policy.destination })
            }
            Report::Expire(sa, expiry) => Some(KernelEvent::Expire { sa, expiry }),
            Report::Mapping { protocol, spi, remote } => {
                let ours = |(key, seen): &(&SaKey, &Seen)| {
                    seen.direction == Direction::Inbound && key.spi == spi && key.protocol == protocol
                };
                let (sa, _) = inner.sas.iter().find(ours)?;
                Some(KernelEvent::Mapping { sa: *sa, remote })
            }
        }
    }
}

impl Inner {
    fn run(&mut self, op: &KernelOp) -> KernelResult {
        match op {
            KernelOp::AllocSpi { source, destination, protocol, min, max } => {
                let request = sa::reserve(*source, *destination, *protocol, *min, *max);
                let answer = self.exchange.ask(request).map_err(|errno| match errno {
                    ENOENT | EEXIST => KernelError::SpiExhausted,
                    errno => refused("reserve an SPI", errno),
                })?;
                let spi = Message::parse(&answer).as_ref().and_then(sa::spi);
                let spi = spi.and_then(|spi| EspSpi::from_be_bytes(spi.to_be_bytes()));
                let spi = spi.ok_or(KernelError::SpiExhausted)?;
                self.reserved.insert(SaKey { destination: *destination, protocol: *protocol, spi });
                Ok(KernelReply::Spi(spi))
            }
            KernelOp::AddSa(sa) => self.add_sa(sa),
            KernelOp::UpdateSa { sa, source, destination, encap } => {
                self.update_sa(*sa, *source, *destination, *encap)
            }
            KernelOp::DeleteSa(key) => {
                self.reserved.remove(key);
                self.sas.remove(key);
                self.done(sa::name(wire::DELETE, *key), "delete an SA")
            }
            KernelOp::QuerySa(key) => self.query(*key),
            KernelOp::AddPolicy(policy) => self.add_policy(policy),
            KernelOp::DeletePolicy(policy) => match self.policies.remove(policy)? {
                Change::Remove(gone) => {
                    self.indices.retain(|_, known| *known != *gone);
                    match self.done(policy::message(&gone, wire::SPDDELETE)?, "delete a policy") {
                        // Somebody else removed it, and that is what was wanted.
                        Err(KernelError::NotFound) => Ok(KernelReply::Done),
                        result => result,
                    }
                }
                Change::Install(wanted) | Change::Replace(wanted) => self.install(&wanted, wire::SPDUPDATE),
                Change::Nothing => Ok(KernelReply::Done),
            },
        }
    }

    fn add_sa(&mut self, sa: &AddSa) -> KernelResult {
        let key = SaKey { destination: sa.destination.ip(), protocol: sa.protocol, spi: sa.spi };
        let kind = if self.reserved.remove(&key) { wire::UPDATE } else { wire::ADD };
        let mut answer = self.exchange.ask(sa::add(sa, kind)?);
        if answer == Err(ESRCH) {
            // The reservation had ended by itself.
            answer = self.exchange.ask(sa::add(sa, wire::ADD)?);
        }
        answer.map_err(|errno| refused_sa(sa, errno))?;
        self.sas.insert(key, Seen { direction: sa.direction, packets: 0, at: None });
        Ok(KernelReply::Done)
    }

    /// Ports alone can be changed: sequence numbers are not in PF_KEY's words, so an SA cannot be made again elsewhere.
    fn update_sa(
        &mut self,
        key: SaKey,
        source: SocketAddr,
        destination: SocketAddr,
        encap: Encap,
    ) -> KernelResult {
        let known = self.exchange.ask(sa::name(wire::GET, key));
        let known = known.map_err(|errno| refused("move an SA", errno))?;
        let broken = KernelError::Os { what: "move an SA", errno: EINVAL };
        let known = Message::parse(&known).ok_or(broken)?;
        let encapsulated = known.find(wire::X_NAT_T_TYPE).is_some();
        let stays = sa::address(&known, wire::X_ADDRESS_SRC) == Some(source.ip())
            && sa::address(&known, wire::X_ADDRESS_DST) == Some(destination.ip());
        if !stays || encapsulated != (encap == Encap::Udp) {
            return Err(KernelError::Unsupported("moving an SA to another address by PF_KEY"));
        }
        if !encapsulated {
            return Ok(KernelReply::Done);
        }
        self.done(sa::other_ports(&known, source.port(), destination.port()), "move an SA")
    }

    fn query(&mut self, key: SaKey) -> KernelResult {
        let answer = self.exchange.ask(sa::name(wire::GET, key));
        let answer = answer.map_err(|errno| refused("query an SA", errno))?;
        let counters = Message::parse(&answer).as_ref().and_then(sa::counters);
        let (bytes, packets) = counters.ok_or(KernelError::Os { what: "query an SA", errno: EINVAL })?;
        let now = Instant::now();
        let idle = self.sas.get_mut(&key).and_then(|seen| {
            if seen.packets != packets {
                (seen.packets, seen.at) = (packets, Some(now));
            }
            seen.at.map(|at| now.saturating_duration_since(at))
        });
        Ok(KernelReply::Usage(SaUsage { bytes, packets, idle }))
    }

    fn add_policy(&mut self, policy: &Policy) -> KernelResult {
        let (kind, wanted) = match self.policies.add(policy) {
            Change::Install(wanted) => (wire::SPDADD, wanted),
            Change::Replace(wanted) => (wire::SPDUPDATE, wanted),
            Change::Remove(_) | Change::Nothing => return Ok(KernelReply::Done),
        };
        let result = match self.install(&wanted, kind) {
            Err(KernelError::Exists) => self.install(&wanted, wire::SPDUPDATE),
            result => result,
        };
        if result.is_err()
            && let Err(error) = self.policies.remove(policy)
        {
            warn!(target: "KNL", "a policy that was not installed is not known: {error}");
        }
        result
    }

    fn install(&mut self, wanted: &Policy, kind: u8) -> KernelResult {
        let answer = self.exchange.ask(policy::message(wanted, kind)?);
        let answer = answer.map_err(|errno| refused("install a policy", errno))?;
        if let Some(index) = Message::parse(&answer).as_ref().and_then(policy::index) {
            self.indices.insert(index, wanted.clone());
        }
        Ok(KernelReply::Done)
    }

    fn done(&mut self, request: Writer, what: &'static str) -> KernelResult {
        self.exchange.ask(request).map(|_| KernelReply::Done).map_err(|errno| refused(what, errno))
    }

    fn remove_all(&mut self) {
        let policies: Vec<_> = self.policies.installed().cloned().collect();
        for policy in policies {
            if let Ok(request) = policy::message(&policy, wire::SPDDELETE) {
                drop(self.exchange.ask(request));
            }
        }
        for key in self.sas.keys().chain(&self.reserved).copied().collect::<Vec<_>>() {
            drop(self.exchange.ask(sa::name(wire::DELETE, key)));
        }
    }
}

/// The kernel's answer to our registration, which lists its algorithms.
fn registered(exchange: &mut Exchange<KeySocket>, satype: u8) -> Result<Vec<u8>, LoadError> {
    exchange.ask(Writer::message(wire::REGISTER, satype)).map_err(|errno| {
        let error = std::io::Error::from_raw_os_error(errno);
        LoadError::Unavailable(format!("the kernel's PF_KEY takes no registration: {error}"))
    })
}

/// What is listed and known here.
fn capabilities(registered: &[u8], ah: bool) -> KernelCapabilities {
    let message = Message::parse(registered);
    let listed = |kind| {
        let mut numbers = Vec::new();
        let Some(mut value) = message.as_ref().and_then(|message| message.find(kind)) else { return numbers };
        value.u32();
        while let Some(number) = value.u8() {
            numbers.push(number);
            if value.bytes(7).is_none() {
                break;
            }
        }
        numbers
    };
    let (authenticating, encrypting) = (listed(wire::X_SUPPORTED_AUTH), listed(wire::X_SUPPORTED_ENCRYPT));
    let known = ENCRYPTION.iter().filter(|(_, number, ..)| encrypting.contains(number));
    let encryption = known.flat_map(|(id, _, bits, _)| bits.iter().map(|bits| (*id, *bits))).collect();
    let known = INTEGRITY.iter().filter(|(_, number, _)| authenticating.contains(number));
    KernelCapabilities {
        encryption,
        integrity: known.map(|(id, ..)| *id).collect(),
        // BEET needs the inner addresses in the SA, for which Linux takes one of the two.
        modes: vec![Mode::Tunnel, Mode::Transport, Mode::Pass, Mode::Drop],
        protocols: if ah { vec![Protocol::Esp, Protocol::Ah] } else { vec![Protocol::Esp] },
        encapsulation: EncapSupport::Any,
        esn: Esn::Disabled,
    }
}
