//! From the network to the TUN device.

use std::io::IoSlice;
use std::ops::Range;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use charon_core::service::EspReceiver;
use charon_types::endpoint::Path;
use esp_proto::Engine;
use parking_lot::Mutex;
use tracing::debug;

use crate::clock::Clock;
use crate::device::TunDevice;
use crate::events::Events;
use crate::offload::join::join;

/// Packets opened before they are written: what one datagram buffer holds at the usual size.
const BATCH: usize = 64;
/// Octets of packets that came one by one, collected to be written together.
const COLLECTED_MAX: usize = 64 * 1024;

/// Opens ESP packets and hands what was inside to the kernel.
pub(crate) struct Receiver {
    engine: Arc<Engine>,
    /// `None` once it is closed.
    device: ArcSwapOption<TunDevice>,
    events: Events,
    clock: Clock,
    collected: Mutex<Collected>,
}

/// Inner packets that came in datagrams of their own. Senders without segmentation offload send so; put together, their
/// packets cost one write for many.
struct Collected {
    octets: Vec<u8>,
    places: Vec<Range<usize>>,
}

impl Receiver {
    pub(crate) fn new(engine: Arc<Engine>, device: Arc<TunDevice>, events: Events, clock: Clock) -> Self {
        let collected =
            Collected { octets: Vec::with_capacity(COLLECTED_MAX), places: Vec::with_capacity(BATCH) };
        let (device, collected) = (ArcSwapOption::new(Some(device)), Mutex::new(collected));
        Self { engine, device, events, clock, collected }
    }

    /// From now on what arrives is dropped, and the device is no longer held.
    pub(crate) fn close(&self) {
        self.device.store(None);
    }

    fn collect(&self, device: &TunDevice, packet: &[u8]) {
        let mut collected = self.collected.lock();
        let collected = &mut *collected;
        if collected.places.len() == BATCH || collected.octets.len() + packet.len() > COLLECTED_MAX {
            collected.write(device);
        }
        let start = collected.octets.len();
        collected.octets.extend_from_slice(packet);
        collected.places.push(start..collected.octets.len());
    }
}

impl EspReceiver for Receiver {
    fn receive(&self, path: Path, datagrams: &mut [u8], stride: usize) {
        let device = self.device.load();
        let Some(device) = device.as_deref().filter(|_| stride > 0) else { return };
        let now = self.clock.now();
        if datagrams.len() <= stride {
            let mut place = 0..0;
            self.engine.open(now, path, datagrams, stride, |inner, _| place = inner);
            if !place.is_empty() {
                self.collect(device, datagrams.get(place).unwrap_or_default());
            }
            return;
        }
        // What came before goes before.
        self.collected.lock().write(device);
        for batch in datagrams.chunks_mut(stride.saturating_mul(BATCH)) {
            let mut places = [const { 0..0 }; BATCH];
            let mut count = 0;
            self.engine.open(now, path, batch, stride, |inner, _| {
                if let Some(place) = places.get_mut(count) {
                    *place = inner;
                    count += 1;
                }
            });
            write(device, batch, places.get(..count).unwrap_or_default());
        }
    }

    fn flush(&self) {
        if let Some(device) = self.device.load().as_deref() {
            self.collected.lock().write(device);
        }
        self.events.forward();
    }
}

impl Collected {
    fn write(&mut self, device: &TunDevice) {
        write(device, &mut self.octets, &self.places);
        self.octets.clear();
        self.places.clear();
    }
}

/// Writes the packets at `places`, as few at a time as can be joined.
fn write(device: &TunDevice, buffer: &mut [u8], mut places: &[Range<usize>]) {
    while let Some((first, others)) = places.split_first() {
        let joined = join(buffer, places, device.joinable());
        let mut parts = [IoSlice::new(&[]); BATCH + 1];
        let mut len = 2;
        parts[0] = IoSlice::new(&joined.header);
        parts[1] = IoSlice::new(buffer.get(first.clone()).unwrap_or_default());
        for (part, place) in parts.iter_mut().skip(2).zip(others.iter().take(joined.count - 1)) {
            *part = IoSlice::new(buffer.get(place.start + joined.headers_len..place.end).unwrap_or_default());
            len += 1;
        }
        if let Err(error) = device.send(parts.get(..len).unwrap_or_default()) {
            debug!(target: "ESP", "writing to {} failed: {error}", device.name());
        }
        places = places.get(joined.count..).unwrap_or_default();
    }
}
