//! Installing and removing: the slow side of the engine, one thread at a time.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;

use charon_types::endpoint::Path;
use charon_types::id::{EspSpi, IfId, Mark, Reqid};
use charon_types::kernel_op::{
    AddSa, Direction, Encap, Expiry, KernelError, KernelOp, KernelReply, KernelResult, Mode, Offload, Policy,
    PolicyAction, PolicyDirection, SaKey, SaOptions,
};
use charon_types::proposal::Protocol;
use charon_types::selector::TrafficSelector;

use crate::clock::Millis;
use crate::engine::Engine;
use crate::inbound::InboundSa;
use crate::outbound::OutboundSa;
use crate::policy::{OutboundPolicy, Target};

/// Random SPIs tried before the range is searched from the last one on.
const RANDOM_TRIES: u32 = 16;

/// What is installed, as those who change it see it.
#[derive(Default)]
pub(crate) struct Control {
    inbound: HashMap<u32, Inbound>,
    outbound: HashMap<SaKey, Outbound>,
    /// Outbound SAs of a reqid, the newest last.
    by_reqid: HashMap<Reqid, Vec<Arc<OutboundSa>>>,
    policies: HashMap<PolicyKey, PolicyState>,
    /// Outbound policies whose packets take SAs of a reqid.
    protected: HashMap<Reqid, Vec<PolicyKey>>,
    timers: BTreeMap<TimerKey, (Sa, Expiry)>,
    timers_made: u64,
}

enum Inbound {
    Reserved(SaKey),
    Active { sa: Arc<InboundSa>, timers: Vec<TimerKey> },
}

struct Outbound {
    sa: Arc<OutboundSa>,
    timers: Vec<TimerKey>,
}

/// Deadline, and a number that makes it unique.
type TimerKey = (Millis, u64);

#[derive(Clone)]
enum Sa {
    Inbound(Arc<InboundSa>),
    Outbound(Arc<OutboundSa>),
}

/// What makes two policies the same.
#[derive(Clone, PartialEq, Eq, Hash)]
struct PolicyKey {
    direction: PolicyDirection,
    source: TrafficSelector,
    destination: TrafficSelector,
    mark: Mark,
    if_id: IfId,
}

