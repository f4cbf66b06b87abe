//! SAs and policies in memory.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;

use charon_core::service::{BoxFuture, KernelIpsec};
use charon_crypto::CryptoProvider;
use charon_types::algorithm::{EncryptionId, Esn};
use charon_types::id::{EspSpi, IfId, Mark};
use charon_types::kernel_op::{
    AddSa, Direction, EncapSupport, KernelCapabilities, KernelError, KernelEvent, KernelOp, KernelReply,
    KernelResult, Mode, Policy, PolicyAction, PolicyDirection, SaKey, SaUsage,
};
use charon_types::proposal::Protocol;
use charon_types::selector::TrafficSelector;
use parking_lot::Mutex;
use tokio::sync::mpsc;

/// Events kept until someone takes them; more are dropped, as a kernel does.
const EVENTS_MAX: usize = 1024;

/// An SA as installed.
#[derive(Clone, Debug)]
pub struct InstalledSa {
    /// As it was added, with the addresses it has now.
    pub sa: AddSa,
    /// Counters; set by [`NullIpsec::set_usage`].
    pub usage: SaUsage,
}

/// A policy as installed, with everyone who asked for it.
#[derive(Clone, Debug)]
pub struct InstalledPolicy {
    /// As the last owner added it.
    pub policy: Policy,
    /// Actions of its owners, the oldest first. The same action may be there several times.
    pub owners: Vec<PolicyAction>,
}

/// A request that a correct daemon never makes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// An SA was added that is there already.
    SaExists(SaKey),
    /// An SA was changed, read or deleted that is not there.
    SaUnknown(SaKey),
    /// An inbound SA was added under an SPI that was never reserved.
    SpiNotReserved(SaKey),
    /// An SA was added without any key.
    NoKey(SaKey),
    /// A policy was deleted that nobody owns with that action.
    PolicyUnknown(Box<Policy>),
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

impl From<&Policy> for PolicyKey {
    fn from(policy: &Policy) -> Self {
        let &Policy { direction, source, destination, mark, if_id, .. } = policy;
        Self { direction, source, destination, mark, if_id }
    }
}

#[derive(Default)]
struct State {
    reserved: BTreeSet<u32>,
    /// SPIs of SAs, and how many have each.
    in_use: HashMap<u32, usize>,
    /// For the start of each range that was asked for, an SPI below which none of it is free.
    lowest: HashMap<u32, u32>,
    sas: HashMap<SaKey, InstalledSa>,
    policies: HashMap<PolicyKey, InstalledPolicy>,
    violations: Vec<Violation>,
    failing: Option<KernelError>,
}

/// SAs and policies in memory.
pub struct NullIpsec {
    capabilities: KernelCapabilities,
    state: Mutex<State>,
    sender: mpsc::Sender<KernelEvent>,
    receiver: Mutex<Option<mpsc::Receiver<KernelEvent>>>,
}

impl NullIpsec {
    /// Nothing installed.
    #[must_use]
    pub fn new(capabilities: KernelCapabilities) -> Self {
        let (sender, receiver) = mpsc::channel(EVENTS_MAX);
        Self {
            capabilities,
            state: Mutex::new(State::default()),
            sender,
            receiver: Mutex::new(Some(receiver)),
        }
    }

    /// Every SA, in no order.
    #[must_use]
    pub fn sas(&self) -> Vec<InstalledSa> {
        self.state.lock().sas.values().cloned().collect()
    }

    /// One SA.
    #[must_use]
    pub fn sa(&self, key: SaKey) -> Option<InstalledSa> {
        self.state.lock().sas.get(&key).cloned()
    }

    /// Every policy, in no order.
    #[must_use]
    pub fn policies(&self) -> Vec<InstalledPolicy> {
        self.state.lock().policies.values().cloned().collect()
    }

    /// SPIs that are reserved and not yet in use.
    #[must_use]
    pub fn reserved_spis(&self) -> Vec<u32> {
        self.state.lock().reserved.iter().copied().collect()
    }

