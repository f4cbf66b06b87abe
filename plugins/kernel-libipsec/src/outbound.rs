//! From the TUN device to the network.

use std::sync::Arc;

use charon_core::service::IkeSockets;
use charon_types::endpoint::Path;
use esp_proto::{Flow, Sealer, Transmit};
use tracing::{debug, error};

use crate::clock::Clock;
use crate::device::TunDevice;
use crate::events::Events;
use crate::offload::header::{self, Header};
use crate::offload::split::Segments;

/// A virtio header and the largest packet.
const BUFFER_LEN: usize = header::LEN + 65_535;
const EINVAL: i32 = 22;
const EMSGSIZE: i32 = 90;
/// Octets read before other tasks of the thread get their turn.
const TURN: usize = 512 * 1024;

/// Carries packets until the device fails. Abort is safe at any point: what is lost are packets.
pub(crate) async fn run(
    device: Arc<TunDevice>,
    mut sealer: Sealer,
    sockets: Arc<dyn IkeSockets>,
    events: Events,
    clock: Clock,
) {
    let mut out = Out { sockets };
    let mut buffer = vec![0; BUFFER_LEN];
    loop {
        let mut read = device.receive(&mut buffer).await;
        let mut turn = 0;
        let now = clock.now();
        let failure = loop {
            match read {
                Ok(len) => {
                    turn += len;
                    let packet = buffer.get_mut(..len).unwrap_or_default();
                    carry(&mut sealer, &mut out, now, packet);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => break None,
                Err(error) => break Some(error),
            }
            if turn > TURN {
                break None;
            }
            read = device.try_receive(&mut buffer);
        };
        sealer.flush(now, &mut out);
        events.forward();
        if let Some(error) = failure {
            error!(target: "KNL", "reading from {} failed, no more packets are sent: {error}", device.name());
            return;
        }
        if turn > TURN {
            tokio::task::yield_now().await;
        }
    }
}

/// One packet from the device. What cannot be sent is counted by the sealer, or is of no meaning to it.
fn carry(sealer: &mut Sealer, out: &mut Out, now: esp_proto::Millis, octets: &mut [u8]) {
    let Some((header, packet)) = octets.split_first_chunk_mut::<{ header::LEN }>() else { return };
    let Ok((flow, _)) = Flow::parse(packet) else { return };
    let Ok(segments) = Segments::new(Header::parse(header), packet) else { return };
    let count = segments.count();
    if sealer.select(now, &flow, u64::try_from(count).unwrap_or(0), out).is_err() {
        return;
    }
    for number in 0..count {
        if sealer.push(now, segments.len(number), out, |place| segments.write(number, place)).is_err() {
            return;
        }
    }
}

struct Out {
    sockets: Arc<dyn IkeSockets>,
}

impl Transmit for Out {
    fn transmit(&mut self, path: Path, datagrams: &[u8], segment: usize) {
        let mut result = self.sockets.send_esp(path, datagrams, segment);
        // The kernel cuts no batch into packets that it then has to fragment: on a path of a small MTU they go one by one.
        if let Err(error) = &result
            && matches!(error.raw_os_error(), Some(EINVAL | EMSGSIZE))
            && datagrams.len() > segment
        {
            let mut packets = datagrams.chunks(segment.max(1));
            result = packets.try_for_each(|packet| self.sockets.send_esp(path, packet, packet.len()));
        }
        // As in a full device queue, what does not fit is lost; the senders behind the tunnel notice.
        if let Err(error) = result {
            debug!(target: "ESP", "sending ESP to {} failed: {error}", path.remote);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use charon_core::service::EspReceiver;
    use parking_lot::Mutex;

    use super::*;

    /// A path on which nothing longer than `segment_max` may be part of a batch.
    struct SmallPath {
        segment_max: usize,
        sent: Mutex<Vec<(Vec<u8>, usize)>>,
    }

    impl IkeSockets for SmallPath {
        fn attach_esp(&self, _: Arc<dyn EspReceiver>) {}

        fn send_esp(&self, _: Path, datagrams: &[u8], segment: usize) -> io::Result<()> {
            if segment > self.segment_max && datagrams.len() > segment {
                return Err(io::Error::from_raw_os_error(EMSGSIZE));
            }
            self.sent.lock().push((datagrams.to_vec(), segment));
            Ok(())
        }
    }

    fn send(segment_max: usize) -> Vec<(Vec<u8>, usize)> {
        let path = Path { local: ([192, 0, 2, 1], 4500).into(), remote: ([192, 0, 2, 2], 4500).into() };
        let sockets = Arc::new(SmallPath { segment_max, sent: Mutex::default() });
        Out { sockets: Arc::clone(&sockets) as Arc<dyn IkeSockets> }.transmit(path, b"aaaabbbbcc", 4);
        std::mem::take(&mut *sockets.sent.lock())
    }

    #[test]
    fn a_batch_goes_as_a_whole_where_the_path_takes_it() {
        assert_eq!(send(4), [(b"aaaabbbbcc".to_vec(), 4)]);
    }

    #[test]
    fn packets_go_one_by_one_where_it_does_not() {
        assert_eq!(send(3), [(b"aaaa".to_vec(), 4), (b"bbbb".to_vec(), 4), (b"cc".to_vec(), 2)]);
    }
}
