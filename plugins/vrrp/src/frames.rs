//! Frames that wait to be sent, one behind the other in one buffer: sending many takes neither allocations nor many system calls.

/// The frames. Empty, it keeps its memory.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    octets: Vec<u8>,
    ends: Vec<usize>,
}

impl Frames {
    pub(crate) fn push(&mut self, frame: &[u8]) {
        self.octets.extend_from_slice(frame);
        self.ends.push(self.octets.len());
    }

    pub(crate) const fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.octets.clear();
        self.ends.clear();
    }

    /// Those from the one of that number on.
    pub(crate) fn from(&self, first: usize) -> impl Iterator<Item = &[u8]> {
        let ends = self.ends.get(first..).unwrap_or_default();
        let begin = first.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        ends.iter().scan(begin, |begin, end| {
            let frame = self.octets.get(*begin..*end);
            *begin = *end;
            frame
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_in_order_from_any_on() {
        let mut frames = Frames::default();
        for frame in [&b"one"[..], b"", b"three"] {
            frames.push(frame);
        }
        assert_eq!(frames.from(0).collect::<Vec<_>>(), [&b"one"[..], b"", b"three"]);
        assert_eq!(frames.from(2).collect::<Vec<_>>(), [b"three"]);
        assert_eq!(frames.from(3).count() + frames.from(9).count(), 0);
        frames.clear();
        assert!(frames.is_empty() && frames.from(0).next().is_none());
    }
}