    /// Whether nothing is installed or reserved.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let state = self.state.lock();
        state.sas.is_empty() && state.policies.is_empty() && state.reserved.is_empty()
    }

    /// Misuse seen so far, in order.
    #[must_use]
    pub fn violations(&self) -> Vec<Violation> {
        self.state.lock().violations.clone()
    }

    /// Sets the counters that a query of that SA gives. `false` if there is none.
    pub fn set_usage(&self, key: SaKey, usage: SaUsage) -> bool {
        self.state.lock().sas.get_mut(&key).map(|sa| sa.usage = usage).is_some()
    }

    /// From now on every operation fails with that error; `None` ends it.
    pub fn fail_with(&self, error: Option<KernelError>) {
        self.state.lock().failing = error;
    }

    /// Reports an event as a kernel would. `false` if the queue is full or its receiver gone.
    pub fn report(&self, event: KernelEvent) -> bool {
        self.sender.try_send(event).is_ok()
    }

    /// Runs one operation now.
    ///
    /// # Errors
    /// What a kernel would answer.
    pub fn run(&self, op: KernelOp) -> KernelResult {
        let mut state = self.state.lock();
        if let Some(error) = &state.failing {
            return Err(error.clone());
        }
        match op {
            KernelOp::AllocSpi { min, max, .. } => state.alloc_spi(min, max),
            KernelOp::AddSa(sa) => state.add_sa(*sa, &self.capabilities),
            KernelOp::UpdateSa { sa, source, destination, encap } => {
                state.update_sa(sa, source, destination, encap)
            }
            KernelOp::DeleteSa(key) => state.delete_sa(key),
            KernelOp::QuerySa(key) => match state.sas.get(&key) {
                Some(sa) => Ok(KernelReply::Usage(sa.usage)),
                None => Err(state.unknown(key)),
            },
            KernelOp::AddPolicy(policy) => Ok(state.add_policy(*policy)),
            KernelOp::DeletePolicy(policy) => state.delete_policy(*policy),
        }
    }
}

impl KernelIpsec for NullIpsec {
    fn name(&self) -> &'static str {
        "kernel-null"
    }

    fn capabilities(&self) -> &KernelCapabilities {
        &self.capabilities
    }

    fn submit(&self, ops: Vec<KernelOp>) -> BoxFuture<'static, Vec<KernelResult>> {
        let results = ops.into_iter().map(|op| self.run(op)).collect();
        Box::pin(std::future::ready(results))
    }

    fn take_events(&self) -> Option<mpsc::Receiver<KernelEvent>> {
        self.receiver.lock().take()
    }
}

impl State {
    /// The lowest free SPI of the range, so that runs repeat exactly.
    fn alloc_spi(&mut self, min: u32, max: u32) -> KernelResult {
        let (reserved, in_use) = (&self.reserved, &self.in_use);
        let lowest = self.lowest.entry(min).or_insert_with(|| min.max(1));
        let free = (*lowest..=max).find(|spi| !reserved.contains(spi) && !in_use.contains_key(spi));
        let spi = free.ok_or(KernelError::SpiExhausted)?;
        *lowest = spi;
        self.reserved.insert(spi);
        EspSpi::from_be_bytes(spi.to_be_bytes()).map(KernelReply::Spi).ok_or(KernelError::SpiExhausted)
    }

    fn add_sa(&mut self, sa: AddSa, capabilities: &KernelCapabilities) -> KernelResult {
        let key = SaKey { destination: sa.destination.ip(), protocol: sa.protocol, spi: sa.spi };
        if !capabilities.modes.contains(&sa.mode) {
            return Err(KernelError::Unsupported("that mode"));
        }
        if !capabilities.protocols.contains(&sa.protocol) {
            return Err(KernelError::Unsupported("that protocol"));
        }
        if let Some((id, _)) = &sa.encryption
            && capabilities.encryption.iter().all(|(known, _)| known != id)
        {
            return Err(KernelError::UnsupportedEncryption(*id));
        }
        if self.sas.contains_key(&key) {
            self.violations.push(Violation::SaExists(key));
            return Err(KernelError::Exists);
        }
        if sa.encryption.is_none() && sa.integrity.is_none() {
            self.violations.push(Violation::NoKey(key));
            return Err(KernelError::KeyLength);
        }
        if sa.direction == Direction::Inbound && !self.reserved.remove(&sa.spi.get()) {
            self.violations.push(Violation::SpiNotReserved(key));
        }
        *self.in_use.entry(key.spi.get()).or_default() += 1;
        self.sas.insert(key, InstalledSa { sa, usage: SaUsage::default() });
        Ok(KernelReply::Done)
    }

