//! What a client has sent and nobody has looked at yet: bounded, and wiped behind the reader, since it may hold keys.

use vici::{FRAME_LEN_MAX, FrameError};

use crate::wipe::{Wiped, wipe};

/// How much is read ahead of the packet that is being served, in bytes.
pub(crate) const READ_AHEAD_MAX: usize = 64 * 1024;
/// Octets of a frame's length.
const HEADER_LEN: usize = 4;
/// Capacity that a buffer keeps when little waits, in bytes.
const KEPT_MAX: usize = 2 * READ_AHEAD_MAX;

/// Bytes on their way to becoming frames.
#[derive(Default)]
pub(crate) struct Inbound {
    bytes: Vec<u8>,
    /// Of `bytes`, how many are taken already; they are wiped.
    taken: usize,
    over: bool,
}

impl Inbound {
    /// Takes what the client sent.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// The client sends nothing more.
    pub(crate) fn end(&mut self) {
        self.over = true;
    }

    /// Whether the client has said that it sends nothing more.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting().is_empty()
    }

    /// Whether more should be read now: always until the first frame is whole, then only a little ahead.
    pub(crate) fn wants_more(&self) -> bool {
        if self.over {
            return false;
        }
        let waiting = self.waiting();
        waiting.len() < READ_AHEAD_MAX
            || matches!(self.announced(), Ok(Some(len)) if waiting.len() < HEADER_LEN + len)
    }

    /// Whether a little more may be read while a command runs, whatever it is.
    pub(crate) fn has_read_ahead_room(&self) -> bool {
        !self.over && self.waiting().len() < READ_AHEAD_MAX
    }

    /// The next whole frame.
    pub(crate) fn next_frame(&mut self) -> Result<Option<Wiped>, FrameError> {
        let Some(len) = self.announced()? else { return Ok(None) };
        let Some(frame) = self.waiting().get(HEADER_LEN..HEADER_LEN + len) else { return Ok(None) };
        let frame = Wiped::new(frame);
        let end = self.taken + HEADER_LEN + len;
        wipe(&mut self.bytes[self.taken..end]);
        self.taken = end;
        if self.is_empty() {
            self.bytes.clear();
            self.taken = 0;
        }
        self.shrink();
        Ok(Some(frame))
    }

    /// Bytes of memory held.
    pub(crate) fn footprint(&self) -> usize {
        self.bytes.capacity()
    }

    fn waiting(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    /// Length of the frame that comes next; `None` until its header is there.
    fn announced(&self) -> Result<Option<usize>, FrameError> {
        let Some(header) = self.waiting().first_chunk::<HEADER_LEN>() else { return Ok(None) };
        let len = usize::try_from(u32::from_be_bytes(*header)).unwrap_or(usize::MAX);
        if len > FRAME_LEN_MAX { Err(FrameError::TooLong { len }) } else { Ok(Some(len)) }
    }

    /// Gives back the memory of a long frame.
    fn shrink(&mut self) {
        if self.bytes.capacity() > KEPT_MAX && self.waiting().len() <= KEPT_MAX {
            let waiting = self.waiting().to_vec();
            wipe(&mut self.bytes);
            self.bytes = waiting;
            self.taken = 0;
        }
    }

    /// Makes room for so many more, by moving up what waits or by taking a larger buffer and wiping the old one. It grows with
    /// what was sent, not with what was announced: an announcement costs its sender nothing.
    fn make_room(&mut self, more: usize) {
        if self.bytes.capacity() - self.bytes.len() >= more {
            return;
        }
        let waiting = self.waiting().len();
        let needed = waiting + more;
        if needed <= self.bytes.capacity() {
            self.bytes.copy_within(self.taken.., 0);
            wipe(&mut self.bytes[waiting..]);
            self.bytes.truncate(waiting);
        } else {
            let announced = self.announced().ok().flatten().map_or(0, |len| HEADER_LEN + len);
            let capacity = needed.max((2 * needed).min(announced.max(READ_AHEAD_MAX)));
            let mut larger = Vec::with_capacity(capacity);
            larger.extend_from_slice(self.waiting());
            wipe(&mut self.bytes);
            self.bytes = larger;
        }
        self.taken = 0;
    }
}

impl Drop for Inbound {
    fn drop(&mut self) {
        wipe(&mut self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(content: &[u8]) -> Vec<u8> {
        [&u32::try_from(content.len()).unwrap().to_be_bytes(), content].concat()
    }

    fn taken(inbound: &mut Inbound) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| inbound.next_frame().unwrap().map(|frame| frame.to_vec())).collect()
    }

    #[test]
    fn frames_are_found_wherever_the_stream_is_split() {
        let stream = [frame(b"first"), frame(b""), frame(b"second")].concat();
        for split in 0..=stream.len() {
            let mut inbound = Inbound::default();
            inbound.push(&stream[..split]);
            let mut frames = taken(&mut inbound);
            inbound.push(&stream[split..]);
            frames.extend(taken(&mut inbound));
            assert_eq!(frames, [b"first".as_slice(), b"", b"second"], "split at {split}");
            assert!(inbound.is_empty());
        }
    }

    #[test]
    fn a_frame_of_the_greatest_length_passes_and_its_buffer_does_not_stay() {
        let mut inbound = Inbound::default();
        for piece in frame(&vec![7; FRAME_LEN_MAX]).chunks(10_000) {
            assert!(inbound.wants_more());
            inbound.push(piece);
            assert!(inbound.footprint() <= FRAME_LEN_MAX + HEADER_LEN + 10_000, "{}", inbound.footprint());
        }
        assert!(!inbound.wants_more());
        assert_eq!(inbound.next_frame().unwrap().unwrap().len(), FRAME_LEN_MAX);
        assert!(inbound.footprint() <= KEPT_MAX);
    }

    #[test]
    fn one_byte_more_is_an_error_as_soon_as_it_is_announced() {
        let mut inbound = Inbound::default();
        inbound.push(b"\x00\x08\x00\x01");
        assert!(matches!(inbound.next_frame(), Err(FrameError::TooLong { len: 524_289 })));
    }

    #[test]
    fn announcing_much_costs_nothing() {
        let mut inbound = Inbound::default();
        inbound.push(b"\x00\x08\x00\x00x");
        assert!(inbound.footprint() < 64);
    }
}
