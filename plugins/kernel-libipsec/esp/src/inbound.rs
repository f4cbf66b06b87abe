//! An inbound SA.

use std::net::SocketAddr;
use std::ops::Range;

use arc_swap::ArcSwap;
use charon_crypto::CryptoProvider;
use charon_types::algorithm::Esn;
use charon_types::kernel_op::{AddSa, KernelError, SaKey, SaUsage};

use crate::clock::Millis;
use crate::discard::Discard;
use crate::flow::{Family, Flow};
use crate::meter::Meter;
use crate::packet::{Codec, HEADER_LEN, NextHeader, PacketError};
use crate::replay::{Refusal, ReplayWindow};
use crate::selector::SelectorPair;

/// Opens packets. Shared by all threads.
#[derive(Debug)]
pub struct InboundSa {
    key: ArcSwap<SaKey>,
    codec: Codec,
    window: ReplayWindow,
    selectors: SelectorPair,
    meter: Meter,
    /// Where the peer sends from.
    remote: ArcSwap<SocketAddr>,
}

/// An inner packet that was let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Where it lies in the ESP packet.
    pub inner: Range<usize>,
    /// Its selectors.
    pub flow: Flow,
}

impl InboundSa {
    pub(crate) fn new(sa: &AddSa, crypto: &CryptoProvider) -> Result<Self, KernelError> {
        Ok(Self {
            key: ArcSwap::from_pointee(SaKey {
                destination: sa.destination.ip(),
                protocol: sa.protocol,
                spi: sa.spi,
            }),
            codec: Codec::new(sa, crypto)?,
            window: ReplayWindow::new(sa.replay_window),
            selectors: SelectorPair::new(&sa.source_ts, &sa.destination_ts),
            meter: Meter::new(sa.limits),
            remote: ArcSwap::from_pointee(sa.source),
        })
    }

    /// What it is known under, at its present address.
    #[must_use]
    pub fn key(&self) -> SaKey {
        **self.key.load()
    }

    pub(crate) fn set_key(&self, key: SaKey) {
        self.key.store(std::sync::Arc::new(key));
    }

    /// Counters.
    #[must_use]
    pub fn usage(&self, now: Millis) -> SaUsage {
        self.meter.usage(now)
    }

    pub(crate) const fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Where the peer is thought to send from.
    pub(crate) fn remote(&self) -> SocketAddr {
        **self.remote.load()
    }

    pub(crate) fn set_remote(&self, remote: SocketAddr) {
        self.remote.store(std::sync::Arc::new(remote));
    }

    /// Checks, opens in place, and lets through what the selectors allow (RFC 4303 §3.4, RFC 4301 §5.2). Does not count.
    ///
    /// # Errors
    /// [`Discard`] says why the packet goes no further; its content is then undefined.
    pub fn open(&self, packet: &mut [u8]) -> Result<Opened, Discard> {
        if self.meter.is_dead() {
            return Err(Discard::Expired);
        }
        let header = packet.first_chunk::<HEADER_LEN>().ok_or(Discard::Short)?;
        let low = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
        let sequence = match self.codec.esn() {
            Esn::Disabled => u64::from(low),
            Esn::Enabled => self.window.infer(low).ok_or(Discard::Replayed)?,
        };
        if sequence == 0 {
            return Err(Discard::Replayed);
        }
        self.window.check(sequence)?;
        let (next, inner) = self.codec.open(sequence, packet)?;
        self.window.accept(sequence)?;
        let family = match next {
            NextHeader::IPV4 => Family::Ipv4,
            NextHeader::IPV6 => Family::Ipv6,
            NextHeader::NONE => return Err(Discard::Dummy),
            _ => return Err(Discard::NextHeader),
        };
        let plain = packet.get(inner.clone()).ok_or(Discard::Malformed)?;
        let (flow, len) = Flow::parse(plain).map_err(|_| Discard::Malformed)?;
        if flow.family != family {
            return Err(Discard::Malformed);
        }
        if !self.selectors.hold(&flow) {
            return Err(Discard::Selectors);
        }
        Ok(Opened { inner: inner.start..inner.start.saturating_add(len), flow })
    }
}

impl From<Refusal> for Discard {
    fn from(_: Refusal) -> Self {
        Self::Replayed
    }
}

impl From<PacketError> for Discard {
    fn from(error: PacketError) -> Self {
        match error {
            PacketError::Short => Self::Short,
            PacketError::Forged => Self::Forged,
            PacketError::Padding => Self::Padding,
        }
    }
}
