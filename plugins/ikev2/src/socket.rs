//! UDP sockets of IKE: ports 500 and 4500, IPv4 and IPv6, in batches.
//!
//! On the NAT-T port IKE messages have four zero octets in front (RFC 3948 §2.2); what has not is ESP and goes to the
//! [`EspReceiver`], what is one octet 0xFF is a keepalive and goes nowhere.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use charon_core::service::{EspReceiver, IkeSockets};
use charon_types::endpoint::Path;
use quinn_udp::{RecvMeta, UdpSockRef};
use tokio::io::Interest;
use tokio::task::JoinSet;
use tracing::{debug, info, warn};

use crate::lane::Lane;
use crate::udp::{NON_ESP_MARKER, Port, Udp};

/// A NAT keepalive (RFC 3948 §2.3).
const KEEPALIVE: [u8; 1] = [0xff];
/// Largest UDP payload, and so the largest batch of coalesced datagrams.
const BUFFER_LEN: usize = 65_535;

/// Takes IKE messages, non-ESP marker removed. Must not block.
pub(crate) trait IkeReceiver: Send + Sync {
    /// One message.
    fn receive(&self, path: Path, message: &[u8], pressure: Pressure);
}

/// How many messages wait behind this one, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pressure {
    /// Some at most.
    Ordinary,
    /// So many strangers that one cannot answer all.
    Crowd,
}

/// What the sockets are opened with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SocketConfig {
    /// `charon.port`
    pub(crate) port: u16,
    /// `charon.port_nat_t`
    pub(crate) port_nat_t: u16,
    /// Firewall mark of everything sent, 0 for none.
    pub(crate) fwmark: u32,
    /// `use_ipv4`
    pub ipv4: charon_types::connection::Toggle,
    /// `use_ipv6`
    pub ipv6: charon_types::connection::Toggle,
}

/// What was dropped here, and why.
#[derive(Debug, Default)]
pub(crate) struct SocketCounters {
    /// Datagrams without room for a header.
    pub(crate) short: AtomicU64,
    /// ESP packets while nothing takes them.
    pub(crate) esp_unclaimed: AtomicU64,
    /// Datagrams that could not be sent.
    pub(crate) send_failed: AtomicU64,
}

/// The sockets.
pub(crate) struct Sockets {
    sockets: Vec<Arc<Udp>>,
    esp: OnceLock<Arc<dyn EspReceiver>>,
    /// What was dropped.
    pub(crate) counters: SocketCounters,
}