struct PolicyState {
    /// In the order in which they came; the same may be there several times.
    owners: Vec<Owner>,
    /// What lookups see; inbound and forward policies are not looked up, since SAs check their selectors themselves.
    installed: Option<Arc<OutboundPolicy>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Owner {
    action: PolicyAction,
    priority: u32,
}

impl From<&Policy> for PolicyKey {
    fn from(policy: &Policy) -> Self {
        let &Policy { direction, source, destination, mark, if_id, .. } = policy;
        Self { direction, source, destination, mark, if_id }
    }
}

/// Appends to a list that mostly has one element: the first growth of a vector would make room for four.
fn append<T>(list: &mut Vec<T>, item: T) {
    if list.is_empty() {
        list.reserve_exact(1);
    }
    list.push(item);
}

impl PolicyState {
    /// Whose action counts: of the lowest priority the latest.
    fn active(&self) -> Option<Owner> {
        self.owners.iter().rev().min_by_key(|owner| owner.priority).copied()
    }
}

impl Control {
    pub(crate) fn apply(&mut self, engine: &Engine, now: Millis, op: KernelOp) -> KernelResult {
        match op {
            KernelOp::AllocSpi { destination, protocol, min, max, .. } => {
                refuse_unless(protocol == Protocol::Esp, "AH")?;
                let spi = self.free_spi(engine, min, max).ok_or(KernelError::SpiExhausted)?;
                self.inbound.insert(spi.get(), Inbound::Reserved(SaKey { destination, protocol, spi }));
                Ok(KernelReply::Spi(spi))
            }
            KernelOp::AddSa(sa) => {
                check_sa(&sa)?;
                match sa.direction {
                    Direction::Inbound => self.add_inbound(engine, now, &sa),
                    Direction::Outbound => self.add_outbound(engine, now, &sa),
                }
            }
            KernelOp::UpdateSa { sa, source, destination, encap } => {
                self.update_sa(sa, source, destination, encap)
            }
            KernelOp::DeleteSa(key) => self.delete_sa(engine, key),
            KernelOp::QuerySa(key) => {
                let usage = match (self.outbound.get(&key), self.inbound.get(&key.spi.get())) {
                    (Some(outbound), _) => Some(outbound.sa.usage(now)),
                    (None, Some(Inbound::Active { sa, .. })) if sa.key() == key => Some(sa.usage(now)),
                    _ => None,
                };
                usage.map(KernelReply::Usage).ok_or(KernelError::NotFound)
            }
            KernelOp::AddPolicy(policy) => self.add_policy(engine, &policy),
            KernelOp::DeletePolicy(policy) => self.delete_policy(engine, &policy),
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Millis> {
        self.timers.first_key_value().map(|((deadline, _), _)| *deadline)
    }

    /// Marks SAs whose time is up, and gives those that did not know it yet.
    pub(crate) fn handle_timeout(&mut self, now: Millis) -> Vec<(SaKey, Expiry)> {
        let mut expired = Vec::new();
        while let Some(entry) = self.timers.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let (sa, expiry) = entry.remove();
            let (key, told) = match sa {
                Sa::Inbound(sa) => (sa.key(), sa.meter().expire(expiry)),
                Sa::Outbound(sa) => (sa.key(), sa.meter().expire(expiry)),
            };
            expired.extend(told.map(|expiry| (key, expiry)));
        }
        expired
    }

    fn free_spi(&self, engine: &Engine, min: u32, max: u32) -> Option<EspSpi> {
        // SPIs up to 255 are reserved (RFC 4303 §2.1).
        let min = min.max(256);
        let span = max.checked_sub(min)?.saturating_add(1);
        let mut last = None;
        for _ in 0..RANDOM_TRIES {
            let spi = engine.random_spi(min, span)?;
            if !self.inbound.contains_key(&spi.get()) {
                return Some(spi);
            }
            last = Some(spi.get());
        }
        // The range is crowded: one of as many neighbours as there are SAs, and one more, is free, if any is.
        let start = last?;
        let steps = u32::try_from(self.inbound.len()).unwrap_or(u32::MAX).min(span.saturating_sub(1));
        let neighbours = (start..=max).chain(min..start).take(usize::try_from(steps).ok()?.saturating_add(1));
        let mut free = neighbours.filter(|spi| !self.inbound.contains_key(spi));
        free.next().and_then(|spi| EspSpi::from_be_bytes(spi.to_be_bytes()))
    }

    fn add_inbound(&mut self, engine: &Engine, now: Millis, sa: &AddSa) -> KernelResult {
        let spi = sa.spi.get();
        if matches!(self.inbound.get(&spi), Some(Inbound::Active { .. })) {
            return Err(KernelError::Exists);
        }
        let added = Arc::new(InboundSa::new(sa, &engine.crypto)?);
        let timers = self.arm(now, sa, &Sa::Inbound(Arc::clone(&added)));
        engine.inbound.insert(spi, Arc::clone(&added));
        self.inbound.insert(spi, Inbound::Active { sa: added, timers });
        Ok(KernelReply::Done)
    }

    fn add_outbound(&mut self, engine: &Engine, now: Millis, sa: &AddSa) -> KernelResult {
        let added = Arc::new(OutboundSa::new(sa, &engine.crypto)?);
        if self.outbound.contains_key(&added.key()) {
            return Err(KernelError::Exists);
        }
        let timers = self.arm(now, sa, &Sa::Outbound(Arc::clone(&added)));
        self.outbound.insert(added.key(), Outbound { sa: Arc::clone(&added), timers });
        append(self.by_reqid.entry(sa.reqid).or_default(), added);
        self.retarget(sa.reqid);
        Ok(KernelReply::Done)
    }

    fn update_sa(
        &mut self,
        key: SaKey,
        source: SocketAddr,
        destination: SocketAddr,
        encap: Encap,
    ) -> KernelResult {
        refuse_unless(encap == Encap::Udp, "ESP without UDP")?;
        let moved = SaKey { destination: destination.ip(), ..key };
        if let Some(outbound) = self.outbound.remove(&key) {
            outbound.sa.set_path(Path { local: source, remote: destination });
            self.outbound.insert(moved, outbound);
            return Ok(KernelReply::Done);
        }
        match self.inbound.get(&key.spi.get()) {
            Some(Inbound::Active { sa, .. }) if sa.key() == key => {
                sa.set_key(moved);
                sa.set_remote(source);
                Ok(KernelReply::Done)
            }
            _ => Err(KernelError::NotFound),
        }
    }

    fn delete_sa(&mut self, engine: &Engine, key: SaKey) -> KernelResult {
        if let Some(Outbound { sa, timers }) = self.outbound.remove(&key) {
            self.disarm(&timers);
            if let Some(siblings) = self.by_reqid.get_mut(&sa.reqid()) {
                siblings.retain(|sibling| !Arc::ptr_eq(sibling, &sa));
                if siblings.is_empty() {
                    self.by_reqid.remove(&sa.reqid());
                }
            }
            self.retarget(sa.reqid());
            return Ok(KernelReply::Done);
        }
        let spi = key.spi.get();
        let own = match self.inbound.get(&spi) {
            Some(Inbound::Reserved(own)) => *own,
            Some(Inbound::Active { sa, .. }) => sa.key(),
            None => return Err(KernelError::NotFound),
        };
        if own != key {
            return Err(KernelError::NotFound);
        }
        if let Some(Inbound::Active { timers, .. }) = self.inbound.remove(&spi) {
            self.disarm(&timers);
            engine.inbound.remove(&spi);
        }
        Ok(KernelReply::Done)
    }

    fn add_policy(&mut self, engine: &Engine, policy: &Policy) -> KernelResult {
        check_policy(policy)?;
        let key = PolicyKey::from(policy);
        let owner = Owner { action: policy.action, priority: policy.effective_priority() };
        let state = self
            .policies
            .entry(key.clone())
            .or_insert_with(|| PolicyState { owners: Vec::new(), installed: None });
        let before = state.active();
        append(&mut state.owners, owner);
        self.reinstall(engine, &key, policy, before);
        Ok(KernelReply::Done)
    }

    fn delete_policy(&mut self, engine: &Engine, policy: &Policy) -> KernelResult {
        let key = PolicyKey::from(policy);
        let state = self.policies.get_mut(&key).ok_or(KernelError::NotFound)?;
        let owner = Owner { action: policy.action, priority: policy.effective_priority() };
        let at = state.owners.iter().rposition(|held| *held == owner);
        let before = state.active();
        state.owners.remove(at.ok_or(KernelError::NotFound)?);
        self.reinstall(engine, &key, policy, before);
        Ok(KernelReply::Done)
    }

    /// Brings what lookups see in line with the owners, after one came or went.
    fn reinstall(&mut self, engine: &Engine, key: &PolicyKey, policy: &Policy, before: Option<Owner>) {
        if let Some(PolicyAction::Protect { reqid, .. }) = before.map(|owner| owner.action)
            && let Some(keys) = self.protected.get_mut(&reqid)
        {
            keys.retain(|held| held != key);
            if keys.is_empty() {
                self.protected.remove(&reqid);
            }
        }
        let Some(state) = self.policies.get_mut(key) else { return };
        let active = state.active();
        if key.direction == PolicyDirection::Out {
            if before.map(|owner| owner.priority) != active.map(|owner| owner.priority) {
                if let Some(installed) = state.installed.take() {
                    engine.policies.remove(&installed);
                }
                if let Some(active) = active {
                    let installed = Arc::new(OutboundPolicy::new(policy, active.priority));
                    engine.policies.insert(&installed);
                    state.installed = Some(installed);
                }
            }
            match active.map(|owner| owner.action) {
                Some(PolicyAction::Protect { reqid, .. }) => {
                    append(self.protected.entry(reqid).or_default(), key.clone());
                    self.retarget(reqid);
                }
                // What passes is led around us; if it comes here nevertheless, it does not go on in clear.
                Some(PolicyAction::Drop | PolicyAction::Pass) => {
                    state.installed.iter().for_each(|installed| installed.set_target(Target::Drop));
                }
                None => {}
            }
        }
        if active.is_none() {
            self.policies.remove(key);
        }
    }

    /// Points the policies of a reqid at the SA that their packets take now: the one that the policy names, else the newest.
    fn retarget(&self, reqid: Reqid) {
        let sas = self.by_reqid.get(&reqid).map(Vec::as_slice).unwrap_or_default();
        for key in self.protected.get(&reqid).into_iter().flatten() {
            let Some(state) = self.policies.get(key) else { continue };
            let (Some(installed), Some(active)) = (&state.installed, state.active()) else { continue };
            let PolicyAction::Protect { spi, .. } = active.action else { continue };
            let named = sas.iter().rev().find(|sa| Some(sa.key().spi) == spi);
            installed.set_target(match named.or_else(|| sas.last()) {
                Some(sa) => Target::Sa(Arc::clone(sa)),
                None => Target::NoSa(reqid),
            });
        }
    }

    fn arm(&mut self, now: Millis, sa: &AddSa, armed: &Sa) -> Vec<TimerKey> {
        let limits = [(sa.limits.soft.time, Expiry::Soft), (sa.limits.hard.time, Expiry::Hard)];
        let mut timers = Vec::new();
        for (time, expiry) in limits.into_iter().filter(|(time, _)| !time.is_zero()) {
            self.timers_made += 1;
            let key = (now.after(time), self.timers_made);
            self.timers.insert(key, (armed.clone(), expiry));
            append(&mut timers, key);
        }
        timers
    }

    fn disarm(&mut self, timers: &[TimerKey]) {
        for key in timers {
            self.timers.remove(key);
        }
    }
}

fn check_sa(sa: &AddSa) -> Result<(), KernelError> {
    refuse_unless(sa.protocol == Protocol::Esp, "AH")?;
    refuse_unless(sa.mode == Mode::Tunnel, "a mode other than tunnel")?;
    refuse_unless(sa.encap == Encap::Udp, "ESP without UDP")?;
    refuse_unless(sa.mark == Mark::default(), "a mark")?;
    refuse_unless(sa.if_id == IfId(0), "an interface id")?;
    refuse_unless(matches!(sa.options.offload, Offload::No | Offload::Auto), "hardware offload")?;
    let options = SaOptions { offload: Offload::No, ..sa.options };
    refuse_unless(options == SaOptions::default(), "copy_df, copy_ecn, copy_dscp, set_mark or tfc_padding")
}

fn check_policy(policy: &Policy) -> Result<(), KernelError> {
    refuse_unless(policy.mark == Mark::default(), "a mark")?;
    refuse_unless(policy.if_id == IfId(0), "an interface id")?;
    refuse_unless(policy.interface.is_none(), "a policy for one interface")?;
    refuse_unless(policy.source.start.is_ipv4() == policy.destination.start.is_ipv4(), "mixed families")
}

const fn refuse_unless(fine: bool, what: &'static str) -> Result<(), KernelError> {
    if fine { Ok(()) } else { Err(KernelError::Unsupported(what)) }
}