    fn update_sa(
        &mut self,
        key: SaKey,
        source: SocketAddr,
        destination: SocketAddr,
        encap: charon_types::kernel_op::Encap,
    ) -> KernelResult {
        let Some(mut installed) = self.sas.remove(&key) else { return Err(self.unknown(key)) };
        installed.sa.source = source;
        installed.sa.destination = destination;
        installed.sa.encap = encap;
        self.sas.insert(SaKey { destination: destination.ip(), ..key }, installed);
        Ok(KernelReply::Done)
    }

    fn delete_sa(&mut self, key: SaKey) -> KernelResult {
        let spi = key.spi.get();
        if self.sas.remove(&key).is_some() {
            if let Entry::Occupied(mut users) = self.in_use.entry(spi) {
                *users.get_mut() -= 1;
                if *users.get() == 0 {
                    users.remove();
                }
            }
        } else if !self.reserved.remove(&spi) {
            return Err(self.unknown(key));
        }
        for (min, lowest) in &mut self.lowest {
            if spi >= *min {
                *lowest = spi.min(*lowest);
            }
        }
        Ok(KernelReply::Done)
    }

    fn unknown(&mut self, key: SaKey) -> KernelError {
        self.violations.push(Violation::SaUnknown(key));
        KernelError::NotFound
    }

    fn add_policy(&mut self, policy: Policy) -> KernelReply {
        let action = policy.action;
        let installed = self
            .policies
            .entry(PolicyKey::from(&policy))
            .or_insert_with(|| InstalledPolicy { policy: policy.clone(), owners: Vec::new() });
        installed.policy = policy;
        installed.owners.push(action);
        KernelReply::Done
    }

    fn delete_policy(&mut self, policy: Policy) -> KernelResult {
        let key = PolicyKey::from(&policy);
        let found = self.policies.get_mut(&key).and_then(|installed| {
            let at = installed.owners.iter().rposition(|action| *action == policy.action)?;
            installed.owners.remove(at);
            if let Some(&latest) = installed.owners.last() {
                installed.policy.action = latest;
            }
            Some(installed.owners.is_empty())
        });
        match found {
            Some(true) => {
                self.policies.remove(&key);
                Ok(KernelReply::Done)
            }
            Some(false) => Ok(KernelReply::Done),
            None => {
                self.violations.push(Violation::PolicyUnknown(Box::new(policy)));
                Err(KernelError::NotFound)
            }
        }
    }
}

/// Everything that the providers have, in every mode.
pub(crate) fn capabilities(crypto: &CryptoProvider) -> KernelCapabilities {
    let mut encryption = vec![];
    let aeads = crypto.aeads.iter().map(|offered| (offered.algorithm.id(), offered.algorithm.key_bits()));
    let ciphers = crypto.ciphers.iter().map(|offered| (offered.algorithm.id(), offered.algorithm.key_bits()));
    for algorithm in aeads.chain(ciphers).chain([(EncryptionId::NULL, 0)]) {
        if !encryption.contains(&algorithm) {
            encryption.push(algorithm);
        }
    }
    let mut integrity = vec![];
    for offered in &crypto.macs {
        if !integrity.contains(&offered.algorithm.id()) {
            integrity.push(offered.algorithm.id());
        }
    }
    KernelCapabilities {
        encryption,
        integrity,
        modes: vec![Mode::Tunnel, Mode::Transport, Mode::Beet, Mode::Pass, Mode::Drop],
        protocols: vec![Protocol::Esp, Protocol::Ah],
        encapsulation: EncapSupport::Any,
        esn: Esn::Enabled,
    }
}

#[cfg(test)]
mod tests;
