//! What waits to be sent to one client: bounded, in order.

use std::sync::Arc;

use tokio::io::{AsyncWrite, AsyncWriteExt, BufWriter};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::debug;
use vici::FRAME_LEN_MAX;

/// How many bytes may wait for one client. Above the longest frame, so that one always fits in the end.
pub(crate) const OUTBOUND_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What a waiting packet costs beside its bytes.
const PACKET_OVERHEAD: usize = 128;

/// The client is gone, or was disconnected because it does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

/// The sending end. Clones share the bound.
#[derive(Clone)]
pub(crate) struct Outbound {
    packets: mpsc::UnboundedSender<Waiting>,
    room: Arc<Semaphore>,
    given_up: CancellationToken,
}

/// The receiving end, for [`write`].
pub(crate) struct Pending {
    packets: mpsc::UnboundedReceiver<Waiting>,
    room: Arc<Semaphore>,
    given_up: CancellationToken,
}

struct Waiting {
    packet: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

/// Both ends of an empty queue.
pub(crate) fn queue() -> (Outbound, Pending) {
    // The channel's length is bounded by the room that each packet takes.
    let (sender, receiver) = mpsc::unbounded_channel();
    let room = Arc::new(Semaphore::new(OUTBOUND_BYTES_MAX));
    let given_up = CancellationToken::new();
    let outbound = Outbound { packets: sender, room: Arc::clone(&room), given_up: given_up.clone() };
    (outbound, Pending { packets: receiver, room, given_up })
}

impl Outbound {
    /// Sends what the client asked for. Waits until it has read enough: it holds up nobody but itself.
    pub(crate) async fn send(&self, packet: Vec<u8>) -> Result<(), Gone> {
        let cost = cost(&packet);
        let room = Arc::clone(&self.room).acquire_many_owned(cost).await.map_err(|_| Gone)?;
        self.packets.send(Waiting { packet, _room: room }).map_err(|_| Gone)
    }

    /// Sends what happened elsewhere, which must not wait. A client that has fallen behind by the whole bound is given up:
    /// it is told nothing rather than a part.
    pub(crate) fn offer(&self, packet: Vec<u8>) -> Result<(), Gone> {
        match Arc::clone(&self.room).try_acquire_many_owned(cost(&packet)) {
            Ok(room) => self.packets.send(Waiting { packet, _room: room }).map_err(|_| Gone),
            Err(_) => {
                self.room.close();
                self.given_up.cancel();
                Err(Gone)
            }
        }
    }

    /// Whether the client was given up because it does not read.
    pub(crate) fn is_given_up(&self) -> bool {
        self.given_up.is_cancelled()
    }
}

fn cost(packet: &[u8]) -> u32 {
    u32::try_from(packet.len() + PACKET_OVERHEAD).expect("no packet is longer than a frame")
}

/// Writes packets until nobody can send any more, or the client is gone or given up.
pub(crate) async fn write(mut pending: Pending, stream: impl AsyncWrite + Unpin) {
    let given_up = pending.given_up.clone();
    tokio::select! {
        () = given_up.cancelled() => {}
        result = write_all(&mut pending.packets, stream) => {
            if let Err(error) = result {
                debug!(target: "CFG", "writing to a vici client failed: {error}");
            }
        }
    }
    pending.room.close();
}

async fn write_all(
    packets: &mut mpsc::UnboundedReceiver<Waiting>,
    stream: impl AsyncWrite + Unpin,
) -> std::io::Result<()> {
    let mut stream = BufWriter::new(stream);
    loop {
        let waiting = match packets.try_recv() {
            Ok(waiting) => waiting,
            Err(_) => {
                stream.flush().await?;
                match packets.recv().await {
                    Some(waiting) => waiting,
                    None => return Ok(()),
                }
            }
        };
        debug_assert!(waiting.packet.len() <= FRAME_LEN_MAX);
        let len = u32::try_from(waiting.packet.len()).expect("no packet is longer than a frame");
        stream.write_all(&len.to_be_bytes()).await?;
        stream.write_all(&waiting.packet).await?;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, duplex};

    use super::*;

    #[tokio::test]
    async fn packets_leave_in_order_each_behind_its_length() {
        let (outbound, pending) = queue();
        let (mut client, server) = duplex(64);
        outbound.send(b"one".to_vec()).await.unwrap();
        outbound.offer(b"two".to_vec()).unwrap();
        drop(outbound);
        write(pending, server).await;
        let mut received = Vec::new();
        client.read_to_end(&mut received).await.unwrap();
        assert_eq!(received, b"\0\0\0\x03one\0\0\0\x03two");
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_given_up_at_the_bound() {
        let (outbound, _pending) = queue();
        let mut sent = 0;
        while outbound.offer(vec![0; 1000]).is_ok() {
            sent += 1000;
        }
        assert!(sent <= OUTBOUND_BYTES_MAX);
        assert!(outbound.is_given_up());
        assert_eq!(outbound.send(vec![0]).await, Err(Gone));
    }

    #[tokio::test]
    async fn a_reply_waits_for_room_instead() {
        let (outbound, pending) = queue();
        for _ in 0..7 {
            outbound.send(vec![0; FRAME_LEN_MAX]).await.unwrap();
        }
        let last = outbound.send(vec![0; FRAME_LEN_MAX]);
        tokio::pin!(last);
        let soon = std::time::Duration::from_millis(20);
        assert!(tokio::time::timeout(soon, &mut last).await.is_err());
        let (mut client, server) = duplex(1 << 20);
        let writer = tokio::spawn(write(pending, server));
        let mut buffer = vec![0; FRAME_LEN_MAX + 4];
        client.read_exact(&mut buffer).await.unwrap();
        client.read_exact(&mut buffer).await.unwrap();
        assert_eq!(last.await, Ok(()));
        writer.abort();
    }
}
