//! An outbound SA.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use charon_crypto::CryptoProvider;
use charon_types::algorithm::Esn;
use charon_types::endpoint::Path;
use charon_types::id::{EspSpi, Reqid};
use charon_types::kernel_op::{AddSa, Expiry, KernelError, SaKey, SaUsage};
use charon_types::proposal::Protocol;

use crate::clock::Millis;
use crate::meter::Meter;
use crate::packet::{Codec, HEADER_LEN, NextHeader};

/// Numbers before the last at which an SA with 32-bit numbers asks for its successor: four minutes at a million packets a
/// second.
const SEQUENCE_RESERVE: u64 = 1 << 28;

/// Last number of an SA with 64-bit numbers: what every window of ours still takes, and far from wrapping round.
const EXTENDED_MAX: u64 = (1 << 52) - 1;

/// Seals packets. Shared by all threads; numbers are handed out atomically.
pub struct OutboundSa {
    protocol: Protocol,
    spi: EspSpi,
    reqid: Reqid,
    codec: Codec,
    crypto: Arc<CryptoProvider>,
    /// The last number used.
    sequence: AtomicU64,
    sequence_max: u64,
    meter: Meter,
    path: ArcSwap<Path>,
}

/// An SA's sequence numbers are used up: it must not send any more (RFC 4303 §3.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

impl OutboundSa {
    pub(crate) fn new(sa: &AddSa, crypto: &Arc<CryptoProvider>) -> Result<Self, KernelError> {
        let sequence_max = match sa.esn {
            Esn::Disabled => u64::from(u32::MAX),
            Esn::Enabled => EXTENDED_MAX,
        };
        Ok(Self {
            protocol: sa.protocol,
            spi: sa.spi,
            reqid: sa.reqid,
            codec: Codec::new(sa, crypto)?,
            crypto: Arc::clone(crypto),
            sequence: AtomicU64::new(0),
            sequence_max,
            meter: Meter::new(sa.limits),
            path: ArcSwap::from_pointee(Path { local: sa.source, remote: sa.destination }),
        })
    }

    /// What it is known under, at its present address.
    #[must_use]
    pub fn key(&self) -> SaKey {
        SaKey { destination: self.path().remote.ip(), protocol: self.protocol, spi: self.spi }
    }

    /// Its reqid.
    #[must_use]
    pub const fn reqid(&self) -> Reqid {
        self.reqid
    }

    /// Where its packets go.
    #[must_use]
    pub fn path(&self) -> Path {
        **self.path.load()
    }

    pub(crate) fn set_path(&self, path: Path) {
        self.path.store(Arc::new(path));
    }

    pub(crate) const fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Counters.
    #[must_use]
    pub fn usage(&self, now: Millis) -> SaUsage {
        self.meter.usage(now)
    }

    /// Whether a hard limit was reached.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.meter.is_dead()
    }

    /// Octets of the ESP packet around an inner packet of `plain_len`.
    #[must_use]
    pub fn sealed_len(&self, plain_len: usize) -> usize {
        self.codec.sealed_len(plain_len)
    }

    /// Octets before the inner packet: header and IV.
    #[must_use]
    pub const fn plain_offset(&self) -> usize {
        self.codec.plain_offset()
    }

    /// Seals the inner packet of `plain_len` octets that lies at [`Self::plain_offset`] in `packet`, which has
    /// [`Self::sealed_len`] octets, under the next sequence number.
    ///
    /// # Errors
    /// [`Exhausted`] if there is none left.
    ///
    /// # Panics
    /// If `packet` does not have that length.
    pub fn seal(&self, plain_len: usize, packet: &mut [u8]) -> Result<(), Exhausted> {
        let sequence = self.next_sequence()?;
        let offset = self.codec.plain_offset();
        if self.codec.iv_is_random() {
            let iv = packet.get_mut(HEADER_LEN..offset).expect("the caller's buffer holds header and IV");
            self.crypto.random().fill(iv);
        }
        let next = match packet.get(offset).map(|first| first >> 4) {
            Some(6) => NextHeader::IPV6,
            _ => NextHeader::IPV4,
        };
        self.codec
            .seal(sequence, next, plain_len, packet)
            .expect("the buffer has the length for this packet");
        Ok(())
    }

    /// Counts what was sealed; says so once when that reached a limit or the numbers run low.
    pub fn count(&self, now: Millis, bytes: u64, packets: u64) -> Option<Expiry> {
        let expiry = self.meter.count(now, bytes, packets);
        let left = self.sequence_max.saturating_sub(self.sequence.load(Ordering::Relaxed));
        let low = match left {
            0 => Some(Expiry::Hard),
            1..=SEQUENCE_RESERVE => Some(Expiry::Soft),
            _ => None,
        };
        expiry.or_else(|| self.meter.expire(low?))
    }

    fn next_sequence(&self) -> Result<u64, Exhausted> {
        let last = self.sequence.fetch_add(1, Ordering::Relaxed);
        if last < self.sequence_max {
            return Ok(last + 1);
        }
        // Put back, so that even a thread that tries for ever never gets round.
        self.sequence.store(self.sequence_max, Ordering::Relaxed);
        Err(Exhausted)
    }

    /// Starts after that number: what a standby takes over from the other, or a test.
    #[cfg(test)]
    pub(crate) fn set_sequence(&self, last: u64) {
        self.sequence.store(last, Ordering::Relaxed);
    }
}

/// Shows what it is known under.
impl std::fmt::Debug for OutboundSa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OutboundSa({} {})", self.spi, self.path().remote)
    }
}

#[cfg(test)]
mod tests;