impl Sockets {
    /// Binds the ports. A family that the machine lacks is left out with a line in the log.
    ///
    /// # Errors
    /// As the system says, with the port; also if no family is left.
    pub(crate) fn bind(config: &SocketConfig) -> Result<Self, (SocketAddr, io::Error)> {
        let mut sockets = Vec::new();
        let families = [
            (IpAddr::V4(Ipv4Addr::UNSPECIFIED), config.ipv4),
            (IpAddr::V6(Ipv6Addr::UNSPECIFIED), config.ipv6),
        ];
        let mut numbers = [(config.port, Port::Ike), (config.port_nat_t, Port::NatT)];
        for (any, _) in families.into_iter().filter(|(_, used)| used.is_enabled()) {
            for (number, port) in &mut numbers {
                let address = SocketAddr::new(any, *number);
                match Udp::bind_lanes(address, *port, config.fwmark) {
                    Ok(lanes) => {
                        // A port that the system chose for one family is used for the other as well.
                        *number = lanes.first().map_or(0, |udp| udp.address.port());
                        sockets.extend(lanes.into_iter().map(Arc::new));
                    }
                    Err(error) if error.raw_os_error() == Some(libc::EAFNOSUPPORT) => {
                        info!(target: "NET", "this machine has no {}, not listening there", family_name(any));
                    }
                    Err(error) => return Err((address, error)),
                }
            }
        }
        if sockets.is_empty() {
            let address = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), config.port);
            return Err((address, io::Error::from(io::ErrorKind::AddrNotAvailable)));
        }
        Ok(Self { sockets, esp: OnceLock::new(), counters: SocketCounters::default() })
    }

    /// The kernel's IPsec does the work: it opens ESP in UDP, and its policies are not for IKE.
    pub(crate) fn share_with_kernel(&self) {
        for udp in &self.sockets {
            let bypassed = crate::sys::bypass_policies(&udp.socket, udp.address);
            let taken = if udp.port == Port::NatT && udp.lane == Lane::Known {
                crate::sys::decapsulate_esp(&udp.socket)
            } else {
                Ok(())
            };
            for (what, done) in [("bypassing policies", bypassed), ("opening ESP in UDP", taken)] {
                if let Err(error) = done {
                    warn!(target: "NET", "{what} on port {} failed: {error}", udp.address.port());
                }
            }
        }
    }

    /// The port that IKE uses before a NAT is found, and the one after.
    #[must_use]
    pub(crate) fn ports(&self) -> (u16, u16) {
        let number =
            |port| self.sockets.iter().find(|udp| udp.port == port).map_or(0, |udp| udp.address.port());
        (number(Port::Ike), number(Port::NatT))
    }

    /// Starts receiving. The tasks end when the set is dropped; nothing is lost by that but datagrams.
    pub(crate) fn start(self: &Arc<Self>, receiver: &Arc<dyn IkeReceiver>) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for udp in &self.sockets {
            let (sockets, udp, receiver) = (Arc::clone(self), Arc::clone(udp), Arc::clone(receiver));
            tasks.spawn(async move { sockets.receive(&udp, &*receiver).await });
        }
        tasks
    }

    /// Sends one IKE message, with the marker where it belongs. A full socket loses it: IKE retransmits.
    pub(crate) fn send_ike(&self, path: &Path, message: &[u8]) {
        let Some(udp) = self.socket_for(path.local) else { return };
        if udp.port == Port::Ike {
            self.send(udp, path, message, None);
        } else {
            let mut datagram = Vec::with_capacity(NON_ESP_MARKER.len() + message.len());
            datagram.extend_from_slice(&NON_ESP_MARKER);
            datagram.extend_from_slice(message);
            self.send(udp, path, &datagram, None);
        }
    }

    /// Sends a NAT keepalive.
    pub(crate) fn send_keepalive(&self, path: &Path) {
        if let Some(udp) = self.socket_for(path.local) {
            self.send(udp, path, &KEEPALIVE, None);
        }
    }

    fn socket_for(&self, local: SocketAddr) -> Option<&Udp> {
        let of_family = || self.sockets.iter().filter(move |udp| udp.address.is_ipv4() == local.is_ipv4());
        let found = of_family().find(|udp| udp.address.port() == local.port());
        if found.is_none() {
            warn!(target: "NET", "no socket is bound to port {} of {}", local.port(), family_name(local.ip()));
        }
        found.map(|udp| &**udp)
    }

    fn send(&self, udp: &Udp, path: &Path, contents: &[u8], segment: Option<usize>) {
        if let Err(error) = udp.send(path, contents, segment) {
            self.counters.send_failed.fetch_add(1, Ordering::Relaxed);
            debug!(target: "NET", "sending from {} to {} failed: {error}", path.local, path.remote);
        }
    }

    async fn receive(&self, udp: &Udp, receiver: &dyn IkeReceiver) {
        // One allocation of zeros: pages that no datagram has touched cost nothing.
        let buffers = udp.lane.buffers();
        let mut memory = vec![0; BUFFER_LEN * buffers];
        let mut metas = vec![RecvMeta::default(); buffers];
        let (mut rounds, mut full_rounds) = (0, 0);
        loop {
            let mut batch = None;
            let received = {
                let mut slices: Vec<IoSliceMut<'_>> =
                    memory.chunks_mut(BUFFER_LEN).map(IoSliceMut::new).collect();
                udp.socket.try_io(Interest::READABLE, || {
                    let count = udp.state.recv(UdpSockRef::from(&udp.socket), &mut slices, &mut metas)?;
                    batch = Some(count);
                    // A call that fills less than all buffers has seen the end of the queue: no other is needed to learn that.
                    if count < buffers { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
                })
            };
            if let Some(count) = batch {
                full_rounds = if count == buffers { full_rounds + 1 } else { 0 };
                let pressure = udp.lane.pressure(full_rounds);
                for (buffer, meta) in memory.chunks_mut(BUFFER_LEN).zip(&metas[..count]) {
                    self.dispatch(udp, meta, &mut buffer[..meta.len], receiver, pressure);
                }
            }
            match received {
                Ok(()) => {
                    rounds += 1;
                    if rounds < udp.lane.rounds_max() {
                        continue;
                    }
                    self.flush_esp(udp);
                    rounds = 0;
                    tokio::task::yield_now().await;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.flush_esp(udp);
                    rounds = 0;
                    if let Err(error) = udp.socket.readable().await {
                        warn!(target: "NET", "waiting on port {} failed: {error}", udp.address.port());
                        return;
                    }
                }
                // ICMP errors of earlier datagrams show up here; retransmission decides about the peer.
                Err(error) => {
                    debug!(target: "NET", "receiving on port {} failed: {error}", udp.address.port())
                }
            }
        }
    }

    fn flush_esp(&self, udp: &Udp) {
        if let (Port::NatT, Some(esp)) = (udp.port, self.esp.get()) {
            esp.flush();
        }
    }

    fn dispatch(
        &self,
        udp: &Udp,
        meta: &RecvMeta,
        datagrams: &mut [u8],
        receiver: &dyn IkeReceiver,
        pressure: Pressure,
    ) {
        let Some(local) = meta.dst_ip else { return };
        let path = Path { local: SocketAddr::new(local, udp.address.port()), remote: meta.addr };
        let stride = if meta.stride == 0 { datagrams.len() } else { meta.stride };
        if stride == 0 {
            self.counters.short.fetch_add(1, Ordering::Relaxed);
            return;
        }
        if udp.port == Port::Ike {
            datagrams.chunks(stride).for_each(|message| receiver.receive(path, message, pressure));
            return;
        }
        // ESP comes in runs: hand on as many datagrams at once as possible.
        let mut rest = datagrams;
        while !rest.is_empty() {
            let run =
                rest.chunks(stride).take_while(|datagram| is_esp(datagram)).map(<[u8]>::len).sum::<usize>();
            let (esp, others) = std::mem::take(&mut rest).split_at_mut(run);
            if !esp.is_empty() {
                match self.esp.get() {
                    Some(receiver) => receiver.receive(path, esp, stride),
                    None => drop(self.counters.esp_unclaimed.fetch_add(1, Ordering::Relaxed)),
                }
            }
            let (datagram, behind) = others.split_at_mut(stride.min(others.len()));
            match datagram.strip_prefix(&NON_ESP_MARKER) {
                Some(message) => receiver.receive(path, message, pressure),
                None if *datagram == KEEPALIVE || datagram.is_empty() => {}
                None => drop(self.counters.short.fetch_add(1, Ordering::Relaxed)),
            }
            rest = behind;
        }
    }
}

