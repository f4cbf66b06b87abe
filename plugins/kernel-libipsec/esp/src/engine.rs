//! Tables of SAs and policies, and the way of a packet through them.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use charon_crypto::CryptoProvider;
use charon_types::algorithm::{EncryptionId, Esn};
use charon_types::endpoint::Path;
use charon_types::id::{EspSpi, Reqid};
use charon_types::kernel_op::{
    EncapSupport, Expiry, KernelCapabilities, KernelEvent, KernelOp, KernelResult, Mode, SaKey,
};
use charon_types::proposal::Protocol;
use parking_lot::Mutex;

use crate::clock::Millis;
use crate::control::Control;
use crate::discard::{Discard, DiscardCounters};
use crate::flow::Flow;
use crate::inbound::InboundSa;
use crate::policy::PolicyTable;
use crate::snapshot_map::SnapshotMap;

/// Events that wait to be taken; more are dropped, since limits and mappings are noticed again.
const EVENTS_MAX: usize = 4096;

/// What all threads that carry packets share. [`Engine::apply`] changes it, the others read it without locks.
pub struct Engine {
    pub(crate) crypto: Arc<CryptoProvider>,
    pub(crate) inbound: SnapshotMap<u32, Arc<InboundSa>>,
    pub(crate) policies: PolicyTable,
    control: Mutex<Control>,
    discards: DiscardCounters,
    events: Mutex<VecDeque<KernelEvent>>,
    events_waiting: AtomicBool,
}

impl Engine {
    /// An engine without SAs and policies.
    #[must_use]
    pub fn new(crypto: Arc<CryptoProvider>) -> Self {
        Self {
            crypto,
            inbound: SnapshotMap::new(),
            policies: PolicyTable::new(),
            control: Mutex::default(),
            discards: DiscardCounters::default(),
            events: Mutex::default(),
            events_waiting: AtomicBool::new(false),
        }
    }

    /// What can be installed: tunnel mode, in UDP, and shunts, with every cipher and MAC that the providers have.
    #[must_use]
    pub fn capabilities(&self) -> KernelCapabilities {
        let aeads = self.crypto.aeads.iter().map(|held| (held.algorithm.id(), held.algorithm.key_bits()));
        let ciphers = self.crypto.ciphers.iter().map(|held| (held.algorithm.id(), held.algorithm.key_bits()));
        let mut encryption = Vec::new();
        for algorithm in aeads.chain(ciphers).chain([(EncryptionId::NULL, 0)]) {
            if algorithm.0 != EncryptionId::NULL_AES_GMAC && !encryption.contains(&algorithm) {
                encryption.push(algorithm);
            }
        }
        let mut integrity = Vec::new();
        for held in &self.crypto.macs {
            if !integrity.contains(&held.algorithm.id()) {
                integrity.push(held.algorithm.id());
            }
        }
        KernelCapabilities {
            encryption,
            integrity,
            modes: vec![Mode::Tunnel, Mode::Pass, Mode::Drop],
            protocols: vec![Protocol::Esp],
            encapsulation: EncapSupport::UdpOnly,
            esn: Esn::Enabled,
        }
    }

    /// Runs one operation.
    ///
    /// # Errors
    /// [`charon_types::kernel_op::KernelError`] as for any kernel; nothing has changed then.
    pub fn apply(&self, now: Millis, op: KernelOp) -> KernelResult {
        self.control.lock().apply(self, now, op)
    }

    /// Opens what arrived on `path`: ESP packets of `stride` octets back to back, the last may be shorter. What the SAs let
    /// through is handed on, in order, as the place of an inner packet in `datagrams`, and its selectors.
    pub fn open(
        &self,
        now: Millis,
        path: Path,
        datagrams: &mut [u8],
        stride: usize,
        mut deliver: impl FnMut(Range<usize>, &Flow),
    ) {
        let mut run: Option<Run> = None;
        let mut next = 0_usize;
        for packet in datagrams.chunks_mut(stride.max(1)) {
            let at = next;
            next = next.saturating_add(packet.len());
            let Some(spi) = packet.first_chunk().copied().map(u32::from_be_bytes) else {
                self.discards.count(Discard::Short, 1);
                continue;
            };
            if run.as_ref().is_none_or(|run| run.spi != spi) {
                self.finish(run.take(), now);
                run = self.inbound.get(&spi).map(|sa| Run { spi, sa, bytes: 0, packets: 0 });
            }
            let Some(run) = &mut run else {
                self.discards.count(Discard::UnknownSpi, 1);
                continue;
            };
            match run.sa.open(packet) {
                Ok(opened) => {
                    if run.packets == 0 && run.sa.remote() != path.remote {
                        run.sa.set_remote(path.remote);
                        self.report(KernelEvent::Mapping { sa: run.sa.key(), remote: path.remote });
                    }
                    run.packets += 1;
                    run.bytes += u64::try_from(opened.inner.len()).unwrap_or(0);
                    deliver(at + opened.inner.start..at + opened.inner.end, &opened.flow);
                }
                Err(reason) => self.discards.count(reason, 1),
            }
        }
        self.finish(run, now);
    }

    /// When [`Engine::handle_timeout`] has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Millis> {
        self.control.lock().poll_timeout()
    }

    /// Ends SAs whose time is up.
    pub fn handle_timeout(&self, now: Millis) {
        let expired = self.control.lock().handle_timeout(now);
        for (sa, expiry) in expired {
            self.report(KernelEvent::Expire { sa, expiry });
        }
    }

    /// The next event, in order. Cheap when there is none.
    #[must_use]
    pub fn poll_event(&self) -> Option<KernelEvent> {
        if !self.events_waiting.load(Ordering::Acquire) {
            return None;
        }
        let mut events = self.events.lock();
        let event = events.pop_front();
        self.events_waiting.store(!events.is_empty(), Ordering::Release);
        event
    }

    /// Packets dropped so far.
    #[must_use]
    pub const fn discards(&self) -> &DiscardCounters {
        &self.discards
    }

    pub(crate) fn expired(&self, sa: SaKey, expiry: Option<Expiry>) {
        if let Some(expiry) = expiry {
            self.report(KernelEvent::Expire { sa, expiry });
        }
    }

    /// A packet met a policy without an SA.
    pub(crate) fn ask_for_sa(&self, reqid: Reqid, flow: &Flow) {
        let (source, destination) = flow.selectors();
        self.report(KernelEvent::Acquire { reqid, source, destination });
    }

    /// An SPI that nobody uses yet may be any number.
    pub(crate) fn random_spi(&self, min: u32, span: u32) -> Option<EspSpi> {
        let offset = self.crypto.random().u32() % span.max(1);
        EspSpi::from_be_bytes(min.checked_add(offset)?.to_be_bytes())
    }

    fn finish(&self, run: Option<Run>, now: Millis) {
        if let Some(run) = run.filter(|run| run.packets > 0) {
            self.expired(run.sa.key(), run.sa.meter().count(now, run.bytes, run.packets));
        }
    }

    fn report(&self, event: KernelEvent) {
        let mut events = self.events.lock();
        if events.len() < EVENTS_MAX {
            events.push_back(event);
            self.events_waiting.store(true, Ordering::Release);
        }
    }
}

/// Packets of one SA in a row.
struct Run {
    spi: u32,
    sa: Arc<InboundSa>,
    bytes: u64,
    packets: u64,
}

#[cfg(test)]
pub(crate) mod tests;
