//! Outbound packets in batches: one SA, one path, one length, as UDP segmentation offload wants them.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use charon_types::endpoint::Path;

use crate::clock::Millis;
use crate::discard::Discard;
use crate::engine::Engine;
use crate::flow::Flow;
use crate::outbound::OutboundSa;
use crate::policy::{OutboundPolicy, Target};

/// Segments that a kernel takes in one call (`UDP_MAX_SEGMENTS`).
const SEGMENTS_MAX: usize = 64;
/// Octets that a kernel takes in one call: a UDP payload, with room to spare for IPv6 options.
const BATCH_LEN_MAX: usize = 65_000;
/// Answers of the policy lookup that are kept, a power of two.
const CACHE_LEN: usize = 1024;

/// Sends what was sealed.
pub trait Transmit {
    /// ESP packets of `segment` octets back to back, the last may be shorter.
    fn transmit(&mut self, path: Path, datagrams: &[u8], segment: usize);
}

/// Seals one thread's packets. [`Sealer::select`] once for each flow's packets, [`Sealer::push`] for each packet,
/// [`Sealer::flush`] when no more are at hand.
pub struct Sealer {
    engine: Arc<Engine>,
    cache: Box<[Option<Cached>]>,
    hasher: RandomState,
    selected: Option<Arc<OutboundSa>>,
    batch: Box<[u8]>,
    filled: usize,
    /// Octets of each packet in the batch; none longer may follow, and none at all after a shorter one.
    segment: usize,
    packets: usize,
    closed: bool,
    inner_bytes: u64,
}

struct Cached {
    flow: Flow,
    generation: u64,
    policy: Option<Arc<OutboundPolicy>>,
}

impl Sealer {
    /// A sealer for one thread.
    #[must_use]
    pub fn new(engine: Arc<Engine>) -> Self {
        Self {
            engine,
            cache: (0..CACHE_LEN).map(|_| None).collect(),
            hasher: RandomState::new(),
            selected: None,
            batch: vec![0; BATCH_LEN_MAX].into_boxed_slice(),
            filled: 0,
            segment: 0,
            packets: 0,
            closed: false,
            inner_bytes: 0,
        }
    }

    /// Looks up the SA for the packets of `flow` that follow. Another SA than before flushes.
    ///
    /// # Errors
    /// Why such packets are dropped; that is counted as `packets` of them.
    pub fn select(
        &mut self,
        now: Millis,
        flow: &Flow,
        packets: u64,
        out: &mut impl Transmit,
    ) -> Result<(), Discard> {
        match self.lookup(now, flow) {
            Ok(sa) => {
                if self.selected.as_ref().is_none_or(|selected| !Arc::ptr_eq(selected, &sa)) {
                    self.flush(now, out);
                    self.selected = Some(sa);
                }
                Ok(())
            }
            Err(reason) => {
                self.engine.discards().count(reason, packets);
                Err(reason)
            }
        }
    }

    /// Seals an inner packet of `len` octets, which `fill` writes, under the SA selected. Sends what was collected when this
    /// one does not fit behind it.
    ///
    /// # Errors
    /// [`Discard`] if the SA takes no more packets or the packet is too long; that is counted.
    pub fn push(
        &mut self,
        now: Millis,
        len: usize,
        out: &mut impl Transmit,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<(), Discard> {
        let result = self.seal(now, len, out, fill);
        if let Err(reason) = result {
            self.engine.discards().count(reason, 1);
        }
        result
    }

    /// Sends what was collected.
    pub fn flush(&mut self, now: Millis, out: &mut impl Transmit) {
        let Some(sa) = self.selected.as_ref().filter(|_| self.packets > 0) else { return };
        let datagrams = self.batch.get(..self.filled).unwrap_or_default();
        out.transmit(sa.path(), datagrams, self.segment);
        let packets = u64::try_from(self.packets).unwrap_or(0);
        self.engine.expired(sa.key(), sa.count(now, self.inner_bytes, packets));
        self.filled = 0;
        self.packets = 0;
        self.inner_bytes = 0;
        self.closed = false;
    }

    fn seal(
        &mut self,
        now: Millis,
        len: usize,
        out: &mut impl Transmit,
        fill: impl FnOnce(&mut [u8]),
    ) -> Result<(), Discard> {
        let sa = self.selected.clone().ok_or(Discard::NoSa)?;
        let sealed = sa.sealed_len(len);
        if sealed > self.batch.len() {
            return Err(Discard::Malformed);
        }
        let fits = !self.closed
            && self.packets < SEGMENTS_MAX
            && sealed <= self.segment
            && self.filled + sealed <= self.batch.len();
        if self.packets > 0 && !fits {
            self.flush(now, out);
        }
        if sa.is_dead() {
            return Err(Discard::Expired);
        }
        let packet = self.batch.get_mut(self.filled..self.filled + sealed).ok_or(Discard::Malformed)?;
        let offset = sa.plain_offset();
        fill(packet.get_mut(offset..offset + len).ok_or(Discard::Malformed)?);
        sa.seal(len, packet).map_err(|_| Discard::Expired)?;
        if self.packets == 0 {
            self.segment = sealed;
        }
        self.closed = sealed < self.segment;
        self.filled += sealed;
        self.packets += 1;
        self.inner_bytes += u64::try_from(len).unwrap_or(0);
        Ok(())
    }

    fn lookup(&mut self, now: Millis, flow: &Flow) -> Result<Arc<OutboundSa>, Discard> {
        let generation = self.engine.policies.generation();
        let slots = u64::try_from(self.cache.len()).unwrap_or(1);
        let at = usize::try_from(self.hasher.hash_one(flow) % slots).unwrap_or(0);
        let cached = self.cache.get_mut(at).ok_or(Discard::NoPolicy)?;
        let policy = match cached {
            Some(cached) if cached.flow == *flow && cached.generation == generation => &cached.policy,
            _ => {
                let policy = self.engine.policies.lookup(flow);
                &cached.insert(Cached { flow: *flow, generation, policy }).policy
            }
        };
        let Some(policy) = policy else { return Err(Discard::NoPolicy) };
        match &**policy.target() {
            Target::Sa(sa) => Ok(Arc::clone(sa)),
            Target::NoSa(reqid) => {
                if policy.may_ask(now) {
                    self.engine.ask_for_sa(*reqid, flow);
                }
                Err(Discard::NoSa)
            }
            Target::Drop => Err(Discard::Policy),
        }
    }
}