impl IkeSockets for Sockets {
    fn attach_esp(&self, receiver: Arc<dyn EspReceiver>) {
        if self.esp.set(receiver).is_err() {
            warn!(target: "NET", "ESP packets have a receiver already");
        }
    }

    fn send_esp(&self, path: Path, datagrams: &[u8], segment: usize) -> io::Result<()> {
        let udp = self.socket_for(path.local).ok_or(io::ErrorKind::AddrNotAvailable)?;
        udp.send(&path, datagrams, Some(segment))
    }
}

/// Whether a datagram on the NAT-T port is ESP: longer than a keepalive, and not marked as IKE.
fn is_esp(datagram: &[u8]) -> bool {
    datagram.len() > NON_ESP_MARKER.len() && !datagram.starts_with(&NON_ESP_MARKER)
}

const fn family_name(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => "IPv4",
        IpAddr::V6(_) => "IPv6",
    }
}

#[cfg(test)]
mod tests {
    use charon_types::connection::Toggle;

    use super::*;

    #[tokio::test]
    async fn ports_that_the_system_chooses_are_the_same_in_both_families() {
        let config =
            SocketConfig { port: 0, port_nat_t: 0, fwmark: 0, ipv4: Toggle::Enabled, ipv6: Toggle::Enabled };
        let sockets = Sockets::bind(&config).unwrap();
        let (ike, nat_t) = sockets.ports();
        assert!(ike != 0 && nat_t != 0 && ike != nat_t);
        for udp in &sockets.sockets {
            let expected = if udp.port == Port::Ike { ike } else { nat_t };
            assert_eq!(udp.address.port(), expected, "{}", udp.address);
        }
    }
}
