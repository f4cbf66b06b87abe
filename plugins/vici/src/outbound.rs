//! What waits to be sent to one client, as the bytes that go on the wire.

use vici::{EncodeError, FRAME_LEN_MAX, Packet};

/// What was asked for is held back while so many bytes wait: a client that reads gets it in time, one that does not costs no more.
pub(crate) const ROOM: usize = 32 * 1024;
/// Capacity that a queue keeps when little waits, in bytes.
const KEPT_MAX: usize = 4 * ROOM;

/// Frames, one behind the other.
#[derive(Default)]
pub(crate) struct Outbound {
    bytes: Vec<u8>,
    /// Of `bytes`, how many are sent already.
    sent: usize,
}

/// Why a packet was not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Misfit {
    /// The frame would be too long.
    #[error("{0} bytes")]
    TooLong(usize),
    /// A name is too long.
    #[error(transparent)]
    Name(#[from] EncodeError),
}

impl Outbound {
    /// Adds a packet in its frame.
    pub(crate) fn push(&mut self, packet: &Packet<'_>) -> Result<(), Misfit> {
        let len = packet.encoded_len();
        let header = u32::try_from(len).ok().filter(|_| len <= FRAME_LEN_MAX).ok_or(Misfit::TooLong(len))?;
        self.make_room(4 + len);
        self.bytes.extend_from_slice(&header.to_be_bytes());
        packet.emit(&mut self.bytes).map_err(|error| {
            self.bytes.truncate(self.bytes.len() - 4);
            Misfit::Name(error)
        })
    }

    /// What is to be sent next.
    pub(crate) fn waiting(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// So many bytes of it were sent.
    pub(crate) fn sent(&mut self, count: usize) {
        self.sent = (self.sent + count).min(self.bytes.len());
        if self.sent == self.bytes.len() {
            self.clear();
        } else if self.bytes.capacity() > KEPT_MAX && self.has_room() {
            self.bytes = self.waiting().to_vec();
            self.sent = 0;
        }
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.sent = 0;
        self.bytes.clear();
        if self.bytes.capacity() > KEPT_MAX {
            self.bytes = Vec::new();
        }
    }

    /// Whether the client has read enough to be sent more of what it asked for.
    pub(crate) fn has_room(&self) -> bool {
        self.waiting().len() < ROOM
    }

    /// Bytes of memory held.
    pub(crate) fn footprint(&self) -> usize {
        self.bytes.capacity()
    }

    /// Grows by doubling only while small, so that the bound on what waits is one on memory.
    fn make_room(&mut self, more: usize) {
        if self.bytes.capacity() - self.bytes.len() >= more {
            return;
        }
        self.bytes.drain(..self.sent);
        self.sent = 0;
        let needed = self.bytes.len() + more;
        if needed > self.bytes.capacity() {
            let capacity = needed.max((2 * needed).min(2 * ROOM));
            self.bytes.reserve_exact(capacity - self.bytes.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use vici::Name;

    use super::*;

    #[test]
    fn packets_leave_in_order_each_behind_its_length_however_little_is_taken_at_once() {
        let mut outbound = Outbound::default();
        outbound.push(&Packet::Response { message: b"one" }).unwrap();
        let mut received = outbound.waiting()[..2].to_vec();
        outbound.sent(2);
        outbound.push(&Packet::EventConfirm).unwrap();
        while let Some(byte) = outbound.waiting().first() {
            received.push(*byte);
            outbound.sent(1);
        }
        assert_eq!(received, b"\0\0\0\x04\x01one\0\0\0\x01\x05");
    }

    #[test]
    fn a_packet_that_does_not_fit_leaves_no_trace() {
        let mut outbound = Outbound::default();
        let long = vec![0; FRAME_LEN_MAX];
        assert_eq!(
            outbound.push(&Packet::Response { message: &long }),
            Err(Misfit::TooLong(FRAME_LEN_MAX + 1))
        );
        let name = [b'n'; 300];
        let event = Packet::Event { name: Name::new(&name).unwrap(), message: b"" };
        assert!(matches!(outbound.push(&event), Err(Misfit::Name(_))));
        assert!(outbound.waiting().is_empty());
    }

    #[test]
    fn memory_does_not_grow_beyond_what_waits() {
        let mut outbound = Outbound::default();
        let event = Packet::Response { message: &vec![0; 1000] };
        while outbound.has_room() {
            outbound.push(&event).unwrap();
        }
        outbound.push(&Packet::Response { message: &vec![0; FRAME_LEN_MAX - 1] }).unwrap();
        assert!(outbound.footprint() <= ROOM + 1000 + FRAME_LEN_MAX + 10, "{}", outbound.footprint());
        outbound.sent(usize::MAX / 2);
        assert!(outbound.footprint() <= KEPT_MAX);
    }
}
